"""Sources described in contracts, against a REST API over HTTP: each pagination, each authentication."""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import orjson
import pytest
from moto import mock_aws

from services.extractor import pagination
from services.extractor.cache import ResponseCache
from services.extractor.fetch import client
from services.extractor.rate_limit import RateLimit, connection_pool
from services.extractor.run_guard import RunGuard
from services.extractor.worker import Extractor
from shared.engine.backpressure import Backpressure
from shared.engine.message import Message
from shared.errors import PermanentError, TransientError
from tests.support.own_dataset import contract, own_dataset, smelt
from tests.support.rest_server import PAGE, RECORDS, SECRET, RestServer, basic, rest_server

BUCKET = "lake"
RUN_ID = "20260104T000000Z-00000000"


@pytest.fixture
def server() -> Iterator[RestServer]:
    with rest_server() as served:
        yield served


@pytest.fixture
def extractor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Extractor]:
    """The extractor with a bucket and a queue in this process, and without Redis."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)  # of a stack that other tests of this process use
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    pool = connection_pool("redis://127.0.0.1:1")
    with mock_aws(), client() as http:
        s3, sqs = boto3.client("s3"), boto3.client("sqs")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield Extractor(
            s3=s3,
            sqs=sqs,
            http=http,
            limit=RateLimit(pool),
            cache=ResponseCache(pool),
            slots=RunGuard(pool),
            pressure=Backpressure(sqs, {}),
            bucket=BUCKET,
            queue_url=sqs.create_queue(QueueName="extract")["QueueUrl"],
            max_bytes=100_000,
        )


@dataclass
class Run:
    """What a run has put into the bucket."""

    plan: dict[str, Any]
    pages: list[bytes]

    def parts(self) -> list[dict[str, str]]:
        return [part["params"] for part in self.plan["parts"]]

    def records(self, *path: str) -> list[Any]:
        """Of all pages, in their order."""
        records = []
        for page in self.pages:
            content = orjson.loads(page)["response"]["payload"]
            for name in path:
                content = content[name]
            records += content
        return records

    def requests(self) -> list[Any]:
        return [orjson.loads(page)["request"] for page in self.pages]


Extract = Callable[..., Run]


@pytest.fixture
def extract(tmp_path: Path, server: RestServer, extractor: Extractor) -> Extract:
    """Runs a source with these options: one message after another, until there is none."""

    def run(
        options: dict[str, Any], records: str = "items", params: dict[str, str] | None = None, **others: Any
    ) -> Run:
        source = {"baseUrl": server.url, "requestsPerSecond": 1000, **options}
        content = contract("mine", **smelt(source=source, **({"records": records} if records else {}), **others))
        command = {"version": 1, "type": "run", "dataset": "mine", "run_id": RUN_ID, "params": params or {}}
        _empty(extractor)
        with own_dataset(tmp_path, content):
            extractor.handle(_message(json.dumps(command)))
            while messages := _received(extractor):
                for body in messages:
                    extractor.handle(_message(body))
        keys = [item["Key"] for item in extractor.s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
        (plan,) = [_stored(extractor, key) for key in keys if "plan" in key]
        return Run(orjson.loads(plan), [gzip.decompress(_stored(extractor, key)) for key in keys if "plan" not in key])

    return run


def _message(body: str) -> Message:
    return Message(body, "id", "receipt", "url", 1, 1_767_225_600_000, 0, {})


def _empty(extractor: Extractor) -> None:
    for item in extractor.s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        extractor.s3.delete_object(Bucket=BUCKET, Key=item["Key"])


def _stored(extractor: Extractor, key: str) -> bytes:
    return extractor.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()


def _received(extractor: Extractor) -> list[str]:
    sqs, url = extractor.sqs, extractor.queue_url
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [message["Body"] for message in messages]


PAGES = {"type": "page", "param": "page"}
OFFSETS = {"type": "offset", "param": "offset"}
CURSORS = {"type": "cursor", "param": "cursor", "cursor": "meta.next"}
LINKS = {"type": "nextLink", "link": "links.next"}
GRAPHQL = {"query": "{ items { id } }", "variables": {}}
TOTAL = {"total": "total"}


@pytest.mark.parametrize(
    ("options", "contract_options", "requests"),
    [
        pytest.param({"path": "/page", "pagination": PAGES}, {}, 4, id="numbers, until a page is empty"),
        pytest.param({"path": "/page", "pagination": PAGES | {"size": 10}}, TOTAL, 3, id="numbers, by the total"),
        pytest.param({"path": "/page", "pagination": PAGES | {"pages": "pages"}}, {}, 3, id="numbers, by their count"),
        pytest.param(
            {"path": "/number", "body": {}, "pagination": PAGES | {"in": "body", "pages": "pages"}},
            {},
            3,
            id="numbers in the body",
        ),
        pytest.param(
            {"path": "/offset", "pagination": OFFSETS | {"size": 10, "sizeParam": "limit"}},
            {},
            5,
            id="offsets, of fewer than requested",
        ),
        pytest.param({"path": "/offset", "pagination": OFFSETS}, TOTAL, 4, id="offsets, by the total"),
        pytest.param({"path": "/cursor", "pagination": CURSORS}, {}, 3, id="cursors"),
        pytest.param(
            {"path": "/body", "body": GRAPHQL, "pagination": CURSORS | {"in": "body", "param": "variables.after"}},
            {},
            3,
            id="cursors in the body",
        ),
        pytest.param({"path": "/link", "pagination": LINKS}, {}, 3, id="next links"),
    ],
)
def test_each_pagination_brings_every_record_once(
    extract: Extract, server: RestServer, options: dict[str, Any], contract_options: dict[str, Any], requests: int
) -> None:
    run = extract(options, **contract_options)
    assert run.records("items") == RECORDS
    assert len(server.calls) == requests


@pytest.mark.parametrize(
    "paged", [{"type": "linkHeader"}, {"type": "headerToken", "header": "X-Next", "param": "start"}]
)
def test_a_header_leads_to_the_next_page_and_is_stored_with_it(extract: Extract, paged: dict[str, Any]) -> None:
    run = extract({"path": "/header", "pagination": paged}, records="")
    assert run.records() == RECORDS
    kept = orjson.loads(run.pages[0])["response"]["headers"]
    assert set(kept) - {"date"} == {"link" if paged["type"] == "linkHeader" else "x-next"}


def test_one_page_is_the_default(extract: Extract, server: RestServer) -> None:
    assert extract({"path": "/same"}).records("items") == RECORDS[:PAGE]
    assert len(server.calls) == 1


def test_a_page_of_a_link_is_requested_with_all_values_of_its_query(extract: Extract, server: RestServer) -> None:
    run = extract({"path": "/link", "pagination": LINKS})
    assert "tag=a&tag=b" in run.requests()[1]["url"]
    assert server.calls[1].query["start"] == "10"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"path": "/same", "pagination": PAGES}, "page 2 is the same as page 1"),
        (
            {"path": "/circle", "pagination": CURSORS},
            "page 4 leads back to the request of page 2",
        ),
        ({"path": "/elsewhere", "pagination": LINKS}, r"evil\.test, another host"),
    ],
)
def test_pagination_that_leads_nowhere_is_stopped(extract: Extract, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(PermanentError, match=reason):
        extract(options)


def test_endless_pagination_is_stopped(extract: Extract, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pagination, "MAX_UNANNOUNCED_PAGES", 2)
    with pytest.raises(PermanentError, match="page 2 says that more pages follow; a part may have 2"):
        extract({"path": "/cursor", "pagination": CURSORS})


AUTHS: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({"type": "apiKey", "key": "MY_KEY", "header": "X-Key"}, {"x-key": "plain"}),
    ({"type": "apiKey", "key": "MY_SECRET", "queryParam": "api_key"}, {}),
    ({"type": "basic", "username": "MY_ID", "password": "MY_SECRET"}, {"authorization": basic("id", SECRET)}),
    ({"type": "oauth2", "clientId": "MY_ID", "clientSecret": "MY_SECRET", "scope": "read"}, {}),
    ({"type": "oauth2", "clientId": "MY_ID", "clientSecret": "MY_SECRET", "in": "body"}, {}),
]


@pytest.fixture
def _secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two variables, and a file."""
    monkeypatch.setenv("MY_KEY", "plain")
    monkeypatch.setenv("MY_ID", "id")
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "MY_SECRET").write_text(f"{SECRET}\n")
    monkeypatch.setenv("SMELT_SECRETS_FOLDER", str(folder))
    monkeypatch.setenv("MY_SECRET", "")  # so that it is reset afterwards
    monkeypatch.delenv("MY_SECRET")


def authenticated(server: RestServer, auth: dict[str, Any]) -> dict[str, Any]:
    """Options of a source that needs authentication."""
    token = {"tokenUrl": f"{server.url}/token"} if auth["type"] == "oauth2" else {}
    return {"path": "/private", "params": {"a": "1"}, "auth": auth | token}


@pytest.mark.usefixtures("_secrets")
@pytest.mark.parametrize(("auth", "headers"), AUTHS)
def test_each_authentication_is_accepted_and_never_stored(
    extract: Extract, server: RestServer, auth: dict[str, Any], headers: dict[str, str]
) -> None:
    run = extract(authenticated(server, auth))
    assert run.records("items") == RECORDS
    assert headers.items() <= server.calls[-1].headers.items()
    assert server.calls[-1].query["a"] == "1"
    assert not any(value.encode() in page for page in run.pages for value in (SECRET, "plain", "token0", "s3cret"))


def test_a_bearer_token_is_sent(extract: Extract, server: RestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "token0")
    server.tokens.append("token0")
    assert extract(authenticated(server, {"type": "bearer", "token": "MY_TOKEN"})).records("items") == RECORDS


@pytest.mark.usefixtures("_secrets")
def test_a_token_is_requested_once_for_all_pages_and_again_when_the_source_rejects_it(
    extract: Extract, server: RestServer
) -> None:
    options = {"path": "/cursor", "pagination": CURSORS}
    auth = AUTHS[3][0] | {"tokenUrl": f"{server.url}/token"}
    extract({**options, "auth": auth})
    assert server.paths() == ["/token", "/cursor", "/cursor", "/cursor"]
    server.tokens.append("an old one is not valid any more")
    extract(authenticated(server, AUTHS[3][0]))
    assert server.paths()[4:] == ["/token", "/private"]


@pytest.mark.usefixtures("_secrets")
def test_a_rejected_token_is_replaced_once(extract: Extract, server: RestServer) -> None:
    server.statuses = []
    served = server.answer
    rejected: list[str] = []

    def answer(call: Any) -> tuple[int, dict[str, str], Any]:
        if call.path == "/private" and not rejected:
            server.calls.append(call)
            rejected.append(call.path)
            return 401, {}, {}
        return served(call)

    server.answer = answer  # type: ignore[method-assign]
    assert extract(authenticated(server, AUTHS[3][0])).records("items") == RECORDS
    assert server.paths() == ["/token", "/private", "/token", "/private"]


@pytest.mark.usefixtures("_secrets")
@pytest.mark.parametrize(("status", "error"), [(503, TransientError), (429, TransientError), (400, PermanentError)])
def test_a_token_request_that_fails_is_retried_where_that_may_help(
    extract: Extract, server: RestServer, status: int, error: type[Exception]
) -> None:
    server.statuses = [status]
    with pytest.raises(error, match=f"/token: the token request got {status}") as raised:
        extract(authenticated(server, AUTHS[3][0]))
    assert SECRET not in str(raised.value)


def test_a_missing_secret_is_named(extract: Extract, server: RestServer) -> None:
    with pytest.raises(
        PermanentError, match="the source needs the setting NOT_SET: an environment variable, or a file"
    ):
        extract(authenticated(server, {"type": "bearer", "token": "NOT_SET"}))
    assert server.calls == []


@pytest.mark.usefixtures("_secrets")
def test_a_key_that_a_link_repeats_is_not_stored_in_the_request(extract: Extract) -> None:
    key = {"type": "apiKey", "key": "MY_SECRET", "queryParam": "api_key"}
    run = extract({"path": "/link", "pagination": LINKS, "auth": key})
    assert run.records("items") == RECORDS
    assert all("api_key" not in str(request) for request in run.requests())


@pytest.mark.parametrize("value", ["two\nlines", "end\r"])
def test_a_secret_that_no_header_can_have_is_an_error_that_does_not_repeat_it(
    extract: Extract, server: RestServer, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("MY_TOKEN", value)
    with pytest.raises(PermanentError, match="MY_TOKEN has characters that a header cannot have") as raised:
        extract(authenticated(server, {"type": "bearer", "token": "MY_TOKEN"}))
    assert value not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "method", "body"), [(303, "GET", None), (302, "GET", None), (307, "POST", {"a": 1})]
)
def test_a_redirect_keeps_the_body_where_http_says_so(
    extract: Extract, server: RestServer, status: int, method: str, body: Any
) -> None:
    assert extract({"path": f"/moved/{status}", "body": {"a": 1}}).records("items") == RECORDS[:PAGE]
    assert (server.calls[-1].method, server.calls[-1].path, server.calls[-1].body) == (method, "/same", body)


@pytest.mark.parametrize(
    ("rule", "status", "error"),
    [("retry", 404, TransientError), ("fail", 503, PermanentError), ("empty", 404, None)],
)
def test_a_contract_says_what_a_status_means(
    extract: Extract, server: RestServer, rule: str, status: int, error: type[Exception] | None
) -> None:
    server.statuses = [status]
    options = {"path": "/same", "statuses": {status: rule}}
    if error is None:
        (page,) = extract(options).pages
        assert orjson.loads(page)["response"]["payload"] is None
    else:
        with pytest.raises(error, match=f"/same: {status}"):
            extract(options)


def test_a_run_fetches_each_value_of_a_param_or_the_one_that_it_is_given(extract: Extract, server: RestServer) -> None:
    options = {"path": "/city/{city}", "runParams": {"city": ["Chicago", "Boston"]}}
    assert len(extract(options).records("items")) == len(RECORDS)
    assert server.paths() == ["/city/Chicago", "/city/Boston"]
    assert extract(options, params={"city": "Boston"}).parts() == [{"city": "Boston"}]
    with pytest.raises(PermanentError, match="city is one of Chicago, Boston, not 'Paris'"):
        extract(options, params={"city": "Paris"})


def test_values_of_params_are_quoted_in_the_path_and_sent_in_query_headers_and_body(
    extract: Extract, server: RestServer
) -> None:
    options = {
        "path": "/city/{city}",
        "params": {"q": "{city}", "none": "{other}", "n": 5, "flag": True},
        "headers": {"X-City": "{city}"},
        "body": {"query": "{ items { id } }", "in": ["{city}"], "n": 5},
        "runParams": {"city": None, "other": ""},
    }
    extract(options, params={"city": "../a?b"})
    (call,) = server.calls
    assert (call.method, call.path) == ("POST", "/city/..%2Fa%3Fb")
    assert call.query == {"q": "../a?b", "n": "5", "flag": "true"}
    assert call.headers["x-city"] == "../a?b"
    assert call.body == {"query": "{ items { id } }", "in": ["../a?b"], "n": 5}


def test_a_param_that_a_run_needs_is_asked_for(extract: Extract) -> None:
    options = {"path": "/city/{city}", "runParams": {"city": None, "other": "", "kind": ["a", "b"]}}
    message = r"runs take city \(required\), other, kind=a\|b"
    for params in ({}, {"city": "x", "wrong": "1"}):
        with pytest.raises(PermanentError, match=message):
            extract(options, params=params)


def test_dates_are_those_of_the_plan(extract: Extract) -> None:
    options = {"path": "/same", "params": {"since": "{since}"}, "runParams": {"since": "{today-7d}", "at": "{now}"}}
    (part,) = extract(options).parts()
    days = datetime.now(UTC).date() - datetime.fromisoformat(part["since"]).date()
    assert days.days in {7, 8}  # 8 where midnight has passed since
    assert (datetime.now(UTC) - datetime.fromisoformat(part["at"])).total_seconds() < 3600


def test_what_a_page_announces_is_in_its_envelope(extract: Extract) -> None:
    run = extract({"path": "/offset", "pagination": OFFSETS}, **TOTAL)
    assert {orjson.loads(page)["ingest"]["part_rows"] for page in run.pages} == {25}
