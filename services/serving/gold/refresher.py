"""Keeps gold fresh beside the API, or once for a scheduler (`python -m services.serving.gold.refresher`)."""

import sys
from collections.abc import Callable
from threading import Event
from typing import TYPE_CHECKING

import boto3
import structlog
from botocore.exceptions import BotoCoreError, ClientError
from sqlalchemy.exc import SQLAlchemyError

from services.serving.gold import snapshots
from services.serving.gold.refresh import refresh
from services.serving.settings import ServingSettings, load_settings
from shared import telemetry
from shared.database.engine import with_session_parameters
from shared.database.migrate import engine_of
from shared.errors import PermanentError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = structlog.get_logger()

PATIENT = {"statement_timeout": "900s"}  # as for migrations: a view over a hundred million rows takes minutes
ERRORS = (SQLAlchemyError, BotoCoreError, ClientError, OSError)


def keeper(settings: ServingSettings) -> Callable[[], bool]:
    """What brings gold up to date and stores it in the bucket, where there is a reason to; whether it did anything."""
    owner = with_session_parameters(PATIENT, engine_of(settings.database_url.get_secret_value()))
    s3: S3Client | None = boto3.client("s3") if settings.bucket else None

    def keep() -> bool:
        refreshed = refresh(owner)
        stored = snapshots.export(owner, s3, settings.bucket) if s3 and settings.bucket else False
        return refreshed or stored

    return keep


def refresh_forever(keep: Callable[[], bool], every: float, stop: Event) -> None:
    """Until told to stop. A failure is logged, and the next look tries again."""
    while True:
        try:
            keep()
        except ERRORS as error:
            log.warning("gold.not_kept", error=str(error).splitlines()[0])
        if stop.wait(every):
            return


def main() -> None:
    """Once. What prevents it is one line on standard error and exit code 1."""
    try:
        settings = load_settings()
        telemetry.configure("serving", settings.log_level)
        keeper(settings)()
    except (PermanentError, *ERRORS) as error:
        sys.exit(f"smelt: {str(error).splitlines()[0]}")


if __name__ == "__main__":
    main()
