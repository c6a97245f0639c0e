"""A dataset: the parts that its contract, and the code beside it, define."""

import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from shared.datasets.contract import document
from shared.datasets.contract.document import Contract
from shared.datasets.contract.options import BatchLimits, CsvOptions
from shared.datasets.source import Source
from shared.errors import PermanentError

if TYPE_CHECKING:
    import pandera.polars as pa
    from pydantic import BaseModel
    from sqlalchemy import Table

    from shared.datasets.contract.cursor import Cursor

# One record, normalised: the root table's columns, and under each child table's name a list of that table's rows.
Row = dict[str, Any]
DIGITS = 16  # of a digest


@dataclass(frozen=True)
class Tables:
    """Where the rows go. The root's primary key is the natural key; the children's keys begin with it."""

    root: "Table"
    children: "tuple[Table, ...]"
    last_seen: "Table"
    history: "Table | None" = None  # of all versions of the root table's rows

    @property
    def all(self) -> "tuple[Table, ...]":
        """Every table of the dataset."""
        return (self.root, *self.children, self.last_seen, *([] if self.history is None else [self.history]))


@dataclass(eq=False)
class Dataset:
    """Each part is built on first use, so that a service imports only the libraries of the parts that it uses.

    Whatever is wrong with the contract or the code is a PermanentError that names the file and the place.
    """

    path: Path  # of the contract
    package: str | None = None  # what the code beside it is imported from; None for a folder that is no package

    @cached_property
    def name(self) -> str:
        """The name of the contract's file."""
        return self.path.name.removesuffix(document.SUFFIX)

    @property
    def files(self) -> list[Path]:
        """The files that define it."""
        return [path for path in (self.path, self._code_path) if path.exists()]

    @cached_property
    def contract(self) -> Contract:
        """The contract's content."""
        _ = self.digest  # before it is read: a change from here on is noticed
        return document.read(self.path)

    @cached_property
    def digest(self) -> str:
        """The digest of the files that this process runs: of their content when they were first asked for."""
        return self.stored_digest()

    def stored_digest(self) -> str:
        """The digest of the files as they are now."""
        digest = sha256()
        for file in self.files:
            digest.update(f"{file.name}\0".encode() + sha256(file.read_bytes()).digest())
        return digest.hexdigest()[:DIGITS]

    @cached_property
    def version(self) -> int:
        """The transform version: higher wherever the same record may give other rows."""
        return self.contract.version

    @property
    def records_path(self) -> tuple[str, ...]:
        """Where a JSON document has its list of records: names of nested fields."""
        return self.contract.options.records

    @property
    def count_path(self) -> tuple[str, ...]:
        """Where a document says how many records it has; empty where it does not."""
        return self.contract.options.count

    @property
    def total_path(self) -> tuple[str, ...]:
        """Where a document says how many records its query has; where that is 0, the list may be null or absent."""
        return self.contract.options.total

    @cached_property
    def key_fields(self) -> tuple[str, ...]:
        """The record's fields that are its natural key, in the order of the root's primary key."""
        return tuple(column.path[0] for column in self.contract.root.key)

    @cached_property
    def key_parts(self) -> tuple[str, ...]:
        """Fields whose values are in the keys of uploads: `name=value`."""
        return tuple(column.path[0] for column in self.contract.root.columns if column.from_key)

    @cached_property
    def content_key(self) -> tuple[str, ...]:
        """The fields of the natural key that every record of a file has."""
        return tuple(name for name in self.key_fields if name not in self.key_parts)

    @property
    def ignored(self) -> frozenset[str]:
        """Paths of fields that are known and deliberately not kept."""
        source = self.contract.options.source
        of_parent = source.parent.fields if source and source.parent else ()
        return self.contract.options.ignored | self.volatile | set(of_parent)

    @property
    def volatile(self) -> frozenset[str]:
        """Paths of fields that tell how a record was found: they are not kept and do not count as a change of it."""
        return self.contract.options.volatile

    @cached_property
    def known_values(self) -> Mapping[str, frozenset[str]]:
        """{path of a field: its documented values}; others are drift."""
        return {
            path: frozenset(map(str, column.valid_values))
            for table in self.contract.tables
            for column in table.columns
            if column.valid_values
            for path in table.paths(column)
        }

    @property
    def appends(self) -> bool:
        """Whether every record is a row of its own, known by its object and its place in it."""
        return self.contract.options.disposition == "append"

    @property
    def is_snapshot(self) -> bool:
        """Whether a complete file or run has all records, so that others are gone."""
        return self.contract.options.disposition == "snapshot"

    @property
    def rescues(self) -> bool:
        """Whether fields that are not declared are kept, as JSON."""
        return self.contract.options.evolution != "report"

    @property
    def evolves(self) -> bool:
        """Whether fields that are not declared become columns."""
        return self.contract.options.evolution == "evolve"

    @property
    def csv(self) -> CsvOptions:
        """How its CSV files are written."""
        return self.contract.options.csv

    @property
    def limits(self) -> BatchLimits:
        """When a batch or a run as a whole is suspicious."""
        return self.contract.options.batch_limits

    @property
    def freshness(self) -> int | None:
        """Seconds that the newest complete run of all of it may be old. None promises nothing."""
        return self.contract.freshness

    @cached_property
    def record_model(self) -> "type[BaseModel]":
        """The pydantic model of a record as the source sends it."""
        from shared.datasets.contract import record_model

        return record_model.build(self.contract)

    @cached_property
    def tables(self) -> Tables:
        """The SQLAlchemy tables."""
        from shared.datasets.contract import tables

        return Tables(*tables.build(self.contract))

    @cached_property
    def checks(self) -> "Mapping[str, pa.DataFrameSchema]":
        """{table: pandera schema}. A row of any table that fails a check rejects its whole record.

        A check with `raise_warning=True` only warns: its failures are counted and the record is loaded.
        """
        from shared.datasets.contract import checks

        return checks.build(self.contract)

    @cached_property
    def normalise(self) -> Callable[[Any], Row]:
        """The function from a validated record to the rows of all tables, in a dict that is the caller's."""
        from shared.datasets.contract import rows

        build, adapt = rows.builder(self.contract), getattr(self._code, "normalise", None)
        return build if adapt is None else lambda record: adapt(build(record))

    @cached_property
    def source(self) -> Source:
        """How to fetch it. Raises PermanentError for a dataset that is loaded from files only."""
        if (source := getattr(self._code, "SOURCE", None)) is not None:
            return cast("Source", source)
        if self.contract.options.source is None:
            message = f"dataset {self.name!r} has no source: it is loaded from files"
            raise PermanentError(message)
        from shared.datasets.rest_source import RestSource

        return RestSource(self.contract.options)

    @cached_property
    def cursor(self) -> "Cursor | None":
        """By what its runs request only what has changed; None for a source whose runs request everything."""
        from shared.datasets.contract import cursor

        return None if hasattr(self._code, "SOURCE") else cursor.build(self.contract)

    @property
    def has_source(self) -> bool:
        """Whether there is an API to extract it from."""
        return hasattr(self._code, "SOURCE") or self.contract.options.source is not None

    @property
    def _code_path(self) -> Path:
        return self.path.with_name(f"{self.name}.py")

    @cached_property
    def _code(self) -> ModuleType | None:
        if not self._code_path.exists():
            return None
        if self.package is not None:
            return importlib.import_module(f"{self.package}.{self.name}")
        name = f"smelt_datasets_{self.name}"
        spec = importlib.util.spec_from_file_location(name, self._code_path)
        assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - it is a Python file
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
