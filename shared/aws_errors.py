"""What an error of S3 or SQS means: decided by AWS's code, never by the HTTP status.

A status says too little: S3 answers 400 to a malformed version, to expired credentials and to throttling by KMS.
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

# {(code, words of the message that tell this case from others of the code): what it means}. These do not heal.
PERMANENT = {
    ("NoSuchKey", ""): "no such object",
    ("NoSuchVersion", ""): "no such object",
    ("404", ""): "no such object",
    ("MethodNotAllowed", ""): "no such object: the version is a delete marker",
    ("InvalidArgument", "version"): "no such object: the version is malformed",
    ("KeyTooLongError", ""): "no such object: the key is too long for S3",
    ("InvalidObjectState", ""): "archived: restore the object, then replay",
    ("InvalidRequest", "encryption"): "encrypted with a key of the customer (SSE-C), which smelt does not have",
}
# The service, our credentials or our clock are at fault, and no message is. Some are botocore's own list of throttling
# codes. `KMS.…` is what S3 passes on of KMS. An answer to HEAD has no body, so that a status stands for its code.
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
    """The error as one that says whether to try again. `what` begins its message: an object's key, for example.

    A code in neither table counts as an attempt and is tried again: AccessDenied heals with a change of the policy, and
    S3 also answers it for a missing object where the role may not list the bucket.
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
    """AWS's code; the HTTP status where the answer had no body."""
    return error.response["Error"]["Code"]


@contextmanager
def classifying(part: Part, what: str) -> Iterator[None]:
    """Raises what boto3 raises inside as one of `shared.errors`."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise classified(error, part, what) from error
