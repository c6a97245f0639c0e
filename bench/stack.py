"""A stack of its own to measure in: real Postgres, Valkey and AWS emulator in a temporary home, gone afterwards."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import boto3
import psycopg2
from redis import Redis
from sqlalchemy import Engine, text

from bench.workload import DATASET
from infra.embedded import process, stack
from infra.embedded.options import Options
from infra.embedded.state import load
from shared.config.settings import load_settings
from shared.database import ops_tables
from shared.database.engine import connect
from shared.datasets import registry


class Rig:
    """The stack without workers; `workers.started` adds them. Its environment is this process's as long as it lasts."""

    def __init__(self, simulated: int) -> None:
        """`simulated` is the number of postings of the simulated source."""
        self._simulated = simulated

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="smelt-bench-"))
        self.home = (self.folder / ".smelt").resolve()
        self._before = dict(os.environ)
        try:
            started = stack.start(self.home, Options(workers=False, console=False, simulator_postings=self._simulated))
            os.environ.update(started.environment)
            boto3.setup_default_session()  # an old one keeps the credentials of another stack
            self._connect()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.dispose()
        self.redis.close()
        self._end()

    def _connect(self) -> None:
        self.settings = load_settings()
        self.bucket = self.settings.bucket
        self.s3, self.sqs = boto3.client("s3"), boto3.client("sqs")
        assert self.settings.database_url  # noqa: S101 - the embedded stack has one
        self.database_url = self.settings.database_url.get_secret_value()
        self.engine: Engine = connect(self.settings.database_url, "bench")
        self.redis = Redis.from_url(self.settings.redis_url.get_secret_value())
        self.postgres = process.recorded(self.home, "postgres").pid

    def _end(self) -> None:
        stack.erase(self.home)
        shutil.rmtree(self.folder, ignore_errors=True)
        os.environ.clear()
        os.environ.update(self._before)
        boto3.setup_default_session()

    def empty(self) -> None:
        """Empty tables and an empty cache."""
        tables = registry.dataset(DATASET).tables
        silver = [tables.root, *tables.children, tables.last_seen]
        names = ", ".join(table.fullname for table in [*ops_tables.METADATA.sorted_tables, *silver])
        with self.engine.begin() as connection:
            connection.execute(text(f"truncate {names} restart identity cascade"))
        self.redis.flushall()

    def settle(self) -> None:
        """Write back what earlier work left in Postgres's buffers, so that nobody pays for another's pages."""
        with self._administrator() as cursor:
            cursor.execute("checkpoint")

    @contextmanager
    def _administrator(self) -> "Iterator[psycopg2.extensions.cursor]":
        state = load(self.home)
        assert state  # noqa: S101 - it runs
        connection = psycopg2.connect(
            host="127.0.0.1",
            port=state.ports["postgres"],
            user="postgres",
            password=state.secrets.database_administrator,
            dbname="smelt",
        )
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()
