"""Probes of S3 and SQS for the circuit breaker."""

from collections.abc import Callable, Mapping
from functools import partial

import boto3
from botocore.config import Config

from shared.aws_errors import classifying
from shared.engine.availability import Probe
from shared.errors import Part, PermanentError, TransientError, UnavailableError

SHORT_TIMEOUTS = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 1})


def s3_and_sqs(bucket: str, queue_url: str) -> Mapping[Part, Probe]:
    """The parts that every worker needs."""
    s3, sqs = boto3.client("s3", config=SHORT_TIMEOUTS), boto3.client("sqs", config=SHORT_TIMEOUTS)
    return {
        "bucket": partial(_ask, "bucket", partial(s3.head_bucket, Bucket=bucket)),
        "queue": partial(_ask, "queue", partial(sqs.get_queue_attributes, QueueUrl=queue_url)),
    }


def _ask(part: Part, request: Callable[[], object]) -> None:
    """Raises UnavailableError if the part is unavailable. Other errors (access denied) count as available."""
    try:
        with classifying(part, part):
            request()
    except PermanentError as error:  # it does not exist
        raise UnavailableError(str(error), part) from error
    except UnavailableError:
        raise
    except TransientError:
        return
