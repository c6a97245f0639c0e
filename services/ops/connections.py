"""Settings and clients of one deployment, for commands and the console."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from pydantic import SecretStr
from sqlalchemy import Engine

from shared.config import local_stack
from shared.config.settings import Settings, load_settings
from shared.database.engine import connect as connect_database
from shared.engine.pending_retries import PendingRetryStore
from shared.engine.worker_status import WorkerRegistry
from shared.errors import PermanentError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sqs import SQSClient

# EventBridge may be unreachable from a private network; commands must report that soon.
SHORT_TIMEOUTS = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 2})


def database_url(settings: Settings) -> str:
    """The address of Postgres. Raises PermanentError where it is not set."""
    if settings.database_url is None:
        message = "SMELT_DATABASE_URL is not set"
        raise PermanentError(message)
    return settings.database_url.get_secret_value()


@dataclass(frozen=True)
class Connections:
    """Clients of one deployment, in AWS or embedded."""

    settings: Settings
    s3: "S3Client"
    sqs: "SQSClient"
    database: Engine
    pending_retries: PendingRetryStore
    roster: WorkerRegistry
    scheduler: "EventBridgeSchedulerClient"


def connect() -> Connections:
    """Connect to the deployment in the environment, or to the embedded stack of `SMELT_HOME`.

    Raises PermanentError if there is neither, or if settings are missing.
    """
    if "SMELT_BUCKET" not in os.environ:
        local_stack.use("SMELT_BUCKET")
    settings = load_settings()
    redis_url = settings.redis_url.get_secret_value()
    return Connections(
        settings=settings,
        s3=boto3.client("s3"),
        sqs=boto3.client("sqs"),
        database=connect_database(SecretStr(database_url(settings)), "ops"),
        pending_retries=PendingRetryStore(redis_url),
        roster=WorkerRegistry(redis_url),
        scheduler=boto3.client("scheduler", config=SHORT_TIMEOUTS),
    )


def remember_schedules() -> None:
    """Save schedules of a running embedded stack, so that they survive a crash of its emulator."""
    if stack := local_stack.find():
        stack.remember_schedules(local_stack.home())
