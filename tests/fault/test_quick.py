"""A slice of the faults with a fixed seed; `make fault RUNS=… SEED=…` runs them all, and long."""

import pytest

from tests.fault.faults import FAULTS
from tests.fault.harness import check, run
from tests.fault.rig import Rig

pytestmark = pytest.mark.fault

SEED = 7
QUICK = (
    "SIGKILL at object.put",
    "SIGKILL at loader.fenced",
    "SIGKILL at loader.committed",
    "SIGTERM at loader.upserted",
    "failure at message.deleted",
    "events 1-5 times in any order",
    "events never published",
    "worker killed",
    "AWS cut in mid-work",
    "AWS cut between commit and delete",
    "AWS answers end early",
    "Postgres killed",
    "Postgres read-only",
    "Postgres cut, SIGKILL at message.put_back",
    "Postgres falls silent",
    "ledger locked",
    "S3 answers ExpiredToken",
    "Valkey killed",
    "old and new version at once",
)


@pytest.mark.parametrize("name", QUICK)
def test_nothing_is_lost_doubled_or_made_older(rig: Rig, name: str) -> None:
    number = 1 + QUICK.index(name)
    oracle = run(rig, SEED, number, name)
    assert oracle.obligations > 10
    assert check(rig, oracle, name) == []


def test_each_quick_fault_is_one_that_exists() -> None:
    assert set(QUICK) <= FAULTS.keys()
