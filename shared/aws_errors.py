"""Classification of S3 and SQS errors, by AWS's error code rather than the HTTP status.

The status is ambiguous: S3 returns 400 for a malformed version, for expired credentials and for throttling by KMS.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's name
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
)

from shared.errors import Part, PermanentError, TransientError, UnavailableError

# {(code, substring of the message): meaning}. A retry cannot succeed.
PERMANENT = {
    ("NoSuchKey", ""): "no such object",
    ("NoSuchVersion", ""): "no such object",
    ("404", ""): "no such object",
    ("MethodNotAllowed", ""): "no such object: the version is a delete marker",
    ("InvalidArgument", "version"): "no such object: the version is malformed",
    ("KeyTooLongError", ""): "no such object: the key is too long for S3",
    ("InvalidObjectState", ""): "archived: restore the object, then replay",
    ("InvalidRequest", "encryption"): "encrypted with a customer-provided key (SSE-C), which smelt does not have",
}
# The service, our credentials or our clock are at fault, not the message. Includes botocore's list of throttling codes;
# S3 passes on KMS's codes as `KMS.…`. A response to HEAD has no body, so its code is the status.
UNAVAILABLE = {
    "InternalError", "InternalFailure", "ServiceUnavailable", "RequestTimeout", "NoSuchBucket", "OperationAborted",
    "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "OverLimit",
    "SlowDown", "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled",
    "RequestThrottledException", "TooManyRequestsException", "RequestLimitExceeded", "BandwidthLimitExceeded",
    "ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired", "InvalidToken",
    "InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch",
    "RequestTimeTooSkewed",
    "429", "500", "502", "503", "504",
}  # fmt: skip
UNREACHABLE = (ConnectionError, HTTPClientError, IncompleteReadError, NoCredentialsError, CredentialRetrievalError)


def classified(error: ClientError | BotoCoreError, part: Part, what: str) -> Exception:
    """The error as one of `shared.errors`. `what` begins its message, for example an object's key.

    A code in neither table is retried, and counts as an attempt: AccessDenied ends when the policy is corrected, and S3
    also returns it for a missing object if the role may not list the bucket.
    """
    if isinstance(error, ParamValidationError):
        return PermanentError(f"{what}: {str(error).splitlines()[-1]}")
    if not isinstance(error, ClientError):
        summary = f"{what}: {type(error).__name__}: {error}"
        return UnavailableError(summary, part) if isinstance(error, UNREACHABLE) else TransientError(summary)
    code, text = code_of(error), error.response["Error"].get("Message", "")
    answer = f"{code}: {text}" if text else code
    for (permanent, words), meaning in PERMANENT.items():
        if code == permanent and words in text.lower():
            return PermanentError(f"{what}: {meaning} ({answer})")
    if code in UNAVAILABLE or code.startswith("KMS."):
        return UnavailableError(f"{what}: {answer}", part)
    return TransientError(f"{what}: {answer}")


def code_of(error: ClientError) -> str:
    """AWS's error code, or the HTTP status if the response had no body."""
    return error.response["Error"]["Code"]


@contextmanager
def classifying(part: Part, what: str) -> Iterator[None]:
    """Context manager that converts boto3's errors into those of `shared.errors`."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise classified(error, part, what) from error
