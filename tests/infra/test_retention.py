"""The last day of an object, computed from the rendered lifecycle, is the one that the documentation names."""

import re
from typing import Any

import pytest

from shared.config.topology import DEAD_LETTER_RETENTION, NOTIFICATIONS, QUEUES
from tests.infra.conftest import SOURCE, Deployment

pytestmark = pytest.mark.integration

DOCUMENTS = SOURCE.parents[1] / "docs"
DAY = 24 * 60 * 60
BRONZE, SILVER = 180, 60  # days, the defaults
RAW = ("bronze/", "uploads/", "replays/", "plans/", "discarded/")


@pytest.fixture
def rules(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """{prefix: its rule of expiry}"""
    lifecycle = deployment.one("module.messaging.aws_s3_bucket_lifecycle_configuration.this")
    return {rule["filter"][0]["prefix"]: rule for rule in lifecycle["rule"] if rule["id"].startswith("expire-")}


def last_day(rule: dict[str, Any], overwritten: int | None = None) -> int:
    """The day on which nothing is left of what was written on day 0, and perhaps overwritten on another day.

    When the current version expires, S3 puts a delete marker over it, and it is a noncurrent version from then on.
    """
    expiry: int = rule["expiration"][0]["days"]
    noncurrent = expiry if overwritten is None else min(expiry, overwritten)
    return noncurrent + int(rule["noncurrent_version_expiration"][0]["noncurrent_days"])


def test_every_prefix_that_is_announced_has_a_last_day(rules: dict[str, dict[str, Any]]) -> None:
    assert NOTIFICATIONS.keys() <= rules.keys()


def test_nothing_outlives_the_days_that_are_documented(rules: dict[str, dict[str, Any]]) -> None:
    days = {prefix: last_day(rule) for prefix, rule in rules.items()}
    assert days == {prefix: BRONZE if prefix in RAW else SILVER for prefix in rules}


@pytest.mark.parametrize("day", range(0, BRONZE, 7))
def test_an_overwritten_version_outlives_the_message_that_names_it(rules: dict[str, dict[str, Any]], day: int) -> None:
    message = max(queue.retention for queue in QUEUES) + DEAD_LETTER_RETENTION
    for prefix, rule in rules.items():
        assert last_day(rule, day) <= last_day(rule), prefix
        assert last_day(rule, day) - min(day, rule["expiration"][0]["days"]) >= message / DAY, prefix


def test_the_documentation_names_these_days() -> None:
    (glacier, gone) = re.findall(
        r"bronze to Glacier after (\d+) days, gone after (\d+)", (DOCUMENTS / "aws.md").read_text()
    )[0]
    assert (int(glacier), int(gone)) == (30, BRONZE)
    said = re.findall(r"(\d+) days", (DOCUMENTS / "runbooks" / "restore-from-bronze.md").read_text())
    assert set(said) <= {str(BRONZE), glacier}
