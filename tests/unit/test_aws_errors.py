"""What an error of AWS means, by its code."""

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
    UnknownServiceError,
)

from shared.aws_errors import classified, classifying
from shared.errors import PermanentError, TransientError, UnavailableError

URL = "https://s3.test"
ERRORS: dict[str, tuple[str, int, str, type[Exception], str]] = {
    # {case: (code, status, AWS's message, what it is, what its message says)}
    "missing": ("NoSuchKey", 404, "The specified key does not exist.", PermanentError, "no such object"),
    "missing version": ("NoSuchVersion", 404, "The version does not exist.", PermanentError, "no such object"),
    "delete marker": (
        "MethodNotAllowed", 405, "The specified method is not allowed against this resource.", PermanentError,
        "delete marker",
    ),
    "malformed version": ("InvalidArgument", 400, "Invalid version id specified", PermanentError, "malformed"),
    "another argument": ("InvalidArgument", 400, "Invalid range", TransientError, "Invalid range"),
    "archived": (
        "InvalidObjectState", 403, "The operation is not valid for the object's storage class", PermanentError,
        "archived",
    ),
    "SSE-C": (
        "InvalidRequest", 400, "The object was stored using a form of Server Side Encryption.", PermanentError, "SSE-C",
    ),
    "another invalid request": ("InvalidRequest", 400, "Please use AWS4-HMAC-SHA256.", TransientError, "AWS4"),
    "key too long": ("KeyTooLongError", 400, "Your key is too long", PermanentError, "too long"),
    "denied": ("AccessDenied", 403, "Access Denied", TransientError, "Access Denied"),
    "credentials expired": ("ExpiredToken", 400, "The provided token has expired.", UnavailableError, "expired"),
    "credentials invalid": ("InvalidToken", 400, "The provided token is malformed", UnavailableError, "malformed"),
    "clock": ("RequestTimeTooSkewed", 403, "The difference is too large", UnavailableError, "too large"),
    "request too slow": ("RequestTimeout", 400, "Your socket connection was idle", UnavailableError, "idle"),
    "throttled by S3": ("SlowDown", 503, "Please reduce your request rate.", UnavailableError, "request rate"),
    "throttled": ("ThrottlingException", 400, "Rate exceeded", UnavailableError, "Rate exceeded"),
    "throttled by KMS": ("KMS.ThrottlingException", 400, "You have exceeded the rate", UnavailableError, "exceeded"),
    "key disabled": ("KMS.DisabledException", 400, "The key is disabled", UnavailableError, "disabled"),
    "bucket away": ("NoSuchBucket", 404, "The specified bucket does not exist", UnavailableError, "bucket"),
    "queue away": ("QueueDoesNotExist", 400, "The specified queue does not exist.", UnavailableError, "queue"),
    "too many in flight": ("OverLimit", 403, "Too many messages in flight", UnavailableError, "in flight"),
    "internal": ("InternalError", 500, "We encountered an internal error.", UnavailableError, "internal"),
    "HEAD, away": ("503", 503, "Service Unavailable", UnavailableError, "503"),
    "HEAD, bad request": ("400", 400, "Bad Request", TransientError, "400"),
    "invented later": ("SomethingNew", 400, "Who knows", TransientError, "SomethingNew: Who knows"),
    "without words": ("SomethingNew", 400, "", TransientError, "k: SomethingNew"),
}  # fmt: skip


def client_error(code: str, status: int, message: str) -> ClientError:
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "GetObject")  # type: ignore[arg-type]


@pytest.mark.parametrize("case", ERRORS)
def test_the_code_decides_and_the_reason_has_aws_s_own_words(case: str) -> None:
    code, status, message, kind, words = ERRORS[case]
    error = classified(client_error(code, status, message), "bucket", "k")
    assert type(error) is kind
    assert words in str(error)
    assert f"{code}: {message}" in str(error) if message else code in str(error)
    assert str(error).startswith("k: ")


@pytest.mark.parametrize("status", [400, 403, 404, 405, 500, 503])
def test_the_status_decides_nothing(status: int) -> None:
    assert type(classified(client_error("NoSuchKey", status, ""), "bucket", "k")) is PermanentError
    assert type(classified(client_error("SlowDown", status, ""), "bucket", "k")) is UnavailableError
    assert type(classified(client_error("SomethingNew", status, ""), "bucket", "k")) is TransientError


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (EndpointConnectionError(endpoint_url=URL), UnavailableError),
        (ConnectTimeoutError(endpoint_url=URL), UnavailableError),
        (ReadTimeoutError(endpoint_url=URL), UnavailableError),
        (IncompleteReadError(actual_bytes=1, expected_bytes=2), UnavailableError),
        (NoCredentialsError(), UnavailableError),
        (ParamValidationError(report="Invalid length for parameter Key"), PermanentError),
        (UnknownServiceError(service_name="s4", known_service_names="s3"), TransientError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_never_reached_aws_is_its_being_away(error: BotoCoreError, kind: type[Exception]) -> None:
    assert type(classified(error, "queue", "k")) is kind


def test_what_is_away_is_named() -> None:
    away = client_error("SlowDown", 503, "")
    with pytest.raises(UnavailableError) as raised, classifying("queue", "k"):
        raise away
    assert raised.value.part == "queue"
