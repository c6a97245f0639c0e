"""A dataset that only a test has: its files are written to a folder, and it is gone afterwards."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import Engine

from shared.datasets import consistency, registry
from shared.datasets.contract.document import SUFFIX
from shared.datasets.dataset import Dataset
from shared.datasets.silver_tables import METADATA

Properties = Sequence[Mapping[str, Any]]
ID = {"name": "id", "logicalType": "string", "primaryKey": True}


def smelt(**options: Any) -> dict[str, Any]:
    """The custom property with what the standard has no word for."""
    return {"customProperties": [{"property": "smelt", "value": options}]}


def contract(name: str, properties: Properties = (), *children: Mapping[str, Any], **others: Any) -> dict[str, Any]:
    """A contract of one table, whose key is `id` unless one of the properties is part of the key."""
    keyed = any(item.get("primaryKey") for item in properties)
    root = {"name": name, "properties": [*([] if keyed else [ID]), *properties]}
    head = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": name, "version": "1.0.0", "status": "active"}
    return {**head, "schema": [root, *children], **others}


@contextmanager
def own_dataset(folder: Path, content: Mapping[str, Any] | str, code: str = "", name: str = "mine") -> Iterator[Path]:
    """The path of the contract's file."""
    path = write(folder, content, name)
    if code:
        (folder / f"{name}.py").write_text(code)
    with registered(folder):
        yield path


def write(folder: Path, content: Mapping[str, Any] | str, name: str) -> Path:
    """Write a contract."""
    path = folder / f"{name}{SUFFIX}"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False))
    return path


@contextmanager
def registered(folder: Path) -> Iterator[None]:
    """The contracts of a folder are known here, and in processes that are started."""
    datasets = registry._datasets()
    before = {table.key for dataset in datasets.values() for table in dataset.tables.all} | set(METADATA.tables)
    folders = os.environ.get(registry.FOLDERS)
    os.environ[registry.FOLDERS] = str(folder)
    names = [file.name.removesuffix(SUFFIX) for file in folder.glob(f"*{SUFFIX}")]
    datasets.update((name, Dataset(folder / f"{name}{SUFFIX}")) for name in names)
    try:
        yield
    finally:
        os.environ.pop(registry.FOLDERS)
        if folders is not None:
            os.environ[registry.FOLDERS] = folders
        for table in [table for key, table in METADATA.tables.items() if key not in before]:
            METADATA.remove(table)
        for name in (file.name.removesuffix(SUFFIX) for file in folder.glob(f"*{SUFFIX}")):
            datasets.pop(name)
            sys.modules.pop(f"smelt_datasets_{name}", None)
        consistency.check.cache_clear()


@contextmanager
def own_tables(engine: Engine, name: str = "mine") -> Iterator[None]:
    """The dataset's tables, until the end."""
    tables = [*registry.dataset(name).tables.all]
    tables[0].metadata.create_all(engine, tables)
    try:
        yield
    finally:
        tables[0].metadata.drop_all(engine, tables)
