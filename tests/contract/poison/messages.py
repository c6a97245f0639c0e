"""Messages on the queues that no producer of ours would send, and objects that only we should write."""

import base64
import gzip
import json
import pickle
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from io import BytesIO
from typing import Any

import polars as pl

from infra.embedded.aws import BUCKET
from shared.datasets import registry
from shared.formats import silver
from shared.formats.silver import Counts, RuleWarning, SilverHeader
from shared.storage.object_id import ObjectId
from tests.contract.poison.case import BRONZE, EXTRACT, SILVER, UPLOADS, Case, DeadLetter, Ending, Ignored
from tests.support.compression import zstd

PREPARED = f"{UPLOADS}prepared.json"  # there before the corpus is sent
DELETED = f"{UPLOADS}deleted.json"  # was there
OTHER_BUCKET = "poison-elsewhere"  # exists, and holds a good page under PREPARED
RUN = "20260101T000000Z-0123abcd"
NO_EVENT, NO_COMMAND = "^not an S3 event", "^not a smelt command"
REFUSALS = {EXTRACT: NO_COMMAND, BRONZE: NO_EVENT, SILVER: NO_EVENT}

# On every queue: {name: body}
RUBBISH = {
    "text": "not JSON at all",
    "a base64 text": base64.b64encode(b'{"a": 1}').decode(),
    "a pickle": base64.b64encode(pickle.dumps({"a": print})).decode(),
    "a pickle in its oldest protocol": pickle.dumps(["x"], protocol=0).decode(),
    "a Celery message": '{"task": "smelt.deliver", "id": "1", "args": [], "kwargs": {}}',
    "a Celery envelope": '{"body": "W1tdLCB7fSwge31d", "headers": {"task": "os.system"}, "properties": {}}',
    "a Celery envelope in base64": base64.b64encode(
        b'{"body": "gASV", "content-type": "application/x-python-serialize"}'
    ).decode(),
    "a Celery body": "[[], {}, {}]",
    "null": "null",
    "a number": "1e999",
    "a text in JSON": '"\\ud800"',
    "an empty object": "{}",
    "white space": " ",
    "braces": "{" * 50_000,
    "brackets": "[" * 50_000 + "]" * 50_000,
    "200,000 characters": "x" * 200_000,
    "right to left": "\u202e{} \U0001f3f4",
    "a message nearly as large as SQS takes": "x" * ((1 << 20) - 64),
}


def _event(key: str, **stored: object) -> str:
    described = {"key": key, **{name: value for name, value in stored.items() if name != "bucket"}}
    bucket = {"name": stored.get("bucket", BUCKET)}
    return json.dumps({"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": bucket, "object": described}}]})


def _message(queue: str, what: str, body: str, ends: Ending, **extra: object) -> Case:
    return Case(f"{what}, on the {queue} queue", lambda _: body, ends, place=f"{queue} queue", extra=extra)


def _rubbish() -> Iterator[Case]:
    for queue, reason in REFUSALS.items():
        for what, body in RUBBISH.items():
            reason_here = "" if "as large" in what else reason  # no room is left for a reason
            yield _message(queue, what, body, DeadLetter(reason_here, queue))
        attributes = {
            name: {"DataType": "String", "StringValue": value}
            for name, value in {
                "traceparent": "ff-" + "z" * 500,
                "tracestate": "=,=,,=",
                "baggage": "%%%=;;;,,==",
                "error_type": "forged",
                "service": "forged",
                **{f"a{n}": "x" * 2_000 for n in range(5)},
            }.items()
        }
        yield _message(
            queue,
            "attributes of every kind",
            '{"no": "event"}',
            DeadLetter(reason, queue),
            MessageAttributes=attributes,
        )


# On the two queues of S3's events: {name: (body, ending)}, with {queue} for its name.
EVENTS: dict[str, tuple[str, Ending | str]] = {
    "S3's test event": ('{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}', Ignored()),
    "an event of a deletion": (_event("x").replace("ObjectCreated:Put", "ObjectRemoved:Delete"), Ignored()),
    "an event without records": ('{"Records": []}', "that smelt knows: no Records"),
    "an event of a kind to come": (
        _event("y").replace("ObjectCreated:Put", "ObjectFrozen:Solid"),
        "that smelt knows: eventName",
    ),
    "records that are null": ('{"Records": null}', NO_EVENT),
    "records in an object": ('{"Records": {"0": {}}}', NO_EVENT),
    "a record that is null": ('{"Records": [null]}', NO_EVENT),
    "an event name that is a number": ('{"Records": [{"eventName": 5}]}', NO_EVENT),
    "an event without an object": ('{"Records": [{"eventName": "ObjectCreated:Put", "s3": {}}]}', NO_EVENT),
    "a notification round nothing": ('{"Type": "Notification"}', NO_EVENT),
    "a notification round a number": ('{"Type": "Notification", "Message": 5}', NO_EVENT),
    "an event of EventBridge without detail": ('{"source": "aws.s3", "detail-type": "Object Created"}', NO_EVENT),
    "a key that is a number": (
        json.dumps(
            {"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": BUCKET}, "object": {"key": 5}}}]}
        ),
        NO_EVENT,
    ),
    "a key that is not UTF-8": (_event("bronze/%ff"), NO_EVENT),
    "an eTag that is a list": (_event(PREPARED, eTag=[1]), NO_EVENT),
    "a key without a known prefix": (_event("other/x.json"), "no such object|not a prefix that the loader handles"),
    "an empty key": (_event(""), "Invalid length for parameter Key|not a prefix that the loader handles"),
}
MISSING = "no such object"
TO_TRANSFORM: dict[str, tuple[str, Ending | str]] = {
    "an eTag that is an empty object": (_event(PREPARED, eTag={}), NO_EVENT),
    "a sequencer that is zero": (_event(PREPARED, sequencer=0), NO_EVENT),
    "a missing object": (_event(f"{UPLOADS}never was.json"), MISSING),
    "a missing version": (_event(PREPARED, versionId="3HL4kqtJlcpXroDTDmJrmSpXd3dIbrHY"), MISSING),
    "a version id that is none": (_event(PREPARED, versionId="../../x"), f"{MISSING}|version"),
    "an object that was deleted": (_event(DELETED), MISSING),
    "an eTag that is another's by now": (_event(PREPARED, eTag="0" * 32), Ignored()),
    "a missing bucket": (_event(PREPARED, bucket="no-such-bucket"), f"{MISSING}|bucket"),
    "a bucket that is not ours": (_event(PREPARED, bucket=OTHER_BUCKET), "bucket"),
    "a bucket whose name is a path": (_event(PREPARED, bucket="../../etc"), "bucket"),
    "a bucket without a name": (_event(PREPARED, bucket=""), "bucket"),
    "a key of silver": (_event("silver/x.parquet"), "no such object"),
    "a key longer than S3's": (_event(UPLOADS + "k" * 5_000), f"{MISSING}|kkk"),
    "a key with NUL": (_event(f"{UPLOADS}a%00b"), f"{MISSING}|key|NUL"),
}
TO_LOAD: dict[str, tuple[str, Ending | str]] = {
    "a missing silver object": (_event("silver/never was.parquet"), MISSING),
    "a missing quarantine object": (_event("quarantine/never was.jsonl.gz"), MISSING),
    "a missing plan": (_event("plans/never was.json"), MISSING),
    "a bucket whose name is a path": (_event("silver/x.parquet", bucket="../../etc"), "bucket"),
    "a key of bronze": (_event(PREPARED), "not a prefix that the loader handles"),
}


def _events() -> Iterator[Case]:
    for queue, bodies in {BRONZE: EVENTS | TO_TRANSFORM, SILVER: EVENTS | TO_LOAD}.items():
        for what, (body, ends) in bodies.items():
            yield _message(queue, what, body, DeadLetter(ends, queue) if isinstance(ends, str) else ends)


def _command(**fields: object) -> str:
    return json.dumps({"version": 1, "type": "run", "dataset": "usajobs_search", **fields})


def _page(**fields: object) -> str:
    page = {
        "version": 1,
        "type": "page",
        "dataset": "usajobs_search",
        "run_id": RUN,
        "params": {},
        "part": 1,
        "page": 1,
    }
    return json.dumps({**page, "of": 1, **fields})


COMMANDS = {
    "a command of version zero": (_command(version=0), NO_COMMAND),
    "a command of an unknown type": (_command(type="drop"), NO_COMMAND),
    "a command of no type": ('{"version": 1, "dataset": "usajobs_search"}', NO_COMMAND),
    "a command for a list of datasets": (_command(dataset=["usajobs_search"]), NO_COMMAND),
    "a command for an unknown dataset": (_command(dataset="no_such"), "no dataset 'no_such'"),
    "a command for a dataset that is a path": (_command(dataset="../silver"), r"no dataset '\.\./silver'"),
    "a command for a dataset without a name": (_command(dataset=""), "no dataset ''"),
    "a command for a dataset of 5,000 characters": (_command(dataset="d" * 5_000), NO_COMMAND),
    "a command for a dataset with NUL": (_command(dataset="a\0b"), "no dataset|not a smelt command"),
    "a command with parameters that are a list": (_command(params=[]), NO_COMMAND),
    "a command with a parameter that is a list": (_command(params={"Keyword": []}), NO_COMMAND),
    "a command with an unknown parameter": (_command(params={"DropTable": "job"}), "unknown parameter"),
    "a command with a parameter twice": (_command(params={"Keyword": "a", "keyword": "b"}), "given twice"),
    "a command with an unknown field": (_command(parms={"Keyword": "a"}), r"parms: Extra inputs are not permitted"),
    "a page with an unknown field": (_page(pages=2), r"pages: Extra inputs are not permitted"),
    "a command with a line end in a parameter": (_command(params={"Keyword": "a\r\nb"}), "a parameter with a line end"),
    "a command with NUL in a parameter": (_command(params={"Keyword": "a\0b"}), NO_COMMAND),
    "a command with NUL in its trigger": (_command(trigger="a\0b"), NO_COMMAND),
    "a command with a lone surrogate": (_command(trigger="\ud800"), NO_COMMAND),
    "a command whose run id is a path": (_command(run_id="../../silver/x"), "not a run id"),
    "a command whose run id ends in a path": (_command(run_id=f"{RUN}/../x"), "not a run id"),
    "a command whose run id ends in a line end": (_command(run_id=f"{RUN}\n"), "not a run id"),
    "a command whose run id is of no day": (_command(run_id="20261399T000000Z-0123abcd"), "not a run id"),
    "a command whose slot is no time": (_command(scheduled_for="soon"), "not a slot"),
    "a command whose slot is past the calendar": (_command(scheduled_for="9999-12-31T23:59:59-23:00"), "not a slot"),
    "a command whose slot is before the calendar": (_command(scheduled_for="0001-01-01T00:00:00+23:00"), "not a slot"),
    "a page whose run id is a path": (_page(run_id="../../silver/x"), "not a run id"),
    "page zero": (_page(page=0), NO_COMMAND),
    "page minus one": (_page(page=-1), NO_COMMAND),
    "page one and a half": (_page(page=1.5), NO_COMMAND),
    "a page beyond an integer": (_page(page=10**12, of=10**12), NO_COMMAND),
    "a page of 400 digits": (_page(page=10**400, of=10**400), NO_COMMAND),
    "a page beyond the last": (_page(page=9, of=3), NO_COMMAND),
    "a part beyond an integer": (_page(part=10**12), NO_COMMAND),
    "a page of an unknown dataset": (_page(dataset="no_such"), "no dataset 'no_such'"),
    "a page of a dataset that is a path": (_page(dataset="../silver"), "no dataset"),
    "a page without parameters": (_page(params=None), NO_COMMAND),
}


def _header(**fields: Any) -> SilverHeader:
    source = ObjectId(BUCKET, f"{UPLOADS}forged.json", version_id="forged")
    given = {"dataset": "usajobs_search", "transform_version": 1, "source": source, **fields}
    return SilverHeader.model_construct(
        observed_at=datetime(2026, 1, 1, tzinfo=UTC), counts=Counts(read=1, valid=1, quarantined=0), **given
    )


def _parquet(**fields: Any) -> bytes:
    return silver.write(pl.DataFrame({"control_number": [1]}), _header(**fields))


def _empty(**fields: Any) -> bytes:
    """With the right columns and no row."""
    frame = pl.DataFrame(schema=silver.schema(registry.dataset("usajobs_search").tables))
    return silver.write(frame, _header(**fields))


def _damaged() -> bytes:
    """One byte of the footer is another. With polars 1.x the reader panics, which is no Exception."""
    body = bytearray(
        silver.write(pl.DataFrame({"control_number": [1, 2]}), _header(source=ObjectId("b", f"{UPLOADS}x")))
    )
    footer = len(body) - 8 - int.from_bytes(body[-8:-4], "little")
    body[footer + 81] = 0x19
    return bytes(body)


def _plan(**fields: object) -> bytes:
    part = {"params": {}, "rows": 1, "pages": 1}
    plan = {
        "run_id": RUN,
        "dataset": "usajobs_search",
        "params": {},
        "trigger": "x",
        "expected_records": 1,
        "parts": [part],
    }
    return json.dumps({"version": 1, **plan, **fields}).encode()


NO_SILVER, NO_QUARANTINE, NO_PLAN = "^not a silver object", "^not a quarantine object", "^not a run plan"


def _rejected(**fields: object) -> bytes:
    entry = {
        "version": 1,
        "dataset": "usajobs_search",
        "source": {"bucket": BUCKET, "key": f"{UPLOADS}x", "version_id": "1"},
        "transform_version": 1,
        "run_id": None,
        "record_index": 0,
        "natural_key": "1",
        "observed_at": "2026-01-01T00:00:00Z",
        "problems": [{"rule": "x", "field": "x", "message": "x"}],
        "raw": "{}",
        **fields,
    }
    return gzip.compress(json.dumps(entry).encode(), mtime=0)


def _of_another_writer() -> bytes:
    buffer = BytesIO()
    pl.DataFrame({"a": [1]}).write_parquet(buffer)
    return buffer.getvalue()


# Objects under the prefixes that only we write: {key: (body, reason)}
FORGED: dict[str, tuple[Callable[[], bytes], str]] = {
    "silver/text.parquet": (lambda: b"not Parquet", NO_SILVER),
    "silver/empty.parquet": (lambda: b"", NO_SILVER),
    "silver/magic only.parquet": (lambda: b"PAR1PAR1", NO_SILVER),
    "silver/cut.parquet": (lambda: _parquet()[:-20], NO_SILVER),
    "silver/damaged footer.parquet": (_damaged, NO_SILVER),
    "silver/of another writer.parquet": (_of_another_writer, NO_SILVER),
    "silver/of other columns.parquet": (_parquet, "silver object|column"),
    "silver/of an unknown dataset.parquet": (lambda: _parquet(dataset="no_such"), "no dataset"),
    "silver/of a page beyond an integer.parquet": (lambda: _parquet(page=10**12), "silver object|out of range"),
    "silver/of batch zero.parquet": (lambda: _parquet(batch=0), NO_SILVER),
    "silver/of a shape with NUL.parquet": (lambda: _empty(field_profile={"a\0": {"string": 1}}), "^Postgres: .*22P05"),
    "silver/of a warning with NUL.parquet": (
        lambda: _parquet(warnings=(RuleWarning.model_construct(rule="a\0", field="", message="", records=1),)),
        NO_SILVER,
    ),
    "silver/of records from nowhere.parquet": (_empty, "^Postgres: .*conservation"),
    "silver/of a run with NUL.parquet": (lambda: _parquet(run_id="a\0b"), "not a run id"),
    "quarantine/text.jsonl.gz": (lambda: b"not gzip", NO_QUARANTINE),
    "quarantine/empty.jsonl.gz": (lambda: gzip.compress(b"", mtime=0), NO_QUARANTINE),
    "quarantine/cut.jsonl.gz": (lambda: _rejected()[:-9], NO_QUARANTINE),
    "quarantine/other JSON.jsonl.gz": (lambda: gzip.compress(b"{}\n[]\n", mtime=0), NO_QUARANTINE),
    "quarantine/without problems.jsonl.gz": (lambda: _rejected(problems=[]), NO_QUARANTINE),
    "quarantine/of an unknown dataset.jsonl.gz": (lambda: _rejected(dataset="no_such"), "no dataset 'no_such'"),
    "quarantine/of no time.jsonl.gz": (lambda: _rejected(observed_at="soon"), NO_QUARANTINE),
    "quarantine/with NUL in its key.jsonl.gz": (lambda: _rejected(natural_key="a\0"), NO_QUARANTINE),
    "quarantine/with a lone surrogate in its key.jsonl.gz": (lambda: _rejected(natural_key="\ud800"), NO_QUARANTINE),
    "quarantine/with NUL.jsonl.gz": (lambda: _rejected(raw="a\0b"), "quarantine object|NUL"),
    "quarantine/beyond an integer.jsonl.gz": (lambda: _rejected(record_index=10**12), "quarantine object|out of range"),
    "quarantine/bomb.jsonl.gz": (lambda: gzip.compress(bytes(64 << 20), mtime=0), NO_QUARANTINE),
    "quarantine/zstd.jsonl.gz": (lambda: zstd.compress(b"{}"), NO_QUARANTINE),
    "plans/text.json": (lambda: b"not JSON", NO_PLAN),
    "plans/empty.json": (lambda: b"", NO_PLAN),
    "plans/list.json": (lambda: b"[]", NO_PLAN),
    "plans/negative pages.json": (lambda: _plan(parts=[{"params": {}, "rows": 1, "pages": -1}]), NO_PLAN),
    "plans/pages beyond an integer.json": (lambda: _plan(parts=[{"params": {}, "rows": 1, "pages": 10**12}]), NO_PLAN),
    "plans/NUL in the trigger.json": (lambda: _plan(trigger="a\0b"), NO_PLAN),
    "plans/NUL in a parameter.json": (lambda: _plan(params={"Keyword": "a\0b"}), NO_PLAN),
    "plans/run id that is a path.json": (lambda: _plan(run_id="../../x"), "not a run id"),
    "plans/run id that no index takes.json": (
        lambda: _plan(run_id="".join(map(chr, range(0x4E00, 0x5E00)))),
        "not a run id",
    ),
}


def _forged(key: str, make: Callable[[], bytes], reason: str) -> Case:
    """Signed as ours, so that it is read."""
    metadata = {"Metadata": {"sha256": sha256(make()).hexdigest()}}
    return Case(f"a forged {key}", lambda _: make(), DeadLetter(reason, SILVER), key=key, extra=metadata)


CASES = (
    *_rubbish(),
    *_events(),
    *(_message(EXTRACT, what, body, DeadLetter(reason, EXTRACT)) for what, (body, reason) in COMMANDS.items()),
    *(_forged(key, make, reason) for key, (make, reason) in FORGED.items()),
    Case(
        "a silver object that is not signed",
        lambda _: _parquet(),
        DeadLetter("has no checksum", SILVER),
        key="silver/unsigned.parquet",
    ),
    Case(
        "an upload whose own sha256 is wrong",
        lambda _: b"{}",
        DeadLetter("a list of records at SearchResult"),
        extra={"Metadata": {"sha256": "0" * 64}},
    ),
)
