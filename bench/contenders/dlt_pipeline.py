"""dlt: the same pages, merged into a schema of its own. Needs the extra `bench`."""

import importlib.util
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from bench.contents import Contents
from bench.stack import Rig
from bench.workload import AGAIN, CHANGED, COLD, KEY, Fetch, postings_of

TABLE = "posting"
QUIET = {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "CRITICAL"}


@dataclass(frozen=True)
class Manner:
    """How dlt is used: what a user finds in its documentation, by the names it has there."""

    name: str
    schema: str
    file_format: Any = None
    merge: Any = "merge"
    configuration: Mapping[str, str] = field(default_factory=dict)


DEFAULT = Manner("dlt, default", "dlt_default")
BEST = Manner(
    "dlt, best settings",
    "dlt_best",
    file_format="csv",
    merge={"disposition": "merge", "strategy": "upsert"},
    configuration={"DATA_WRITER__DISABLE_COMPRESSION": "true"},
)


def installed() -> bool:
    """Whether dlt is there."""
    return importlib.util.find_spec("dlt") is not None


class Dlt:
    """All pages of a run in one load, which is dlt's unit of work; postings as they come, lists as child tables."""

    phases = frozenset({COLD, AGAIN, CHANGED})

    def __init__(self, rig: Rig, manner: Manner) -> None:
        self.name, self._rig, self._manner = manner.name, rig, manner
        self._folder = rig.folder / manner.schema

    @contextmanager
    def beginning(self) -> Iterator[None]:
        """With no schema and a pipeline that has never run."""
        before = dict(os.environ)
        os.environ.update({**QUIET, "DLT_DATA_DIR": str(self._folder), **self._manner.configuration})
        try:
            self._forget()
            yield
            self._forget()
        finally:
            os.environ.clear()
            os.environ.update(before)

    def load(self, fetch: Fetch) -> None:
        """Extract, normalise, load."""
        import dlt

        pipeline = dlt.pipeline(
            "bench",
            pipelines_dir=str(self._folder),
            destination=dlt.destinations.postgres(self._rig.database_url),
            dataset_name=self._manner.schema,
        )
        pages = (postings_of(page) for page in fetch.pages)
        resource = dlt.resource(pages, name=TABLE, primary_key=KEY, write_disposition=self._manner.merge)
        pipeline.run(resource, loader_file_format=self._manner.file_format).raise_on_failed_jobs()

    def cpu(self) -> float:
        """Of this process: dlt works in threads of it."""
        return time.process_time()

    def contents(self) -> Contents:
        """Postings only: its columns are others than smelt's."""
        schema = self._manner.schema
        with self._rig.engine.connect() as connection:
            postings = connection.scalar(text(f"select count(*) from {schema}.{TABLE}"))  # noqa: S608
        return Contents(postings=postings or 0, rows=0, digest="")

    def _forget(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        with self._rig.engine.begin() as connection:
            for schema in (self._manner.schema, f"{self._manner.schema}_staging"):
                connection.execute(text(f"drop schema if exists {schema} cascade"))
