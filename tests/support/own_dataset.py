"""A dataset that only a test has: its files are written to a folder, and it is gone afterwards."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared import datasets
from shared.datasets import consistency, contract, definition
from shared.datasets.silver_tables import METADATA

FLAT = "from shared.datasets.flat_defaults import COUNT, IGNORED, KNOWN_VALUES, LIMITS, RECORDS, TOTAL, VOLATILE\n"
RAW = (
    f'{FLAT}from shared.datasets.raw_model import RawModel\nfrom shared.datasets.field_types import *\nKEY = ("id",)\n'
)
TABLES = """
from sqlalchemy import *
from shared.datasets.silver_tables import METADATA, last_seen, provenance
ROOT = Table("{name}", METADATA, {columns}, provenance())
CHILDREN = ()
LAST_SEEN = last_seen(ROOT)
"""
NORMALISE = "VERSION = 1\n\n\ndef normalise(record):\n    return dict(record)\n"


def files(name: str, record: str, columns: str, **others: str) -> dict[str, str]:
    """The files of a flat dataset: the fields of its record and the columns of its table, as they are written."""
    modules = {
        "__init__": "",
        "raw": f"{RAW}\n\nclass Record(RawModel):\n    {record}\n",
        "normalise": NORMALISE,
        "gate": "GATE = {}\n",
        "tables": TABLES.format(name=name, columns=columns),
    }
    return modules | others


@contextmanager
def own_dataset(folder: Path, name: str, modules: dict[str, str]) -> Iterator[Path]:
    """The dataset's folder."""
    home = folder / name
    home.mkdir()
    for module, content in modules.items():
        (home / f"{module}.py").write_text(content)
    datasets.__path__.append(str(folder))
    before = set(METADATA.tables)
    try:
        yield home
    finally:
        datasets.__path__.remove(str(folder))
        for table in [table for key, table in METADATA.tables.items() if key not in before]:
            METADATA.remove(table)
        for module in [module for module in sys.modules if module.startswith(f"shared.datasets.{name}")]:
            del sys.modules[module]
        vars(datasets).pop(name, None)
        for cached in (contract._module, definition.loaded, consistency.check):
            cached.cache_clear()
