"""The database is lost, and made again from the bucket: the same rows, rejects and runs as before."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.restore import WAYS, Lost, smelt
from infra.embedded import stack
from tests.conftest import smelt_command
from tests.e2e.conftest import Deployment, run_outcome

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lost]:
    """A stack of its own: a run, code lists, a table somebody dropped, an object in two versions, rejected records."""
    home = tmp_path_factory.mktemp("restored") / ".smelt"
    try:
        smelt(home, "up", "--detach", "--no-first-run", "--records", "300")
        deployment = Deployment(home, smelt_command(home), stack.environment(home))
        fill(deployment)
        lost = Lost.of(home)
        yield lost
        lost.database.dispose()
    finally:
        stack.erase(home)


def fill(deployment: Deployment) -> None:
    for dataset in ("usajobs_search", "usajobs_codes"):
        assert run_outcome(deployment.smelt, dataset)["exit_code"] == 0
    for title in ("Smelter", "Caster"):
        upload_title(deployment, title)
    key = deployment.upload("rejected.json", page({"MatchedObjectId": "2", "MatchedObjectDescriptor": {}}))
    deployment.eventually(lambda: deployment.rows("select 1 from ops.quarantine where key = %s", key))
    key = deployment.upload("metals.csv", b"list,code,label\nmetals,Au,gold\nmetals,Pb,lead\n", "reference_table")
    deployment.ledger(key)


def upload_title(deployment: Deployment, title: str) -> None:
    deployment.upload("twice.json", page({"MatchedObjectId": "1", "MatchedObjectDescriptor": {"PositionTitle": title}}))
    deployment.eventually(lambda: title in titles(deployment))


def page(record: dict[str, object]) -> bytes:
    return json.dumps({"SearchResult": {"SearchResultItems": [record]}}).encode()


def titles(deployment: Deployment) -> list[str]:
    found = deployment.rows("select position_title from silver.job where control_number = '1'")
    return [str(row["position_title"]) for row in found]


@pytest.mark.parametrize("way", WAYS)
def test_a_lost_database_is_made_again_from_the_bucket(way: str, filled: Lost) -> None:
    before, ledger = filled.content(), filled.ledger()
    assert ledger
    assert all(count for count in ledger)
    assert before["silver.job"][0] > 300 - 1
    filled.lose()
    assert filled.ledger() is None
    filled.restored(ledger, *WAYS[way])
    assert filled.content() == before
    assert smelt(filled.home, "reconcile").strip() == "nothing is missing"


def test_another_row_would_be_noticed(filled: Lost) -> None:
    before = filled.content()
    with filled.database.begin() as connection:
        connection.exec_driver_sql(
            "update silver.job set position_title = position_title || '.' where control_number = '1'"
        )
    assert filled.content()["silver.job"] != before["silver.job"]
    assert Path(filled.home).exists()
