"""Exports datasets as Parquet to `gold/datasets/<dataset>/<table>/<table>.parquet`; only the newest export is kept.

A dataset is written again when something of it was loaded, a run of it became complete, or its definition changed.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import structlog
from botocore.exceptions import BotoCoreError, ClientError
from sqlalchemy import Connection, Engine, Row, TextClause, text
from sqlalchemy.exc import SQLAlchemyError

from services.serving.api.result_stream import BATCH_ROWS, parquet, streaming, typed_frames
from services.serving.database import ApiError
from services.serving.datasets import catalog, row_query
from services.serving.gold.refresh import RECORD_FRESHNESS
from services.serving.gold.snapshots import store
from shared.config.topology import GOLD_PREFIX
from shared.datasets import registry

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = structlog.get_logger()

WHAT = "dataset "  # begins the names of datasets in gold.freshness
# Times as long as an export took: at most a tenth of the time is spent on a dataset that changes all the time.
PAUSE = 9
LOCK = "smelt dataset snapshots"
ERRORS = (SQLAlchemyError, BotoCoreError, ClientError, OSError, ApiError)
# Counts rather than times or ids, which a loader takes before its commit is visible.
LOADED = text("select dataset, count(*) || ' objects' from ops.loaded_object group by dataset")
COMPLETED = text("select dataset, count(completed_at) || ' runs' from ops.run group by dataset")
# The rows of a run are exported when it is complete. It is not waited for if it is incomplete after a day, nor if the
# last export is older than an hour: runs may follow one another without a pause.
LOADING = text("""
    select distinct dataset from ops.run
    where completed_at is null and rejected_reason is null and planned_at > now() - interval '1 day'
""")
STORED = text("""
    select substr(what, length(:what) + 1) as dataset, seen,
           refreshed_at + :pause * took > clock_timestamp() as is_resting,
           refreshed_at < clock_timestamp() - interval '1 hour' as is_old
    from gold.freshness where starts_with(what, :what)
""")


def export(engine: Engine, s3: "S3Client", bucket: str) -> bool:
    """Export the datasets that have changed; returns whether any was. Only one process does so at a time.

    `engine` connects as the database's owner. An error does not keep other datasets from being exported; the last one
    is raised at the end.
    """
    failure: Exception | None = None
    stored = False
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection, _locked(connection) as is_ours:
        for name in changed(connection) if is_ours else ():
            try:
                _export(engine, s3, bucket, name)
                stored = True
            except ERRORS as error:
                log.warning("dataset.export_failed", dataset=name, error=str(error).splitlines()[0])
                failure = error
    if failure:
        raise failure
    return stored


def changed(connection: Connection) -> list[str]:
    """Datasets with rows that differ from those last exported, and that may be exported now."""
    state = _state(connection)
    exported = {row.dataset: row for row in connection.execute(STORED, {"what": WHAT, "pause": PAUSE})}
    loading = {*connection.scalars(LOADING)}
    return [
        name
        for name in registry.names()
        if name in state and _is_due(state[name], exported.get(name), is_loading=name in loading)
    ]


def key(dataset: str, table: str) -> str:
    """The key of a table's export."""
    return f"{GOLD_PREFIX}datasets/{dataset}/{table}/{table}.parquet"


def _is_due(state: str, exported: Row[Any] | None, *, is_loading: bool) -> bool:
    if exported is None:
        return not is_loading
    return exported.seen != state and not exported.is_resting and (exported.is_old or not is_loading)


def _state(connection: Connection) -> dict[str, str]:
    """{dataset: what of it is loaded, and by which definition}, of those of which something is."""
    loaded, completed = _texts(connection, LOADED), _texts(connection, COMPLETED)
    return {
        name: f"{loaded[name]}, {completed.get(name, '0 runs')}, definition {registry.dataset(name).digest}"
        for name in registry.names()
        if name in loaded
    }


def _texts(connection: Connection, query: TextClause) -> dict[str, str]:
    return {dataset: count for dataset, count in connection.execute(query)}  # noqa: C416 - rows, no pairs


def _export(engine: Engine, s3: "S3Client", bucket: str, name: str) -> None:
    """All tables as they are at one moment."""
    started = time.monotonic()
    with streaming(engine, BATCH_ROWS) as connection, TemporaryDirectory(prefix="smelt-dataset-") as folder:
        state = _state(connection.execution_options(stream_results=False))[name]
        connection.execution_options(stream_results=True)
        tables = catalog.tables(registry.dataset(name))
        for table in tables.values():
            path = Path(folder) / f"{table.name}.parquet"
            columns = [*table.columns.values()]
            schema = row_query.schema(columns)
            parquet(schema, typed_frames(connection, row_query.rows(columns, []), schema), path)
            store(s3, bucket, key(name, table.name), path)
            path.unlink()
    took = timedelta(seconds=time.monotonic() - started)
    record = {"what": f"{WHAT}{name}", "took": took, "changed": len(tables), "seen": state}
    with engine.begin() as connection:
        connection.execute(RECORD_FRESHNESS, record)
    log.info("dataset.exported", dataset=name, seconds=round(took.total_seconds(), 2))


@contextmanager
def _locked(connection: Connection) -> Iterator[bool]:
    """Whether no other process exports; this one does until the end."""
    is_ours = connection.scalar(text("select pg_try_advisory_lock(hashtext(:name))"), {"name": LOCK})
    try:
        yield bool(is_ours)
    finally:
        if is_ours:
            connection.execute(text("select pg_advisory_unlock(hashtext(:name))"), {"name": LOCK})
