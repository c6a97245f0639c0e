"""What arrives on the queues: a golden corpus of S3's events in all their forms, and smelt's own commands.

The corpus follows the shapes in AWS's documentation ("Event message structure" of S3, of EventBridge, and SNS's
"message formats"); each file is named after what it is.
"""

import json
from pathlib import Path

import pytest

from shared.errors import NewerVersionError, PermanentError
from shared.formats.commands import Command, PageCommand, RunCommand, parse_command
from shared.formats.s3_events import created_objects, single_events
from shared.storage.object_id import ObjectId

CORPUS = Path(__file__).parent / "events"
BUCKET = "amzn-s3-demo-bucket"
UPLOADS = "uploads/things"
VERSION = "096fKKXTRTtl3on89fVO.nfljtsv6qko"
ETAG = "d41d8cd98f00b204e9800998ecf8427e"
SEQUENCER = "0055AED6DCD90281E5"
PAGE = ObjectId(BUCKET, f"{UPLOADS}/page.json", None, ETAG, SEQUENCER)
VERSIONED = ObjectId(BUCKET, f"{UPLOADS}/page.json", VERSION, ETAG, SEQUENCER)
BY_TOPIC = ObjectId(BUCKET, f"{UPLOADS}/by topic.json", VERSION, ETAG, SEQUENCER)
EVENTBRIDGE = "b1946ac92492d2347c6235b4d2611184", "617f08299329d189"

EXPECTED = {
    "put-2.1": [PAGE],
    "put-2.2-with-replication-data": [VERSIONED],
    "put-2.3-versioned-bucket": [VERSIONED],
    "put-key-with-spaces-plus-percent-and-unicode": [
        ObjectId(BUCKET, f"{UPLOADS}/a b+c%2Bd é日😀=.json", None, ETAG, SEQUENCER)
    ],
    "post-2.1": [PAGE],
    "multipart-complete": [ObjectId(BUCKET, PAGE.key, None, "9b2cf535f27731c974343645a3985328-2", SEQUENCER)],
    "copy": [VERSIONED],
    "two-records": [PAGE, ObjectId(BUCKET, f"{UPLOADS}/second.json", None, ETAG, "0055AED6DCD90281E6")],
    "created-and-removed-together": [PAGE],
    "put-without-etag-and-sequencer": [ObjectId(BUCKET, PAGE.key)],
    "put-with-unknown-fields": [PAGE],
    "test-event": [],
    "delete": [],
    "delete-marker-created": [],
    "lifecycle-expiration": [],
    "lifecycle-transition": [],
    "restore-completed": [],
    "tagging-put": [],
    "sns-wrapped-put": [BY_TOPIC],
    "sns-wrapped-test-event": [],
    "sns-raw-delivery": [BY_TOPIC],
    "eventbridge-object-created": [
        ObjectId(BUCKET, f"{UPLOADS}/a b+c%2Bé.json", "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e", *EVENTBRIDGE)
    ],
    "eventbridge-object-created-unversioned": [ObjectId(BUCKET, PAGE.key, None, *EVENTBRIDGE)],
    "eventbridge-object-deleted": [],
    "eventbridge-tags-added": [],
    "put-by-minio": [PAGE],
    "accessed-by-minio": [],
    "acl-put": [],
    "intelligent-tiering": [],
    "replication-failed": [],
    "reduced-redundancy-lost": [],
    "eventbridge-object-expired": [],
}

# Events of which nobody decided what they mean for us: each is a dead letter that says what it is.
UNKNOWN = {
    "unknown-event-name": "eventName 'ObjectReimagined:Put'",
    "empty-records": "no Records",
    "eventbridge-cloudtrail": "detail-type 'AWS API Call via CloudTrail'",
}

RECORD = json.loads((CORPUS / "put-2.1.json").read_text())["Records"][0]
CELERY_ENVELOPE = {
    "body": "W1tdLCB7fSwge31d",
    "content-type": "application/json",
    "headers": {"task": "os.system", "id": "1"},
    "properties": {"delivery_tag": "1", "delivery_info": {"exchange": "", "routing_key": "smelt-bronze"}},
}
BAD_BODIES = {
    "empty": "",
    "not JSON": "hello",
    "cut short": '{"Records": [',
    "an empty object": "{}",
    "a list": "[]",
    "a number": "5",
    "a string": '"Records"',
    "null": "null",
    "without Records": '{"records": []}',
    "Records that are null": '{"Records": null}',
    "Records that are text": '{"Records": "abc"}',
    "a record that is null": '{"Records": [null]}',
    "a record without a name": '{"Records": [{}]}',
    "a record without an object": '{"Records": [{"eventName": "ObjectCreated:Put", "s3": {}}]}',
    "a key that is a number": json.dumps({"Records": [RECORD]}).replace('"uploads/things/page.json"', "7"),
    "a key that is not UTF-8": json.dumps({"Records": [RECORD]}).replace("page.json", "%FF.json"),
    "SNS round something else": '{"Type": "Notification", "Message": "hello"}',
    "SNS without a message": '{"Type": "Notification"}',
    "SNS asking to confirm": '{"Type": "SubscriptionConfirmation", "SubscribeURL": "https://example.com/"}',
    "EventBridge without detail": '{"source": "aws.s3", "detail-type": "Object Created"}',
    "EventBridge of another service": '{"source": "aws.ec2", "detail-type": "Object Created", "detail": {}}',
    "a forged Celery envelope": json.dumps(CELERY_ENVELOPE),
    "a forged Celery body": '[[{"body": "x"}], {}, {"callbacks": null}]',
    "lists nested deeply": "[" * 100_000 + "]" * 100_000,
    "objects nested deeply": '{"Records":' * 100_000 + "1" + "}" * 100_000,
    "a smelt command": '{"type": "run", "dataset": "things"}',
}


def test_every_file_of_the_corpus_is_expected_and_every_expected_file_is_there() -> None:
    assert {path.stem for path in CORPUS.iterdir()} == {*EXPECTED, *UNKNOWN}


@pytest.mark.parametrize("name", EXPECTED)
def test_an_event_names_the_objects_that_were_created(name: str) -> None:
    assert created_objects((CORPUS / f"{name}.json").read_text(encoding="utf-8")) == EXPECTED[name]


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_event_of_an_unknown_kind_is_refused_and_named(name: str) -> None:
    with pytest.raises(PermanentError, match=f"^not an S3 event that smelt knows: {UNKNOWN[name]}$"):
        created_objects((CORPUS / f"{name}.json").read_text(encoding="utf-8"))


def test_an_event_of_several_records_is_one_for_each_with_everything_else_as_it_was() -> None:
    body = json.loads((CORPUS / "two-records.json").read_text())
    singles = [json.loads(single) for single in single_events(json.dumps({**body, "more": "kept"}))]
    assert singles == [{**body, "more": "kept", "Records": [record]} for record in body["Records"]]
    wrapped = json.dumps({"Type": "Notification", "Message": json.dumps(body)})
    assert [json.loads(single)["Records"] for single in single_events(wrapped)] == [[one] for one in body["Records"]]


@pytest.mark.parametrize("name", sorted({*EXPECTED, *UNKNOWN} - {"two-records", "created-and-removed-together"}))
def test_an_event_of_one_record_is_left_as_it_is(name: str) -> None:
    body = (CORPUS / f"{name}.json").read_text(encoding="utf-8")
    assert single_events(body) == [body]


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_what_is_no_event_is_left_as_it_is(body: str) -> None:
    assert single_events(body) == [body]


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_what_is_no_event_is_refused_with_a_reason(body: str) -> None:
    with pytest.raises(PermanentError, match=r"^not an S3 event: \w+: .+"):
        created_objects(body)


RUN_FIELDS = {"version": 1, "type": "run", "dataset": "things"}
PAGE_FIELDS = {
    "version": 1, "type": "page", "dataset": "things", "run_id": "20250903T120000Z-0badcafe",
    "params": {"a": "1"}, "part": 1, "page": 2, "of": 3,
}  # fmt: skip
PAGE_COMMAND = PageCommand(
    dataset="things", run_id="20250903T120000Z-0badcafe", params={"a": "1"}, part=1, page=2, of=3
)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"type": "run", "dataset": "things"}, RunCommand(dataset="things"), id="run, as short as can be"),
        pytest.param(
            {
                **RUN_FIELDS,
                "run_id": "20250903T120000Z-0badcafe",
                "params": {"a": "1"},
                "trigger": "schedule",
                "scheduled_for": "2025-09-03T12:00:00Z",
            },
            RunCommand(
                dataset="things",
                run_id="20250903T120000Z-0badcafe",
                params={"a": "1"},
                trigger="schedule",
                scheduled_for="2025-09-03T12:00:00Z",
            ),
            id="run, with everything",
        ),
        pytest.param(PAGE_FIELDS, PAGE_COMMAND, id="page"),
    ],
)
def test_a_command_is_read(fields: dict[str, object], expected: Command) -> None:
    assert parse_command(json.dumps(fields)) == expected


@pytest.mark.parametrize("fields", [RUN_FIELDS, PAGE_FIELDS], ids=["run", "page"])
def test_a_command_with_an_unknown_field_is_refused_unless_its_form_is_newer(fields: dict[str, object]) -> None:
    with pytest.raises(PermanentError, match=r"not a smelt command: (run|page)\.parms: Extra inputs"):
        parse_command(json.dumps({**fields, "parms": {"keyword": "a"}}))
    with pytest.raises(NewerVersionError):
        parse_command(json.dumps({**fields, "version": 2, "colour": "red"}))


@pytest.mark.parametrize("text", ["a\nb", "a\r", "\r\nX-Header: 1"])
def test_a_parameter_with_a_line_end_is_refused(text: str) -> None:
    for params in ({text: "a"}, {"keyword": text}):
        with pytest.raises(PermanentError, match="a parameter with a line end"):
            parse_command(json.dumps({**RUN_FIELDS, "params": params}))
        with pytest.raises(PermanentError, match="a parameter with a line end"):
            RunCommand(dataset="things", params=params)


@pytest.mark.parametrize("sent", [RunCommand(dataset="things", scheduled_for="2025-09-03T12:00:00Z"), PAGE_COMMAND])
def test_a_command_reads_back_as_it_was_sent(sent: Command) -> None:
    assert parse_command(sent.model_dump_json()) == sent


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        pytest.param({**RUN_FIELDS, "type": "walk"}, "walk", id="unknown type"),
        pytest.param({"dataset": "things"}, "type", id="no type"),
        pytest.param({**RUN_FIELDS, "version": 0}, "run.version", id="version before the first"),
        pytest.param({**PAGE_FIELDS, "version": "1.0"}, "page.version", id="version of another form"),
        pytest.param({"type": "run"}, "run.dataset: Field required", id="run without a dataset"),
        pytest.param({**PAGE_FIELDS, "page": 0}, "page.page", id="page before the first"),
        pytest.param({**RUN_FIELDS, "params": {"a": None}}, "run.params.a", id="param that is not text"),
        pytest.param(
            {k: v for k, v in PAGE_FIELDS.items() if k != "of"}, "page.of: Field required", id="page without of"
        ),
    ],
)
def test_a_wrong_command_is_refused_by_the_field_that_is_wrong(fields: dict[str, object], named: str) -> None:
    with pytest.raises(PermanentError, match=f"^not a smelt command: .*{named}"):
        parse_command(json.dumps(fields))


@pytest.mark.parametrize(
    "body",
    [*[*BAD_BODIES.values()][:8], json.dumps(CELERY_ENVELOPE), "[" * 100_000, json.dumps({"Records": [RECORD]})],
)
def test_what_is_no_command_is_refused_in_one_line(body: str) -> None:
    with pytest.raises(PermanentError, match=r"^not a smelt command: ") as refused:
        parse_command(body)
    assert "\n" not in str(refused.value)
