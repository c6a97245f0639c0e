"""Whether S3 and SQS answer: asked by the main process of a worker while its circuit breaker is open."""

from collections.abc import Callable, Mapping
from functools import partial

import boto3
from botocore.config import Config

from shared.aws_errors import classifying
from shared.engine.availability import Probe
from shared.errors import Part, PermanentError, TransientError, UnavailableError

IMPATIENT = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 1})


def of_aws(bucket: str, queue_url: str) -> Mapping[Part, Probe]:
    """Probes of what every worker needs."""
    s3, sqs = boto3.client("s3", config=IMPATIENT), boto3.client("sqs", config=IMPATIENT)
    return {
        "bucket": partial(_ask, "bucket", partial(s3.head_bucket, Bucket=bucket)),
        "queue": partial(_ask, "queue", partial(sqs.get_queue_attributes, QueueUrl=queue_url)),
    }


def _ask(part: Part, request: Callable[[], object]) -> None:
    """An answer that is not about the part (access denied) is one: the next message tells more."""
    try:
        with classifying(part, part):
            request()
    except PermanentError as error:  # not there
        raise UnavailableError(str(error), part) from error
    except UnavailableError:
        raise
    except TransientError:
        return
