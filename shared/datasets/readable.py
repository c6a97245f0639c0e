"""The columns of a dataset's tables that readers may see."""

from sqlalchemy import Column, Table

from shared.datasets.contract.document import RESCUED
from shared.datasets.dataset import Dataset
from shared.datasets.silver_tables import PROVENANCE

OBSERVED = ("observed_at", "first_seen_at", "inactive_since")  # of the table of the newest observations


def columns(dataset: Dataset, table: Table) -> list["Column[object]"]:
    """Columns of one of the dataset's tables, without those that its contract withholds, and without smelt's own.

    Fields that the contract does not declare have no classification: they are withheld where any column is.
    """
    hidden = withheld(dataset, table)
    if table is dataset.tables.last_seen:
        own = {*table.primary_key.columns.keys(), *OBSERVED}
    else:
        own = {*table.columns.keys()} - {PROVENANCE}
    return [column for column in table.columns if column.name in own - hidden]


def withheld(dataset: Dataset, table: Table) -> set[str]:
    """Names of the columns of the table that the contract withholds."""
    by_table = {
        item.name: {column.name for column in item.columns if column.withheld} for item in dataset.contract.tables
    }
    of_root = by_table[dataset.tables.root.name]
    names = by_table.get(table.name, of_root) | (of_root & {*dataset.tables.root.primary_key.columns.keys()})
    if any(by_table.values()):
        names = names | {RESCUED}
    return names & {*table.columns.keys()}
