"""Exports gold as Parquet to `gold/<view>/date=YYYY-MM-DD/<view>.parquet`; each day's last export is kept."""

import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import Engine, text

from services.serving.api.export import COLUMNS
from services.serving.api.result_stream import parquet, slices
from services.serving.database import Statement
from services.serving.gold.refresh import RECORD_FRESHNESS, last_basis
from shared.config.topology import GOLD_PREFIX

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = structlog.get_logger()

VIEWS = {
    "posting": COLUMNS,
    **dict.fromkeys(
        (
            "posting_location",
            "posting_history",
            "data_jobs_chicago",
            "pay_raised",
            "deadline_extended",
            "agency_daily",
            "pay_by_series",
            "time_to_close",
        ),
        "*",
    ),
}


def export(engine: Engine, s3: "S3Client", bucket: str) -> bool:
    """Export all views if gold was refreshed since the last export; returns whether it did."""
    with engine.connect() as connection:
        basis = last_basis(connection)
        stored = connection.scalar(text("select seen from gold.freshness where what = 'export'"))
    if basis is None or basis == stored:
        return False
    started = time.monotonic()
    today = datetime.now(UTC).date()
    for view, columns in VIEWS.items():
        with tempfile.TemporaryDirectory(prefix="smelt-gold-") as folder:
            path = Path(folder) / f"{view}.parquet"
            _write(engine, Statement(f"select {columns} from gold.{view}", {}), path)  # noqa: S608 - our own names
            store(s3, bucket, key(view, today), path)
    took = timedelta(seconds=time.monotonic() - started)
    with engine.begin() as connection:
        connection.execute(RECORD_FRESHNESS, {"what": "export", "took": took, "changed": len(VIEWS), "seen": basis})
    log.info("gold.exported", views=len(VIEWS), seconds=round(took.total_seconds(), 2))
    return True


def key(view: str, day: date) -> str:
    """The key of a view's export."""
    return f"{GOLD_PREFIX}{view}/date={day:%Y-%m-%d}/{view}.parquet"


def _write(engine: Engine, statement: Statement, path: Path) -> None:
    with slices(engine, statement) as (schema, frames):
        parquet(schema, frames, path)


def store(s3: "S3Client", bucket: str, name: str, path: Path) -> None:
    """Upload a file with its checksum."""
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    s3.upload_file(str(path), bucket, name, ExtraArgs={"Metadata": {"sha256": digest}})
