"""Which dead letters are meant, which share a reason, and what a patch makes of a body."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from services.ops import durations
from services.ops.dlq import filters, patch
from services.ops.dlq.dead_letters import DeadLetter
from services.ops.dlq.filters import DeadLetterFilter
from services.ops.queues import names
from shared.config.topology import BRONZE, EXTRACT, QUEUES, SILVER
from shared.errors import PermanentError

RUN = "20260102T000000Z-00000001"
KEY = f"bronze/books/date=2026-01-02/run={RUN}/part=0001/page=0001.json.gz"
NOW = 10_000.0


def event(key: str) -> str:
    detail = {"bucket": {"name": "b"}, "object": {"key": key, "version-id": "v"}}
    return json.dumps({"source": "aws.s3", "detail-type": "Object Created", "detail": detail})


LETTER = DeadLetter(BRONZE.name, "abc-1", event(KEY), "PermanentError", f"{KEY}: not JSON", "1", sent=NOW - 100)
COMMAND = DeadLetter(
    EXTRACT.name,
    "abd-2",
    '{"dataset": "films", "type": "run"}',
    "TransientError",
    "the API is away",
    "8",
    sent=NOW - 500,
)
MUTE = DeadLetter(SILVER.name, "xyz-3", "anything [at all", "worker died", "no reason recorded", "unknown")
ALL = [LETTER, COMMAND, MUTE]


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        pytest.param(DeadLetterFilter(), [MUTE, COMMAND, LETTER], id="nothing asked, the oldest first"),
        pytest.param(DeadLetterFilter(ids=("ab",)), [COMMAND, LETTER], id="the beginning of an id"),
        pytest.param(DeadLetterFilter(ids=("abc", "x")), [MUTE, LETTER], id="one of several ids"),
        pytest.param(DeadLetterFilter(queue=SILVER), [MUTE], id="queue"),
        pytest.param(DeadLetterFilter(error="permanent"), [LETTER], id="type of error in any case"),
        pytest.param(DeadLetterFilter(error="API IS"), [COMMAND], id="part of the message in any case"),
        pytest.param(DeadLetterFilter(dataset="books"), [LETTER], id="dataset in a key"),
        pytest.param(DeadLetterFilter(dataset="films"), [COMMAND], id="dataset of a command"),
        pytest.param(DeadLetterFilter(dataset="book"), [], id="a dataset is asked for by its whole name"),
        pytest.param(DeadLetterFilter(run=RUN), [LETTER], id="run"),
        pytest.param(DeadLetterFilter(older_than=200), [COMMAND], id="age, where it is known"),
        pytest.param(DeadLetterFilter(contains="[at"), [MUTE], id="text in the body, as it is"),
        pytest.param(DeadLetterFilter(queue=BRONZE, error="away"), [], id="all of what is asked"),
    ],
)
def test_a_filter_selects_what_is_meant(asked: DeadLetterFilter, meant: list[DeadLetter]) -> None:
    assert asked.select(ALL, NOW) == meant


def test_a_run_is_found_in_a_key_that_the_event_encodes() -> None:
    key = f"silver/books/run%3D{RUN}%2Fpage.parquet"
    assert DeadLetterFilter(run=RUN).select([replace(LETTER, body=event(key))], NOW)


def test_a_filter_says_for_the_record_only_what_it_asks() -> None:
    asked = DeadLetterFilter(ids=("a",), queue=BRONZE, older_than=60)
    assert asked.described() == {"ids": ("a",), "queue": BRONZE.name, "older_than": 60}
    assert DeadLetterFilter().described() == {}


def test_only_the_queue_that_is_asked_for_is_looked_at() -> None:
    assert DeadLetterFilter(queue=SILVER).queues == (SILVER,)
    assert DeadLetterFilter().queues == QUEUES


def test_letters_that_differ_only_in_names_and_numbers_have_the_same_reason() -> None:
    def failed(key: str, message: str) -> DeadLetter:
        return replace(LETTER, id=key, body=event(key), error_message=message)

    letters = [
        failed("uploads/books/a b.json", "uploads/books/a b.json: row 12: field 'title' is missing"),
        failed("uploads/books/c.json", "uploads/books/c.json: row 7: field 'name' is missing"),
        failed("uploads/books/d.json", "uploads/books/d.json: not JSON"),
    ]
    groups = filters.grouped(letters)
    assert [(group.reason, len(group.letters)) for group in groups] == [
        ("…: row …: field … is missing", 2),
        ("uploads/books/d.json: not JSON", 1),
    ]


def test_groups_follow_the_pipeline_and_are_of_one_queue_and_one_type_of_error() -> None:
    others = [replace(LETTER, error_type="KeyError"), replace(LETTER, queue=SILVER.name), LETTER]
    groups = filters.grouped([*ALL, *others])
    assert [(group.queue, group.error_type, len(group.letters)) for group in groups] == [
        (EXTRACT.name, "TransientError", 1),
        (BRONZE.name, "PermanentError", 2),
        (BRONZE.name, "KeyError", 1),
        (SILVER.name, "PermanentError", 1),
        (SILVER.name, "worker died", 1),
    ]


@pytest.mark.parametrize("name", ["bronze", "smelt-bronze", "smelt-bronze-dlq", "transformer"])
def test_a_queue_has_several_names(name: str) -> None:
    assert names.find_queue(name) is BRONZE


def test_what_is_no_queue_is_refused_with_the_names_that_are() -> None:
    with pytest.raises(PermanentError, match="known: extract, bronze, uploads, silver"):
        names.find_queue("gold")


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("15m", 900), ("1.5h", 5_400), ("2d", 172_800)])
def test_durations(text: str, seconds: float) -> None:
    assert durations.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "h", "5 min", "-5m", "1e3s", "\u0665m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(PermanentError, match="not of the form"):
        durations.seconds(text)


@pytest.mark.parametrize(("text", "rate"), [("5", 5), ("5/s", 5), ("0.5/s", 0.5)])
def test_rates(text: str, rate: float) -> None:
    assert durations.per_second(text) == rate


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(PermanentError, match="above 0"):
        durations.per_second("0/s")


def test_facts_of_a_letter() -> None:
    named = replace(LETTER, attributes={"replays": "2", "traceparent": "00-0af7-b7ad-01"})
    assert (named.replays, named.trace_id, named.datasets) == (2, "0af7", {"books"})
    assert (MUTE.replays, MUTE.trace_id, MUTE.datasets, MUTE.objects) == (0, "", set(), [])
    assert replace(LETTER, attributes={"replays": "-1"}).replays == 0
    assert replace(LETTER, body=event("other/books")).datasets == set()


REPLACE = '[{"op": "replace", "path": "/a/0", "value": "\\u00e9"}]'


def test_a_patch_changes_the_body_and_writes_what_sqs_takes() -> None:
    assert patch.apply(patch.read(REPLACE), '{ "a": [1], "b": null }') == '{"a":["\\u00e9"],"b":null}'


def test_a_patch_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "patch.json").write_text(REPLACE)
    assert patch.apply(patch.read(str(tmp_path / "patch.json")), '{"a":[1]}') == '{"a":["\\u00e9"]}'


def test_a_patch_that_changes_nothing_leaves_every_byte() -> None:
    body = '{ "a" : 1.0 }\n'
    assert patch.apply(patch.read('[{"op": "test", "path": "/a", "value": 1.0}]'), body) == body


@pytest.mark.parametrize(
    "text",
    [
        "[1]",
        "[",
        "no-such-file",
        '[{"op": "zap", "path": "/a"}]',
        '[{"op": "add"}]',
        '[{"op":"add","path":"a","value":1}]',
    ],
)
def test_what_is_no_patch_is_refused(text: str) -> None:
    with pytest.raises(PermanentError, match="patch"):
        patch.read(text)


@pytest.mark.parametrize(
    "body", ["not JSON", '"text"', "3", "null", "[]", "{}", '{"a": null}', '{"a": []}', "[" * 100_000]
)
def test_a_patch_that_does_not_apply_is_refused(body: str) -> None:
    with pytest.raises(PermanentError, match=r"does not apply|not JSON"):
        patch.apply(patch.read(REPLACE), body)
