"""Converts CSV values by the contract's CSV options: words for null, decimal and thousands marks."""

from collections.abc import Iterator, Mapping

from shared.datasets.contract.document import Contract
from shared.datasets.dataset import Dataset

NUMBERS = frozenset(("bigint", "integer", "smallint", "numeric", "double precision"))
Record = Mapping[str, str | None]


class Values:
    """The conversion of a dataset's records, which leaves alone what its contract says nothing of."""

    def __init__(self, dataset: Dataset) -> None:
        self._dialect = dataset.csv
        # A point that is neither mark makes a comma, so that its value is rejected and not taken for another number.
        self._marks = str.maketrans({".": ",", ",": "."} if self._dialect.decimal == "," else {})
        marked = self._dialect.thousands or self._dialect.decimal != "."
        self._numbers = frozenset(_fields_of_numbers(dataset.contract)) if marked else frozenset[str]()

    def converted(self, record: dict[str, str]) -> Record:
        """The record with null for its words, and numbers as JSON writes them."""
        if not self._dialect.nulls and not self._numbers:
            return record
        return {name: self._value(name, value) for name, value in record.items()}

    def _value(self, name: str, value: str) -> str | None:
        if value.strip() in self._dialect.nulls:
            return None
        if name not in self._numbers:
            return value
        return value.replace(self._dialect.thousands or "", "").translate(self._marks)


def _fields_of_numbers(contract: Contract) -> Iterator[str]:
    for column in contract.root.columns:
        if column.type.name in NUMBERS and len(column.path) == 1:
            yield from (*column.path, *column.aliases)
