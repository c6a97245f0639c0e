"""The harness would notice: with a guarantee taken out it fails, with the same seed and the guarantee it does not."""

from pathlib import Path

import pytest

from tests.fault import rig as rigs
from tests.fault.harness import check, run
from tests.fault.oracle import Oracle
from tests.fault.rig import Rig
from tests.fault.worker import VISIBILITY

pytestmark = pytest.mark.fault


@pytest.mark.parametrize(
    ("mutant", "words"),
    [("fence", ("stale: ", "fault_snapshot: ", "fault_history: ")), ("ledger", ("twice: ",))],
)
def test_the_oracle_notices_a_missing_guarantee(
    folder: Path, mutant: str, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "events 1-5 times in any order"
    with Rig(folder, mutant, each=1) as rig:
        monkeypatch.setattr(rigs, "PATIENCE", 12.0)
        losses = check(rig, run(rig, 3, 1, name), name)
    assert [word for word in words if not any(loss.startswith(word) for loss in losses)] == [], losses


@pytest.mark.parametrize(("mutant", "again"), [("heartbeat", True), ("", False)])
def test_without_the_heartbeat_long_work_is_delivered_again(
    folder: Path,
    mutant: str,
    again: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    long_work = {"action": "sleep", "probability": 1, "seconds": 2.5 * VISIBILITY}
    oracle = Oracle(seed=5, number=1)
    with Rig(folder, mutant) as rig, rig.failing({"object.got": long_work}):
        monkeypatch.setattr(rigs, "PATIENCE", 25.0)
        rig.put(oracle, next(oracle.uploads()))
        rig.settled(oracle)
        assert (rig.receives_above(1) > 0) is again
