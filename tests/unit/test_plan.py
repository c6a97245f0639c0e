"""Which run a command asks for."""

from itertools import count

import pytest

from services.extractor.run_ids import run_id
from shared.errors import PermanentError
from shared.fields import run_date
from shared.formats.commands import RunCommand

SENT = 1_756_900_800_123  # 2025-09-03 12:00:00.123 UTC
DELIVERIES = count(1)
SLOT = "2025-09-03T12:00:00Z"


def scheduled(slot: object = SLOT, **fields: object) -> str:
    """The run id of a schedule's command; the message it came in is never the same twice."""
    command = RunCommand.model_validate({"dataset": "things", "trigger": "schedule", "scheduled_for": slot, **fields})
    number = next(DELIVERIES)
    return run_id(command, f"message-{number}", SENT + number)


def test_a_run_id_that_was_given_is_kept() -> None:
    command = RunCommand(dataset="things", run_id="20250101T000000Z-00000000", scheduled_for=SLOT)
    assert run_id(command, "message", SENT) == "20250101T000000Z-00000000"


def test_a_slot_gives_its_own_time_and_the_same_id_however_often_it_is_delivered() -> None:
    assert scheduled() == scheduled()
    assert scheduled().startswith("20250903T120000Z-")


@pytest.mark.parametrize("slot", ["2025-09-03T12:00:00+00:00", "2025-09-03T08:00:00-04:00", "2025-09-03 12:00:00"])
def test_one_moment_is_one_slot_in_whatever_zone_and_spelling(slot: str) -> None:
    assert scheduled(slot) == scheduled()


def test_the_order_of_the_params_does_not_matter() -> None:
    assert scheduled(params={"a": "1", "b": "2"}) == scheduled(params={"b": "2", "a": "1"})


@pytest.mark.parametrize(
    "other",
    [{"dataset": "others"}, {"params": {"a": "1"}}, {"trigger": "hourly"}, {"scheduled_for": "2025-09-03T13:00:00Z"}],
)
def test_another_dataset_schedule_or_slot_is_another_run(other: dict[str, object]) -> None:
    assert scheduled(**{"scheduled_for": SLOT, **other}) != scheduled()


@pytest.mark.parametrize("slot", ["noon", "2025-09-31T12:00:00Z", "<aws.scheduler.scheduled-time>"])
def test_a_slot_that_is_no_time_is_refused_by_name(slot: str) -> None:
    with pytest.raises(PermanentError, match=f"not a slot: '{slot}'"):
        scheduled(slot)


def test_without_a_slot_the_id_is_of_the_message_and_its_time_at_sqs() -> None:
    command = RunCommand(dataset="things")
    assert run_id(command, "m1", SENT) == run_id(command, "m1", SENT)
    assert run_id(command, "m1", SENT) != run_id(command, "m2", SENT)
    assert run_id(command, "m1", SENT).startswith("20250903T120000Z-")


@pytest.mark.parametrize("slot", [None, SLOT])
def test_a_made_run_id_is_one_that_the_keys_accept(slot: str | None) -> None:
    assert run_date(run_id(RunCommand(dataset="things", scheduled_for=slot), "m1", SENT)) == "2025-09-03"
