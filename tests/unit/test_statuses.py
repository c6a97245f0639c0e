"""What each HTTP status of a source leads to, and that docs/sources.md says the same."""

import re

import pytest

from services.extractor.statuses import STATUSES, Outcome, outcome
from tests.conftest import REPOSITORY

ROW = re.compile(r"^\| ([0-9][0-9, ]*|any other(?: 5xx)?) \| (.+) \|$", re.MULTILINE)


def documented() -> dict[str, str]:
    """{status: what the docs say of it}."""
    page = (REPOSITORY / "docs" / "sources.md").read_text()
    table = page.partition("## What a status leads to")[2].partition("\n## ")[0]
    return {status.strip(): says for statuses, says in ROW.findall(table) for status in statuses.split(",")}


def test_the_docs_have_each_status_as_the_code_does() -> None:
    told = documented()
    assert {status: says for status, says in told.items() if status.isdigit()} == {
        str(status): outcome.value for status, outcome in STATUSES.items()
    }
    assert (told["any other 5xx"], told["any other"]) == (outcome(599).value, outcome(499).value)


@pytest.mark.parametrize(
    ("status", "leads_to"),
    [
        (100, Outcome.DEAD_LETTER),
        (206, Outcome.DEAD_LETTER),
        (304, Outcome.DEAD_LETTER),
        (418, Outcome.DEAD_LETTER),
        (527, Outcome.RETRY),
    ],
)
def test_a_status_that_is_not_in_the_table_leads_to_what_its_class_does(status: int, leads_to: Outcome) -> None:
    assert outcome(status) is leads_to
