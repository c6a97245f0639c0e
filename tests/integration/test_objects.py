"""Objects in a real bucket: which bytes a GET brings, and what it says when they are gone, newer or damaged."""

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from shared.errors import PermanentError, TransientError, UnavailableError
from shared.storage import objects
from shared.storage.object_id import ObjectId
from shared.storage.objects import SupersededError
from tests.integration.aws_server import serving

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.integration

LIMIT = 1_000


@pytest.fixture
def s3(backends: Mapping[str, str]) -> "S3Client":
    assert backends
    return boto3.client("s3")


@pytest.fixture(params=[True, False], ids=["versioned", "unversioned"])
def bucket(s3: "S3Client", request: pytest.FixtureRequest) -> str:
    name = f"test-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=name)
    if request.param:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def put(s3: "S3Client", bucket: str, body: bytes, **metadata: str) -> ObjectId:
    answer = s3.put_object(Bucket=bucket, Key="a key", Body=body, Metadata=metadata)
    return ObjectId(bucket, "a key", answer.get("VersionId"), answer["ETag"].strip('"'))


def test_what_was_stored_comes_back(s3: "S3Client", bucket: str) -> None:
    content = objects.get(s3, put(s3, bucket, b"content", own="kept"), LIMIT)
    assert (content.body, content.metadata) == (b"content", {"own": "kept"})


def test_an_overwritten_object_is_read_as_it_was_or_said_to_be_superseded(s3: "S3Client", bucket: str) -> None:
    first = put(s3, bucket, b"first")
    second = put(s3, bucket, b"second")
    if first.version_id:
        assert objects.get(s3, first, LIMIT).body == b"first"
    else:
        with pytest.raises(SupersededError):
            objects.get(s3, first, LIMIT)
    assert objects.get(s3, second, LIMIT).body == b"second"


def test_an_object_whose_event_names_neither_version_nor_etag_is_identified_by_its_get(
    s3: "S3Client", bucket: str
) -> None:
    stored = put(s3, bucket, b"content")
    for named in (ObjectId(bucket, "a key"), ObjectId(bucket, "a key", etag=stored.etag), stored):
        assert objects.identified(named, objects.get(s3, named, LIMIT)) == stored


def test_a_missing_object_is_a_permanent_error(s3: "S3Client", bucket: str) -> None:
    with pytest.raises(PermanentError, match="no such object"):
        objects.get(s3, ObjectId(bucket, "never was"), LIMIT)


def test_a_deleted_version_is_a_permanent_error(s3: "S3Client", bucket: str) -> None:
    stored = put(s3, bucket, b"content")
    version: dict[str, Any] = {"VersionId": stored.version_id} if stored.version_id else {}
    s3.delete_object(Bucket=bucket, Key=stored.key, **version)
    with pytest.raises(PermanentError, match="no such object"):
        objects.get(s3, stored, LIMIT)


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (400, "ExpiredToken", "The provided token has expired.", UnavailableError),
        (400, "RequestTimeout", "Your socket connection to the server was not read from.", UnavailableError),
        (400, "ThrottlingException", "Rate exceeded", UnavailableError),
        (400, "KMS.ThrottlingException", "You have exceeded the rate at which you may call KMS.", UnavailableError),
        (503, "SlowDown", "Please reduce your request rate.", UnavailableError),
        (403, "AccessDenied", "Access Denied", TransientError),
        (400, "InvalidRequest", "The object was stored using a form of Server Side Encryption.", PermanentError),
        (403, "InvalidObjectState", "The operation is not valid for the object's storage class", PermanentError),
        (405, "MethodNotAllowed", "The specified method is not allowed against this resource.", PermanentError),
        (400, "InvalidArgument", "Invalid version id specified", PermanentError),
        (404, "NoSuchVersion", "The specified version does not exist.", PermanentError),
    ],
)
def test_s3_s_code_and_not_its_status_says_whether_to_try_again(
    status: int, code: str, message: str, kind: type[Exception]
) -> None:
    with serving() as server:
        server.error = (status, code, message)
        config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
        s3 = boto3.client("s3", endpoint_url=server.url, config=config, region_name="us-east-1",
                          aws_access_key_id="a", aws_secret_access_key="s")  # noqa: S106  # fmt: skip
        with pytest.raises(kind) as raised:
            objects.get(s3, ObjectId("lake", "bronze/things/a.json", "v1"), LIMIT)
        assert type(raised.value) is kind
        assert f"{code}: {message}" in str(raised.value)


@pytest.mark.usefixtures("newcomer")
def test_role_credentials_are_fetched_anew_before_they_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as server:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.url}/credentials")
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3 = boto3.Session().client("s3", config=Config(s3={"addressing_style": "path"}))
        for expected in (1, 2, 3):
            assert objects.get(s3, ObjectId("lake", "k"), LIMIT).body == b"content"
            assert server.issued >= expected


def test_an_object_over_the_limit_is_not_read(s3: "S3Client", bucket: str) -> None:
    with pytest.raises(PermanentError, match="1001 bytes, more than the limit of 1000"):
        objects.get(s3, put(s3, bucket, b"x" * 1_001), LIMIT)


def test_bytes_that_do_not_match_their_checksum_are_tried_again(s3: "S3Client", bucket: str) -> None:
    with pytest.raises(TransientError, match="not those that were stored"):
        objects.get(s3, put(s3, bucket, b"damaged", sha256="0" * 64), LIMIT)


def test_bytes_that_are_streamed_come_as_they_are(s3: "S3Client", bucket: str) -> None:
    stored = put(s3, bucket, b"content", sha256="0" * 64)
    with objects.opened(s3, stored, LIMIT) as stream:
        assert (stream.size, stream.metadata["sha256"]) == (7, "0" * 64)
        assert stream.body.peek(3)[:3] == b"con"
        assert stream.body.read() == b"content"


def test_a_stream_over_the_limit_is_not_opened(s3: "S3Client", bucket: str) -> None:
    stored = put(s3, bucket, b"x" * 1_001)
    with pytest.raises(PermanentError, match="more than the limit"), objects.opened(s3, stored, LIMIT):
        pytest.fail("it was opened")


def test_a_stream_that_is_not_read_to_its_end_leaves_the_connection_usable(s3: "S3Client", bucket: str) -> None:
    stored = put(s3, bucket, b"x" * 1_000)
    for _ in range(20):  # more than a client has connections
        with objects.opened(s3, stored, LIMIT) as stream:
            assert stream.body.read(10) == b"x" * 10
    assert objects.get(s3, stored, LIMIT).body == b"x" * 1_000


def test_keys_are_all_those_that_begin_so(s3: "S3Client", bucket: str) -> None:
    for name in ("a/1", "a/2", "a2", "b/1"):
        s3.put_object(Bucket=bucket, Key=name, Body=b"")
    assert objects.list_keys(s3, bucket, "a/") == {"a/1", "a/2"}
    assert objects.list_keys(s3, bucket, "c") == frozenset()


def test_put_stores_a_checksum_that_get_accepts(s3: "S3Client", bucket: str) -> None:
    objects.put(s3, bucket, "k", b"content", "text/plain")
    content = objects.get(s3, ObjectId(bucket, "k"), LIMIT)
    assert content.body == b"content"
    assert len(content.metadata["sha256"]) == 64


def test_exists_tells_what_is_there(s3: "S3Client", bucket: str) -> None:
    put(s3, bucket, b"content")
    assert objects.exists(s3, bucket, "a key")
    assert not objects.exists(s3, bucket, "another")
