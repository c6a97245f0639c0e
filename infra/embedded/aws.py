"""S3 and SQS (and EventBridge, Scheduler, Secrets Manager) from `ministack`, and smelt's resources in it.

The emulator keeps objects as they come, but saves queues only when it is stopped in order; messages it keeps in a
journal of ours (`emulator/journal.py`). The saved queues are used once: after a later kill they would be old, so
`take_saved_queues` deletes them after loading. That a queue is missing tells a kill, after which an event may be lost
that S3 had not sent yet. Schedules that `smelt schedules` made are kept in a file of ours (`schedules.py`).
"""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config

import infra
from infra.embedded.ports import HOST, is_healthy
from infra.embedded.process import Command, Kind
from infra.embedded.wheels import folder_of
from shared.config.topology import DEAD_LETTER_RETENTION, NOTIFICATIONS, QUEUES, Queue

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import QueueConfigurationOutputTypeDef, QueueConfigurationTypeDef
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

ROOT: Final = Path(infra.__file__).parents[1]  # where `python -m infra…` finds the packages, installed or not
BUCKET: Final = "smelt-local"
REGION: Final = "us-east-1"
ACCOUNT: Final = "000000000000"
ACCESS_KEY: Final = "smelt-local"  # any word but a 12-digit one, which would be an account


def environment(port: int, secret_key: str) -> dict[str, str]:
    """What boto3 needs to reach the emulator."""
    return {
        "AWS_ENDPOINT_URL": endpoint(port),
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": secret_key,
    }


def endpoint(port: int) -> str:
    """The emulator's address."""
    return f"http://{HOST}:{port}"


def queue_url(port: int, queue: Queue) -> str:
    """The address of one of the topology's queues."""
    return f"{endpoint(port)}/{ACCOUNT}/{queue.name}"


def command(folder: Path, port: int, secret_key: str) -> Command:
    """How to run the emulator. SIGTERM lets it save its state below `folder`."""
    folder_of("ministack")
    for name in ("", "state", "objects", "temporary"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    settings = {
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "GATEWAY_PORT": str(port),
        "PERSIST_STATE": "1",
        "STATE_DIR": str(folder / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(folder / "objects"),
        "TMPDIR": str(folder / "temporary"),
        "LOG_LEVEL": "WARNING",
        "SFTP_ENABLED": "0",  # these two would listen on ports of their own, on every interface
        "IOT_MTLS_ENABLED": "0",
    }
    packages = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    programs = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": packages}
    return Command(
        name="aws",
        kind=Kind.EMULATOR,
        arguments=[sys.executable, "-P", "-m", "infra.embedded.emulator", str(folder)],
        environment=programs | {"HOME": str(folder)} | settings | environment(port, secret_key),
        folder=folder,
        port=port,
        ready=lambda: is_healthy(port, "/_ministack/health"),
    )


def take_saved_queues(folder: Path) -> None:
    """Forget the queues and schedules that the emulator has loaded: they are right until the first one changes."""
    for service in ("sqs", "scheduler"):
        (folder / "state" / f"{service}.json").unlink(missing_ok=True)


def ensure_resources(port: int, secret_key: str) -> bool:
    """Create what the emulator lacks of the bucket, the queues and the notifications. True when it lacked a queue."""
    sqs, s3 = _clients(port, secret_key)
    listed = sqs.list_queues(QueueNamePrefix="smelt-").get("QueueUrls", [])
    existing = {url.rpartition("/")[2] for url in listed}
    for queue in QUEUES:
        _ensure_queue(sqs, port, queue.dead_letter_name, _dead_letter_attributes(), existing)
        _ensure_queue(sqs, port, queue.name, _attributes(queue), existing)
    if BUCKET not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    _ensure_notifications(s3)
    return not existing.issuperset(name for queue in QUEUES for name in (queue.name, queue.dead_letter_name))


def _clients(port: int, secret_key: str) -> "tuple[SQSClient, S3Client]":
    session = boto3.Session(aws_access_key_id=ACCESS_KEY, aws_secret_access_key=secret_key, region_name=REGION)
    config = Config(proxies={}, s3={"addressing_style": "path"})  # a proxy of the machine cannot reach our loopback
    return (
        session.client("sqs", endpoint_url=endpoint(port), config=config),
        session.client("s3", endpoint_url=endpoint(port), config=config),
    )


def _ensure_queue(
    sqs: "SQSClient", port: int, name: str, attributes: "dict[QueueAttributeNameType, str]", existing: set[str]
) -> None:
    if name in existing:
        sqs.set_queue_attributes(QueueUrl=f"{endpoint(port)}/{ACCOUNT}/{name}", Attributes=attributes)
    else:
        sqs.create_queue(QueueName=name, Attributes=attributes)


def _dead_letter_attributes() -> "dict[QueueAttributeNameType, str]":
    return {"MessageRetentionPeriod": str(DEAD_LETTER_RETENTION)}


def _attributes(queue: Queue) -> "dict[QueueAttributeNameType, str]":
    redrive = {"deadLetterTargetArn": _arn(queue.dead_letter_name), "maxReceiveCount": queue.max_receives}
    return {
        "VisibilityTimeout": str(queue.visibility),
        "MessageRetentionPeriod": str(queue.retention),
        "RedrivePolicy": json.dumps(redrive),
    }


def _ensure_notifications(s3: "S3Client") -> None:
    wanted: list[QueueConfigurationTypeDef] = [
        {
            "Id": prefix.strip("/"),
            "QueueArn": _arn(queue.name),
            "Events": ["s3:ObjectCreated:*"],
            "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}},
        }
        for prefix, queue in NOTIFICATIONS.items()
    ]
    held = s3.get_bucket_notification_configuration(Bucket=BUCKET).get("QueueConfigurations", [])
    if {_meaning(one) for one in held} != {_meaning(one) for one in wanted}:  # S3 sends a test event for every put
        s3.put_bucket_notification_configuration(
            Bucket=BUCKET, NotificationConfiguration={"QueueConfigurations": wanted}
        )


def _meaning(configuration: "QueueConfigurationTypeDef | QueueConfigurationOutputTypeDef") -> tuple[str, str]:
    return configuration.get("Id", ""), configuration["QueueArn"]


def _arn(name: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
