"""Datasets of the other dispositions: CSV files of them, and what must have become of each record.

Records are pairs of an id and a value. A value below zero is rejected.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from shared.storage.object_keys import upload_key
from tests.support.own_dataset import contract, smelt, write

Pair = tuple[str, int]
VALUE = {"name": "value", "logicalType": "integer", "logicalTypeOptions": {"minimum": 0}}
IDS = 8
BAD_SHARE = 0.08


@dataclass(frozen=True)
class File:
    """A file to be put. `bad` of its records must be rejected."""

    dataset: str
    name: str
    records: tuple[Pair, ...]

    @property
    def key(self) -> str:
        """Where somebody drops it."""
        return upload_key(self.dataset, self.name)

    @property
    def bad(self) -> int:
        """Records that must be rejected."""
        return len(self.records) - len(self.valid)

    @property
    def valid(self) -> list[Pair]:
        """The other ones."""
        return [(name, value) for name, value in self.records if value >= 0]

    def body(self) -> bytes:
        """A CSV file."""
        return "".join(["id,value\n", *(f"{name},{value}\n" for name, value in self.records)]).encode()


Files = Sequence[tuple[datetime, File]]  # with S3's time, in the order of their observations
Check = Callable[[Connection, str, Files], Iterator[str]]


def write_contracts(folder: Path) -> None:
    """A contract for each disposition."""
    folder.mkdir()
    for name in CHECKS:
        content = contract(name, [VALUE], **smelt(disposition=name.removeprefix("fault_")))
        if name == "fault_append":
            content["schema"][0]["properties"][0] = {"name": "id"}
        write(folder, content, name)


def file(rng: random.Random, dataset: str, folder: str, number: int) -> File:
    """A file with some of the run's ids. There are few names, so that some are overwritten."""
    ids = rng.sample(range(IDS), k=rng.randrange(1, IDS))
    values = [-1 if rng.random() < BAD_SHARE else rng.randrange(4) for _ in ids]
    records = [(f"{number}-{name}", value) for name, value in zip(ids, values, strict=True)]
    return File(dataset, f"{folder}{rng.randrange(3)}.csv", tuple(records))


def _append(connection: Connection, ids: str, files: Files) -> Iterator[str]:
    """Every record is a row, once."""
    rows = Counter(_rows(connection, "select id, value from silver.fault_append where id like :ids", ids))
    expected = Counter(pair for _, file in files for pair in file.valid)
    if rows != expected:
        yield f"append: {rows - expected} too many, {expected - rows} missing"


def _snapshot(connection: Connection, ids: str, files: Files) -> Iterator[str]:
    """Every record is there as its newest file has it; active are those that the newest file has, rejected ones too."""
    yield from _newest(connection, "fault_snapshot", ids, files)
    query = "select id from silver.fault_snapshot_last_seen where inactive_since is null and id like :ids"
    active = {name for (name,) in _rows(connection, query, ids)}
    stored = {name for _, file in files for name, _ in file.valid}
    expected = {name for name, _ in files[-1][1].records if name in stored} if files else set()
    if active != expected:
        yield f"snapshot: active are {sorted(active)}, not {sorted(expected)}"


def _history(connection: Connection, ids: str, files: Files) -> Iterator[str]:
    """Versions follow one another without gaps, each is of a file, and the open one is the newest record."""
    yield from _newest(connection, "fault_history", ids, files)
    query = """
        select id, value, valid_from, valid_to, lead(valid_from) over (partition by id order by valid_from) as next
        from silver.fault_history_history where id like :ids
    """
    versions = {(seen_at, *pair) for seen_at, file in files for pair in file.valid}
    opened = {}
    for name, value, valid_from, valid_to, following in _rows(connection, query, ids):
        if valid_to != following:
            yield f"history: {name} from {valid_from} ends {valid_to}, the next version begins {following}"
        if (valid_from, name, value) not in versions:
            yield f"history: {name} was never {value} at {valid_from}"
        if valid_to is None:
            opened[name] = value
    if opened != (expected := dict(pair for _, file in files for pair in file.valid)):
        yield f"history: open versions {opened}, not {expected}"


def _newest(connection: Connection, dataset: str, ids: str, files: Files) -> Iterator[str]:
    rows = dict(_rows(connection, f"select id, value from silver.{dataset} where id like :ids", ids))  # noqa: S608
    expected = dict(pair for _, file in files for pair in file.valid)
    if rows != expected:
        yield f"{dataset}: {rows}, not {expected}"


def _rows(connection: Connection, query: str, ids: str) -> list[Any]:
    return [tuple(row) for row in connection.execute(text(query), {"ids": ids})]


CHECKS: Mapping[str, Check] = {"fault_append": _append, "fault_snapshot": _snapshot, "fault_history": _history}
