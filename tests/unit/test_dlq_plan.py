"""What is to be done with each dead letter: where it goes, with what body and attributes, or why it stays."""

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from services.ops.dlq import patch, replay
from services.ops.dlq.dead_letters import DeadLetter
from shared.config.topology import BRONZE, EXTRACT, SILVER, Queue
from shared.engine import dead_letter
from shared.engine.message import Message
from shared.errors import PermanentError

SOURCES = {"prod-bronze": BRONZE, "prod-silver": SILVER, "prod-extract": EXTRACT}


def letter(body: str = "{}", **attributes: str) -> DeadLetter:
    return DeadLetter(BRONZE.name, "1", body, "PermanentError", "no", "1", sent=0.0, attributes=attributes)


def text(value: str) -> Any:
    return {"DataType": "String", "StringValue": value}


@pytest.mark.parametrize(
    ("source", "to"),
    [
        pytest.param({"source_queue": "prod-silver"}, SILVER, id="where it came from"),
        pytest.param({}, BRONZE, id="without a word its own queue"),
        pytest.param({"source_queue": "somebody-elses"}, BRONZE, id="never a queue that is not ours"),
    ],
)
def test_a_letter_goes_to_the_queue_it_came_from(source: dict[str, str], to: Queue) -> None:
    assert [step.to for step in replay.plan([letter(**source)], SOURCES)] == [to]


def test_it_goes_elsewhere_where_asked() -> None:
    assert replay.plan([letter(source_queue="prod-silver")], SOURCES, to=EXTRACT)[0].to is EXTRACT


def test_the_body_is_untouched() -> None:
    (step,) = replay.plan([letter('{ "a" : 1 }\n')], SOURCES)
    assert (step.patched, step.rejected) == (None, None)


def test_a_patch_that_fits_one_letter_does_not_stop_another() -> None:
    mend = patch.read('[{"op": "replace", "path": "/a", "value": 2}]')
    good, bad = replay.plan([letter('{"a": 1}'), letter('{"b": 1}')], SOURCES, mend)
    assert (good.patched, good.rejected) == ('{"a":2}', None)
    assert bad.patched is None
    assert "does not apply" in str(bad.rejected)


def test_a_message_replayed_too_often_stays_unless_forced() -> None:
    often, seldom = letter(replays="3"), letter(replays="2")
    assert [bool(step.rejected) for step in replay.plan([often, seldom], SOURCES)] == [True, False]
    assert [bool(step.rejected) for step in replay.plan([often, seldom], SOURCES, force=True)] == [False, False]


def test_a_replay_keeps_its_trace_and_drops_the_reason() -> None:
    held = {name: text("x") for name in dead_letter.REQUIRED_REASON} | {
        "own": text("1"),
        "traceparent": text("00-a-b-01"),
    }
    assert replay.attributes(held, 2) == {
        "replays": text("2"),
        "traceparent": text("00-a-b-01"),
        "own": text("1"),
    }


@dataclass
class FakeSqs:
    """Keeps what is buried."""

    sent: list[dict[str, Any]] = field(default_factory=list)

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        return {"ResponseMetadata": {"HTTPHeaders": {}}}

    def send_message(self, **asked: Any) -> dict[str, str]:
        self.sent.append(asked)
        return {"MessageId": "2"}

    def delete_message(self, **_: Any) -> None:
        """Nothing to see here."""


def test_the_count_and_the_trace_survive_the_next_burial_whatever_else_the_message_carries() -> None:
    held = {f"own{n}": text("x") for n in range(10)} | {"traceparent": text(f"00-{'a' * 32}-{'b' * 16}-01")}
    sent = {name: value["StringValue"] for name, value in replay.attributes(held, 2).items()}
    sqs = FakeSqs()
    message = Message("{}", "1", "receipt", "https://sqs.test/prod-bronze", 1, 0, 0, attributes=sent)
    dead_letter.move_to_dead_letter_queue(cast("Any", sqs), message, "transformer", PermanentError("again"))
    buried = sqs.sent[0]["MessageAttributes"]
    assert (buried["replays"]["StringValue"], buried["traceparent"]["StringValue"]) == ("2", sent["traceparent"])
    assert set(buried) - set(sent) <= set(dead_letter.REQUIRED_REASON)
