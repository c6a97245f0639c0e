"""How long the database takes to come back from the bucket: `python -m bench.restore --postings 20000`.

A stack of its own extracts, loses its database, and is told what the runbook says. Then the same rows must be there.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
from redis import Redis
from sqlalchemy import Engine, NullPool, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from infra.embedded import applications, postgres, stack
from infra.embedded.state import State, load
from shared.cache.content_hashes import KEY
from shared.config.topology import RAW_PREFIXES, SILVER_PREFIX

PATIENCE = 1_800.0  # s
# Of the way that a row took, not of the row: the number of its object in the ledger, and the sequencer, in place of
# which an audit makes one of the same order.
BY_ARRIVAL = {"object_id", "sequencer"}
TABLES = "select tablename from pg_tables where schemaname = 'silver' order by 1"
COLUMNS = "select attname from pg_attribute where attrelid = (:name)::regclass and attnum > 0 and not attisdropped"
LEDGER = """
    select (select count(*) from ops.loaded_object) as objects, (select count(*) from ops.quarantine) as quarantined,
        (select count(*) from ops.run where completed_at is not null) as runs
"""


@dataclass(frozen=True)
class Lost:
    """A stack, what its tables said, and how to talk to it."""

    home: Path
    database: Engine

    @classmethod
    def of(cls, home: Path) -> "Lost":
        """The stack that runs in `home`."""
        url = make_url(applications.database_server(_state(home)).url)
        return cls(home, create_engine(url.set(drivername="postgresql+psycopg2"), poolclass=NullPool))

    def content(self) -> dict[str, tuple[int, str]]:
        """{silver table: rows, and a digest of them in any order}."""
        with self.database.connect() as connection:
            names = [f"silver.{name}" for name in connection.scalars(text(TABLES))]
            return {name: self._digest(name) for name in names}

    def ledger(self) -> tuple[int, ...] | None:
        """How many objects, rejected records and complete runs; None while there is no ledger."""
        try:
            with self.database.connect() as connection:
                return tuple(connection.execute(text(LEDGER)).one())
        except DBAPIError:
            return None

    def size(self) -> int:
        """Bytes that the database takes."""
        return self._number("select pg_database_size(current_database())")

    def log(self) -> int:
        """Bytes that Postgres has ever written ahead."""
        return self._number("select pg_current_wal_lsn() - '0/0'::pg_lsn")

    def kept(self) -> dict[str, int]:
        """{where: bytes} beside the database."""
        names = stack.environment(self.home)
        s3 = boto3.client(
            "s3",
            endpoint_url=names["AWS_ENDPOINT_URL"],
            region_name=names["AWS_DEFAULT_REGION"],
            aws_access_key_id=names["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=names["AWS_SECRET_ACCESS_KEY"],
        )
        found = {}
        for prefix in (*RAW_PREFIXES, SILVER_PREFIX):
            pages = s3.get_paginator("list_objects_v2").paginate(Bucket=names["SMELT_BUCKET"], Prefix=prefix)
            found[prefix] = sum(one["Size"] for page in pages for one in page.get("Contents", []))
        with Redis.from_url(names["SMELT_REDIS_URL"]) as cache:
            keys = list(cache.scan_iter(match=KEY + "*", count=1_000))
            return found | {"known hashes": sum(int(cache.memory_usage(key) or 0) for key in keys)}

    def lose(self) -> None:
        """Drop the database under the services; an empty one of the same name takes its place."""
        server = applications.database_server(_state(self.home))
        with postgres._administer(server) as connection:  # noqa: SLF001 - what only an administrator may
            connection.execute(text(f"drop database {postgres.OWNER} with (force)"))
        postgres.ensure_database(server)

    def restored(self, ledger: tuple[int, ...] | None, *commands: tuple[str, ...]) -> float:
        """Give the commands, and wait until the ledger is that of before; seconds. Raises TimeoutError."""
        began = time.monotonic()
        for command in commands:
            smelt(self.home, *command)
        while self.ledger() != ledger:
            if time.monotonic() - began > PATIENCE:
                message = f"the ledger has {self.ledger()} after {PATIENCE:.0f} s, not {ledger}"
                raise TimeoutError(message)
            time.sleep(0.2)
        return time.monotonic() - began

    def _number(self, query: str) -> int:
        with self.database.connect() as connection:
            return int(connection.scalar(text(query)) or 0)

    def _digest(self, table: str) -> tuple[int, str]:
        with self.database.connect() as connection:
            columns = [name for name in connection.scalars(text(COLUMNS), {"name": table}) if name not in BY_ARRIVAL]
            said = ", ".join(f'"{name}"' for name in columns)
            lines = f"select row({said})::text as line from {table}"  # noqa: S608 - our own names
            query = f"select count(*), md5(coalesce(string_agg(line, e'\\n' order by line), '')) from ({lines}) as t"  # noqa: S608
            rows, digest = connection.execute(text(query)).one()
            return int(rows), str(digest)


def smelt(home: Path, *arguments: str) -> str:
    """What the `smelt` command says, on the stack of a home. Raises CalledProcessError."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SMELT_", "AWS_"))}
    done = subprocess.run(  # noqa: S603 - our own command
        [Path(sys.executable).parent / "smelt", *arguments],
        env=kept | {"SMELT_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


# {way: commands}: what the ledger lacks, or every version of every object and then what no object says (plans).
WAYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "audit": (("db", "upgrade"), ("reconcile", "--repair")),
    "reprocess": (
        ("db", "upgrade"),
        ("reprocess", "--dataset", "usajobs_search", "--from", "bronze", "--yes"),
        ("reconcile", "--repair"),
    ),
}


def main() -> None:
    """Measure both ways and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postings", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=1, help="transformers, and loaders")
    arguments = parser.parse_args()
    with _extracted(arguments.postings, arguments.workers) as home:
        _measure(Lost.of(home))


def _measure(lost: Lost) -> None:
    before, ledger = lost.content(), lost.ledger()
    postings = before["silver.job"][0]
    for what, size in lost.kept().items():
        _say(what, f"{size / postings:,.0f} bytes a posting")
    _say("way", "postings", "time", "a second", "on disk", "written ahead", "content")
    for way, commands in WAYS.items():
        lost.lose()
        log = lost.log()
        seconds = lost.restored(ledger, *commands)
        sizes = [f"{size / postings / 1024:.1f} KiB each" for size in (lost.size(), lost.log() - log)]
        same = "identical" if lost.content() == before else "DIFFERENT"
        _say(way, f"{postings:,}", f"{seconds:.0f} s", f"{postings / seconds:,.0f}", *sizes, same)


def _say(*cells: str) -> None:
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


@contextmanager
def _extracted(postings: int, workers: int) -> Iterator[Path]:
    """A stack that has extracted them, in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="smelt-restore-"))
    home = (folder / ".smelt").resolve()
    counts = ("--transformers", str(workers), "--loaders", str(workers))
    try:
        smelt(home, "up", "--detach", "--no-first-run", "--records", str(postings), *counts)
        smelt(home, "runs", "start", "usajobs_search", "--wait", "--timeout", str(PATIENCE))
        yield home
    finally:
        stack.erase(home)
        shutil.rmtree(folder, ignore_errors=True)


def _state(home: Path) -> State:
    held = load(home)
    assert held  # noqa: S101 - it runs
    return held


if __name__ == "__main__":
    main()
