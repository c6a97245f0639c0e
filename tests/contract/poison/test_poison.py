"""The poison corpus on a real stack: each case ends where it must, and nobody else notices."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.embedded import stack
from tests.conftest import smelt_command
from tests.contract.poison import delivery
from tests.contract.poison.case import Case, DeadLetter, Ignored, Lands, Quarantined
from tests.contract.poison.corpus import BOUNDS, CASES
from tests.contract.poison.delivery import Outcome
from tests.contract.poison.messages import OTHER_BUCKET, PREPARED
from tests.e2e.conftest import Deployment
from tests.support import smelt_server

pytestmark = pytest.mark.integration

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@dataclass(frozen=True)
class Poisoned:
    """The stack after the corpus; the main processes before and after, {part: pid}."""

    deployment: Deployment
    outcome: Outcome
    before: dict[str, int | None]
    after: dict[str, int | None]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """`smelt up --detach` with one of each worker and small bounds."""
    home = tmp_path_factory.mktemp("poison") / ".smelt"
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SMELT_", "AWS_"))}
    started = subprocess.run(
        [smelt_server.program(), "up", "--detach", "--no-first-run", "--records", "100"],
        env=clean | BOUNDS | {"SMELT_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        yield Deployment(home, smelt_command(home), stack.environment(home))
    finally:
        stack.erase(home)


@pytest.fixture(scope="module")
def poisoned(deployment: Deployment) -> Poisoned:
    """Everything is sent once; the tests only look at what became of it."""
    before = _running(deployment.home)
    delivery.prepare(deployment)
    sent = delivery.send(deployment, CASES)
    outcome = delivery.watch(deployment, sent)
    return Poisoned(deployment, outcome, before, _running(deployment.home))


def _running(home: Path) -> dict[str, int | None]:
    return {part.name: part.pid for part in stack.status(home) if part.state == "running"}


@each_case
def test_it_ends_where_it_must(poisoned: Poisoned, case: Case) -> None:
    outcome, key = poisoned.outcome, case.object_key
    again = [letter.error for letter in delivery.about(case, outcome.troubled)]
    assert again == [], "it is tried again, though it can never work"
    dead = delivery.about(case, outcome.dead)
    match case.ends:
        case DeadLetter(reason, queue):
            assert [letter.queue for letter in dead] == [queue], [*dead, outcome.ledger.get(key)]
            assert delivery.matches(reason, dead[0].error), dead[0].error
            assert dead[0].attempts == "1", dead[0].error
            assert key not in outcome.ledger
        case Lands(titles):
            assert dead == []
            assert outcome.ledger[key]["quarantined"] == 0
            assert {offset: outcome.titles.get(case.first + offset) for offset in titles} == titles
        case Quarantined(rules):
            assert dead == []
            rejected = outcome.rejected.get(key, {})
            assert rejected.keys() == rules.keys()
            assert [index for index, rule in rules.items() if not delivery.matches(rule, rejected[index])] == []
        case Ignored():
            assert dead == []
            assert key not in outcome.ledger
            assert outcome.settled.get(outcome.sent.get(case.name, ""), "ignored") in {
                "ignored",
                "superseded",
            }


@each_case
def test_its_neighbours_land(poisoned: Poisoned, case: Case) -> None:
    titles = poisoned.outcome.titles
    offsets = case.neighbours or (delivery.FOLLOWER,)
    assert [offset for offset in offsets if titles.get(case.first + offset) != "Smelter"] == []


def test_the_workers_are_the_same_processes_as_before(poisoned: Poisoned) -> None:
    assert poisoned.after == poisoned.before


def test_no_child_died_over_a_message(poisoned: Poisoned) -> None:
    assert list(delivery.logged(poisoned.deployment, "message.given_back")) == []


def test_no_message_is_left_unsettled(poisoned: Poisoned) -> None:
    assert list(delivery.logged(poisoned.deployment, "message.not_settled")) == []


def test_nothing_was_tried_twice(poisoned: Poisoned) -> None:
    again = delivery.logged(poisoned.deployment, "message.retry")
    assert sorted({f"{line['service']}: {line['error_type']}: {line['error']}"[:300] for line in again}) == []


def test_what_was_read_is_what_was_loaded_and_rejected(poisoned: Poisoned) -> None:
    ledger, rejected = poisoned.outcome.ledger, poisoned.outcome.rejected
    for key, row in ledger.items():
        parts = ("inserted", "updated", "unchanged", "stale", "quarantined")
        assert row["read"] == sum(row[part] for part in parts), key
        assert row["quarantined"] == len(rejected.get(key, {})), key
    assert set(rejected) <= set(ledger)


def test_every_row_was_inserted_once_and_has_been_seen(poisoned: Poisoned) -> None:
    counted = poisoned.deployment.rows(
        "select (select count(*) from silver.job) + (select count(*) from silver.historic_joa) as postings,"
        " (select count(*) from silver.job_details) + (select count(*) from silver.historic_joa) as details,"
        " (select count(*) from silver.job_last_seen) + (select count(*) from silver.historic_joa_last_seen) as seen,"
        " (select sum(inserted)::int from ops.loaded_object) as inserted"
    )[0]
    assert len(set(counted.values())) == 1, counted


def test_nothing_was_written_outside_of_our_bucket(poisoned: Poisoned) -> None:
    listed = poisoned.deployment.client("s3").list_objects_v2(Bucket=OTHER_BUCKET)
    assert [stored["Key"] for stored in listed["Contents"]] == [PREPARED]


def test_an_audit_afterwards_names_nothing_as_lost(poisoned: Poisoned) -> None:
    """Nothing but the objects whose dead letters this module has taken off their queues."""
    deployment = poisoned.deployment
    for case in CASES:
        if not case.object_key.isprintable():  # the emulator's listing is XML, which cannot hold every character
            _erase(deployment, case.object_key)
    looked = subprocess.run(
        [sys.executable, "-c", AUDIT],
        env={**os.environ, **deployment.environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert looked.returncode == 0, looked.stderr
    dead = {repr(key) for letter in poisoned.outcome.dead for key in letter.keys}
    assert sorted({*looked.stdout.splitlines()} - dead) == []


AUDIT = """
from services.ops.reconcile.reconciliation import find_missing
from services.ops.connections import connect
missing = find_missing(connect())
for named in (*(stored.key for stored in missing.objects), *missing.pages):
    print(repr(named))
"""


def _erase(deployment: Deployment, key: str) -> None:
    row = deployment.rows("select bucket, version from ops.loaded_object where key = %s", key)[0]
    deployment.client("s3").delete_object(Bucket=row["bucket"], Key=key, VersionId=row["version"])
