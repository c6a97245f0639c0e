"""Refreshes gold periodically beside the API, or once (`python -m services.serving.gold.refresher`)."""

import sys
from collections.abc import Callable
from threading import Event
from typing import TYPE_CHECKING

import boto3
import structlog
from botocore.exceptions import BotoCoreError, ClientError
from sqlalchemy.exc import SQLAlchemyError

from services.serving.database import ApiError
from services.serving.gold import dataset_snapshots, snapshots
from services.serving.gold.refresh import refresh
from services.serving.settings import ServingSettings, load_settings
from shared import telemetry
from shared.database.engine import with_session_parameters
from shared.database.migrate import engine_of
from shared.errors import PermanentError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = structlog.get_logger()

OWNER_PARAMETERS = {"statement_timeout": "900s"}  # a view over a hundred million rows takes minutes
ERRORS = (SQLAlchemyError, BotoCoreError, ClientError, OSError, ApiError)  # the last one of a query


def updater(settings: ServingSettings) -> Callable[[], bool]:
    """A function that refreshes gold, exports it and datasets to the bucket, and returns whether anything was due."""
    owner = with_session_parameters(OWNER_PARAMETERS, engine_of(settings.database_url.get_secret_value()))
    s3: S3Client | None = boto3.client("s3") if settings.bucket else None

    def update() -> bool:
        refreshed = refresh(owner)
        if not s3 or not settings.bucket:
            return refreshed
        stored = [export(owner, s3, settings.bucket) for export in (snapshots.export, dataset_snapshots.export)]
        return refreshed or any(stored)

    return update


def refresh_forever(update: Callable[[], bool], interval: float, stop: Event) -> None:
    """Run `update` periodically until `stop` is set. Failures are logged and retried at the next interval."""
    while True:
        try:
            update()
        except ERRORS as error:
            log.warning("gold.refresh_failed", error=str(error).splitlines()[0])
        if stop.wait(interval):
            return


def main() -> None:
    """Run once. Errors are printed as one line, with exit code 1."""
    try:
        settings = load_settings()
        telemetry.configure("serving", settings.log_level)
        updater(settings)()
    except (PermanentError, *ERRORS) as error:
        sys.exit(f"smelt: {str(error).splitlines()[0]}")


if __name__ == "__main__":
    main()
