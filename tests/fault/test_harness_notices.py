"""The harness would notice: with a guarantee taken out it fails, with the same seed and the guarantee it does not."""

from pathlib import Path

import pytest

from tests.fault import rig as rigs
from tests.fault.harness import check, run
from tests.fault.rig import Rig

pytestmark = pytest.mark.fault


@pytest.mark.parametrize(("mutant", "says"), [("fence", "stale: "), ("ledger", "twice: ")])
def test_the_oracle_notices_a_missing_guarantee(
    folder: Path, mutant: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rigs, "PATIENCE", 15.0)
    name = "events 1-5 times in any order"
    with Rig(folder, mutant) as rig:
        losses = [loss for number in (1, 2) for loss in check(rig, run(rig, 3, number, name), name)]
    assert any(loss.startswith(says) for loss in losses), losses


@pytest.mark.parametrize(("mutant", "again"), [("heartbeat", True), ("", False)])
def test_without_the_heartbeat_long_work_is_delivered_again(folder: Path, mutant: str, again: bool) -> None:  # noqa: FBT001
    name = "work longer than visibility"
    with Rig(folder, mutant) as rig:
        check(rig, run(rig, 5, 1, name), name)
        assert (rig.receives_above(1) > 0) is again
