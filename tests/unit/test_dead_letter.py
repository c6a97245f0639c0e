"""How a message is buried with its reason, and the other three things that are done with one."""

from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from shared.engine import dead_letter
from shared.engine import message as messages
from shared.engine.message import Message
from shared.errors import PermanentError

LARGEST = 1 << 20  # bytes of a message with its attributes, SQS's limit
QUEUE_URL = "https://sqs.test/1/smelt-bronze"
MESSAGE = Message(
    body='{"a": "\\u0000 é 😀"}\n',
    id="id-1",
    receipt="receipt-1",
    queue_url=QUEUE_URL,
    receives=3,
    sent=1_756_900_800_000,
    first_received=1_756_900_801_000,
    attributes={"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
)


def size_of(asked: Any) -> int:
    """As SQS counts: the body, and of each attribute name, type and value."""
    attributes = [
        len(name) + len(value["DataType"]) + len(value.get("StringValue", "").encode() or value["BinaryValue"])
        for name, value in asked["MessageAttributes"].items()
    ]
    return len(asked["MessageBody"].encode()) + sum(attributes)


@dataclass
class FakeSqs:
    """Takes down what is asked of it, and refuses what SQS refuses."""

    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    away: bool = False

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        return {"ResponseMetadata": {"HTTPHeaders": {"date": "Wed, 03 Sep 2025 12:00:05 GMT"}}}

    def send_message(self, **asked: Any) -> dict[str, str]:
        """Refused while away, and with attributes that SQS does not take."""
        if self.away:
            raise ConnectionError
        if size_of(asked) > LARGEST:
            reason = f"One or more parameters are invalid. Reason: Message must be shorter than {LARGEST} bytes."
            raise ClientError({"Error": {"Code": "InvalidParameterValue", "Message": reason}}, "SendMessage")
        values = [{**attribute} for attribute in asked["MessageAttributes"].values()]
        assert len(values) <= 10
        assert all(value["StringValue"] if "StringValue" in value else value["BinaryValue"] for value in values)
        self.calls.append(("send", asked))
        return {"MessageId": "id-2"}

    def delete_message(self, **asked: Any) -> None:
        self.calls.append(("delete", asked))

    def change_message_visibility(self, **asked: Any) -> None:
        assert isinstance(asked["VisibilityTimeout"], int)
        self.calls.append(("change", asked))


def buried(message: Message = MESSAGE, error: BaseException | None = None) -> dict[str, str]:
    """The attributes of the dead letter."""
    sqs = FakeSqs()
    dead_letter.move_to_dead_letter_queue(
        cast("Any", sqs), message, "transformer", error or PermanentError("no such rule")
    )
    return {name: value["StringValue"] for name, value in sqs.calls[0][1]["MessageAttributes"].items()}


def test_the_copy_is_on_the_dead_letter_queue_before_the_message_is_deleted() -> None:
    sqs = FakeSqs()
    dead_letter.move_to_dead_letter_queue(cast("Any", sqs), MESSAGE, "transformer", PermanentError("no"))
    assert [(verb, asked["QueueUrl"]) for verb, asked in sqs.calls] == [
        ("send", f"{QUEUE_URL}-dlq"),
        ("delete", QUEUE_URL),
    ]
    assert sqs.calls[1][1]["ReceiptHandle"] == "receipt-1"


def test_what_could_not_be_copied_is_not_deleted() -> None:
    sqs = FakeSqs(away=True)
    with pytest.raises(ConnectionError):
        dead_letter.move_to_dead_letter_queue(cast("Any", sqs), MESSAGE, "transformer", PermanentError("no"))
    assert sqs.calls == []


def test_the_body_is_copied_as_it_is() -> None:
    sqs = FakeSqs()
    dead_letter.move_to_dead_letter_queue(cast("Any", sqs), MESSAGE, "transformer", PermanentError("no"))
    assert sqs.calls[0][1]["MessageBody"] == MESSAGE.body


def test_a_dead_letter_says_why_where_and_how_often_it_was_tried() -> None:
    assert buried() == {
        "error_type": "PermanentError",
        "error_message": "no such rule",
        "service": "transformer",
        "source_queue": "smelt-bronze",
        "attempts": "3",
        "dead_since": "1756900805000",
        "first_received": "1756900801000",
        "traceparent": MESSAGE.attributes["traceparent"],
    }


def test_an_error_without_words_is_called_by_its_type() -> None:
    assert buried(error=KeyError())["error_message"] == "KeyError"


def test_the_reason_of_an_earlier_burial_gives_way_to_the_new_one() -> None:
    replayed = replace(MESSAGE, attributes={"error_type": "TransientError", "attempts": "8", "replayed_by": "alice"})
    attributes = buried(replayed)
    assert (attributes["error_type"], attributes["attempts"]) == ("PermanentError", "3")
    assert attributes["replayed_by"] == "alice"


def test_there_are_never_more_than_ten_attributes_and_the_reason_comes_first() -> None:
    attributes = buried(replace(MESSAGE, attributes={f"own_{n}": "x" for n in range(10)}))
    assert len(attributes) <= 10
    assert {"error_type", "error_message", "service", "source_queue", "attempts"} <= set(attributes)


def test_as_many_of_the_message_s_own_attributes_are_kept_as_sqs_allows() -> None:
    assert len(buried(replace(MESSAGE, attributes={f"own_{n}": "x" for n in range(10)}))) == 10


def test_attributes_without_a_value_are_left_out() -> None:
    attributes = buried(replace(MESSAGE, attributes={"binary": "", "traceparent": "00-x"}))
    assert "binary" not in attributes
    assert "trace_id" not in attributes  # outside a span there is none


def test_characters_that_sqs_refuses_are_replaced() -> None:
    told = buried(error=PermanentError("a\x00b\x1bc\ud800d\ufffee\tf\ng é😀"))["error_message"]
    assert told == "a\ufffdb\ufffdc\ufffdd\ufffde\tf\ng é😀"


def test_a_long_reason_is_cut() -> None:
    assert len(buried(error=PermanentError("x" * 300_000))["error_message"]) == messages.MAX_ATTRIBUTE_LENGTH


def test_a_message_is_read_from_what_sqs_gives() -> None:
    raw: Any = {
        "Body": "body",
        "MessageId": "id-1",
        "ReceiptHandle": "receipt-1",
        "Attributes": {
            "ApproximateReceiveCount": "2",
            "SentTimestamp": "10",
            "ApproximateFirstReceiveTimestamp": "11",
            "SenderId": "somebody",
        },
        "MessageAttributes": {
            "a": {"DataType": "String", "StringValue": "1"},
            "b": {"DataType": "Binary", "BinaryValue": b"x"},
        },
    }
    assert Message.received(raw, QUEUE_URL) == Message(
        "body",
        "id-1",
        "receipt-1",
        QUEUE_URL,
        receives=2,
        sent=10,
        first_received=11,
        attributes={"a": "1", "b": ""},
        typed={"b": {"DataType": "Binary", "BinaryValue": "eA=="}},
    )
    del raw["MessageAttributes"]
    assert Message.received(raw, QUEUE_URL).attributes == {}


TYPED = {
    "count": {"DataType": "Number.int", "StringValue": "7"},
    "bytes": {"DataType": "Binary", "BinaryValue": "AP8="},
    "colour": {"DataType": "String.colour", "StringValue": "red"},
}


def test_attributes_of_other_types_are_kept_as_they_were() -> None:
    sqs = FakeSqs()
    message = replace(
        MESSAGE, attributes={"long": "x" * 5_000, "count": "7", "bytes": "", "colour": "red"}, typed=TYPED
    )
    dead_letter.move_to_dead_letter_queue(cast("Any", sqs), message, "transformer", PermanentError("no"))
    sent = sqs.calls[0][1]["MessageAttributes"]
    assert sent["count"] == TYPED["count"]
    assert sent["bytes"] == {"DataType": "Binary", "BinaryValue": b"\x00\xff"}
    assert sent["colour"] == TYPED["colour"]
    assert sent["long"] == {"DataType": "String", "StringValue": "x" * 5_000}


@pytest.mark.parametrize(
    ("room", "kept"),
    [
        (2_000, {"error_type", "error_message", "service", "source_queue", "attempts", "dead_since", "own"}),
        (1_200, {"error_type", "error_message", "service", "source_queue", "attempts", "dead_since"}),
        (400, {"error_type", "error_message", "service", "source_queue", "attempts", "dead_since"}),
        (50, {"error_type"}),
        (5, set()),
    ],
)
def test_a_body_near_the_limit_keeps_as_much_of_the_reason_as_there_is_room_for(room: int, kept: set[str]) -> None:
    own = "o" * 500 if room > 1_200 else ""
    message = replace(MESSAGE, body="x" * (LARGEST - room), attributes={"own": own})
    assert set(buried(message, PermanentError("e" * 2_000))) - {"first_received"} == kept


def test_a_copy_carries_its_attempts_and_its_age_and_a_copy_of_it_as_well() -> None:
    sqs = FakeSqs()
    assert messages.send_copy(cast("Any", sqs), MESSAGE, 7.4, attempts=2, now=1_756_900_900) == "id-2"
    asked = sqs.calls[0][1]
    assert (asked["QueueUrl"], asked["MessageBody"], asked["DelaySeconds"]) == (QUEUE_URL, MESSAGE.body, 7)
    texts = {name: value["StringValue"] for name, value in asked["MessageAttributes"].items()}
    assert texts == {
        "smelt_earlier_attempts": "2", "smelt_first_sent": str(MESSAGE.sent),
        "traceparent": MESSAGE.attributes["traceparent"],
    }  # fmt: skip
    copy = replace(MESSAGE, receives=1, sent=MESSAGE.sent + 10_000, attributes=texts)
    assert (copy.attempts, copy.first_sent, copy.was_tried) == (3, MESSAGE.sent, True)
    messages.send_copy(cast("Any", sqs), copy, 0, attempts=2, now=1_756_900_900)
    assert sqs.calls[1][1]["MessageAttributes"] == asked["MessageAttributes"]


def test_a_wait_longer_than_sqs_s_longest_delay_is_carried_on() -> None:
    sqs = FakeSqs()
    messages.send_copy(cast("Any", sqs), MESSAGE, 7_200, attempts=0, now=1_000)
    asked = sqs.calls[0][1]
    assert asked["DelaySeconds"] == 900
    copy = replace(MESSAGE, attributes={n: v["StringValue"] for n, v in asked["MessageAttributes"].items()})
    assert copy.not_before == 8_200_000


def test_what_a_copy_carried_is_not_on_the_dead_letter() -> None:
    attributes = buried(replace(MESSAGE, attributes={"smelt_earlier_attempts": "2", "smelt_first_sent": "1"}))
    assert attributes["attempts"] == "5"
    assert not any(name.startswith("smelt_") for name in attributes)


def test_a_message_survives_the_way_to_a_child_process() -> None:
    assert Message(**MESSAGE.as_json()) == MESSAGE


def test_a_wait_is_asked_for_in_whole_seconds() -> None:
    sqs = FakeSqs()
    messages.change_visibility(cast("Any", sqs), MESSAGE, after=1.7)
    assert sqs.calls == [
        ("change", {"QueueUrl": QUEUE_URL, "ReceiptHandle": "receipt-1", "VisibilityTimeout": 2}),
    ]
