"""The tables of datasets that readers may see, and their columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Column

from services.serving.database import ApiError
from shared.datasets import readable, registry
from shared.datasets.dataset import Dataset
from shared.datasets.silver_tables import DIALECT
from shared.errors import PermanentError


@dataclass(frozen=True)
class ReadableTable:
    """A table with the columns that readers may see, its key among them."""

    name: str
    description: str | None
    columns: Mapping[str, "Column[Any]"]
    key: tuple["Column[Any]", ...]
    withheld: tuple[str, ...]


class DatasetColumn(BaseModel):
    """A column of a dataset's table."""

    name: str
    type: str = Field(description="as Postgres names it")
    description: str | None
    key: bool = Field(description="whether it is part of the primary key")
    required: bool


class DatasetTable(BaseModel):
    """A table of a dataset."""

    name: str
    description: str | None
    columns: list[DatasetColumn]
    withheld: list[str] = Field(description="columns that are not served, by their classification")


class DatasetSummary(BaseModel):
    """A dataset, from its contract."""

    name: str
    title: str | None
    description: str | None
    version: int
    disposition: str = Field(description="merge, append, snapshot or history: what a record is to those before it")
    tables: list[DatasetTable] = Field(description="the first has a row a record; none if its key is withheld")


def dataset(name: str) -> Dataset:
    """A dataset. Raises ApiError for an unknown one."""
    try:
        return registry.dataset(name)
    except PermanentError as error:
        raise ApiError(404, str(error)) from error


def tables(of: Dataset) -> dict[str, ReadableTable]:
    """The tables of a dataset that can be read, the root table first. Without a column of its key, a table cannot."""
    all_tables = (
        ReadableTable(
            table.name,
            table.comment,
            {column.name: column for column in readable.columns(of, table)},
            (*table.primary_key.columns,),
            tuple(sorted(readable.withheld(of, table))),
        )
        for table in of.tables.all
    )
    return {table.name: table for table in all_tables if {key.name for key in table.key} <= {*table.columns}}


def table(of: Dataset, name: str | None) -> ReadableTable:
    """A table, by default the root table. Raises ApiError."""
    readable_tables = tables(of)
    if not readable_tables:
        raise ApiError(403, f"dataset {of.name}: its key is withheld, by the classification in its contract")
    if (name or of.tables.root.name) not in readable_tables:
        raise ApiError(422, f"table: {of.name} has {', '.join(readable_tables)}")
    return readable_tables[name or of.tables.root.name]


def summary(of: Dataset) -> DatasetSummary:
    """A dataset's contract, for readers."""
    contract = of.contract
    return DatasetSummary(
        name=of.name,
        title=contract.title,
        description=contract.purpose,
        version=of.version,
        disposition=contract.options.disposition,
        tables=[_table(item) for item in tables(of).values()],
    )


def _table(item: ReadableTable) -> DatasetTable:
    columns = [
        DatasetColumn(
            name=column.name,
            type=column.type.compile(DIALECT).lower(),
            description=column.comment,
            key=column.primary_key,
            required=not column.nullable,
        )
        for column in item.columns.values()
    ]
    return DatasetTable(name=item.name, description=item.description, columns=columns, withheld=[*item.withheld])
