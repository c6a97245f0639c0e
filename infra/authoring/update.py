"""Proposes changes of a contract: what a sample, or the columns that the loader added, have beyond it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import unified_diff
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from infra.authoring import contract_text, structure
from infra.authoring.contract_edit import ContractText
from infra.authoring.file_content import LIMITS, opened
from infra.authoring.sample import MAX_RECORDS
from infra.authoring.structure import Column
from infra.authoring.value_types import ValueType, value_type
from services.transformer import formats
from services.transformer.transform import parse
from shared.datasets.contract import document, field_types
from shared.datasets.contract.raw_model import has_value
from shared.datasets.dataset import Dataset
from shared.datasets.identifiers import identifier

MAX_SHARE = 0.5  # of values that do not fit a type, above which text is proposed
SCALE, DIGITS = 10, 38  # of a numeric whose digits are not known
INTEGERS = ("smallint", "integer", "bigint")  # each has the values of those before
BITS = {"smallint": 16, "integer": 32, "bigint": 64}
# {type of an evolved column: that of its property}
EVOLVED: Mapping[str, ValueType] = {
    "boolean": ValueType("boolean"),
    "bigint": ValueType("integer"),
    "numeric": ValueType("number", physical=f"numeric({DIGITS},{SCALE})"),
    "date": ValueType("date"),
    "jsonb": ValueType("object"),
    "text": ValueType("string"),
}


@dataclass
class Update:
    """A proposal. Nothing is removed or made narrower."""

    path: Path
    text: ContractText
    notes: list[str] = field(default_factory=list)

    @property
    def diff(self) -> str:
        """The difference between the contract's file and the proposal; empty where there is none."""
        before, after = self.text.text.splitlines(keepends=True), self.new_text.splitlines(keepends=True)
        return "".join(unified_diff(before, after, str(self.path), str(self.path), n=1))

    @property
    def new_text(self) -> str:
        """The text of the proposal, with a raised version where it has changes."""
        return self.text.with_next_version().edited if self.text.edits else self.text.text

    def write(self) -> None:
        """Write the proposal into the contract's file. Raises ContractError, and changes nothing, if it is invalid."""
        self.path.write_text(self.new_text, encoding="utf-8")
        try:
            document.read(self.path)
        except document.ContractError:
            self.path.write_text(self.text.text, encoding="utf-8")
            raise


def from_sample(dataset: Dataset, path: Path) -> Update:
    """What the records of a file have beyond the contract. Raises PermanentError for a file that cannot be read."""
    update = Update(dataset.path, ContractText(dataset.path.read_text(encoding="utf-8")))
    records = _records(dataset, path)
    texts = all(isinstance(value, str | None) for record in records for value in record.values())
    known = _known_paths(dataset)
    for table in structure.tables(dataset.contract.root.name, records, texts=texts):
        prefix = f"{'.'.join(table.path)}[]." if table.path else ""
        new = [column for column in table.columns if not _is_known(prefix + ".".join(column.path), known)]
        _add(update, dataset, table, new)
    _widen(update, dataset, records, texts=texts)
    return update


def from_columns(dataset: Dataset, columns: Sequence[tuple[str, str, str]]) -> Update:
    """What the loader added: (path, name, type) of columns."""
    update = Update(dataset.path, ContractText(dataset.path.read_text(encoding="utf-8")))
    known = _known_paths(dataset)
    declared = {column.name for column in dataset.contract.root.columns}
    new = [
        Column(name, tuple(path.split(".")), EVOLVED[kind], ())
        for path, name, kind in columns
        if kind in EVOLVED and name not in declared and not _is_known(path, known)
    ]
    if new:
        update.text = update.text.with_property(0, [contract_text.property_text(column) for column in new])
    return update


def _records(dataset: Dataset, path: Path) -> list[dict[str, Any]]:
    """Records with all their fields, also of formats of which only declared ones are read."""
    whole = Dataset(dataset.path, dataset.package)
    options = dataset.contract.options.model_copy(update={"evolution": "rescue"})
    whole.contract = replace(dataset.contract, options=options)
    whole.record_model = dataset.record_model
    with opened(path) as stream:
        content = formats.read_upload(stream, whole, LIMITS)
        records = [parse(encoded, LIMITS) for encoded in islice(content.records, MAX_RECORDS)]
    return [record for record in records if isinstance(record, dict)]


def _known_paths(dataset: Dataset) -> set[str]:
    columns = {path for table in dataset.contract.tables for column in table.columns for path in _paths(table, column)}
    return columns | dataset.ignored


def _paths(table: document.Table, column: document.Column) -> Iterator[str]:
    if column.path:
        yield from table.paths(column)


def _is_known(path: str, known: set[str]) -> bool:
    """Whether the field is declared, or lies in one that is, such as an object that is kept as JSON."""
    return any(path == name or path.startswith((f"{name}.", f"{name}[].")) for name in known)


def _add(update: Update, dataset: Dataset, table: structure.Table, new: Sequence[Column]) -> None:
    place = next((n for n, own in enumerate(dataset.contract.tables) if _list_of(own) == table.path), None)
    used = set() if place is None else {column.name for column in dataset.contract.tables[place].columns}
    used |= {column.name for column in dataset.contract.root.key} | {own.name for own in dataset.contract.tables}
    named = []
    for column in new:
        named.append(replace(column, name=identifier(".".join(column.path), used)))
        used.add(named[-1].name)
    if not named:
        return
    if place is None:
        own = replace(table, columns=named, name=identifier(table.name, {own.name for own in dataset.contract.tables}))
        update.text = update.text.with_schemas([contract_text.schema_lines(own)])
    else:
        update.text = update.text.with_property(place, [contract_text.property_text(column) for column in named])
    update.notes += (f"{column.name}: {column.type.note}" for column in named if column.type.note)


def _list_of(table: document.Table) -> tuple[str, ...]:
    return table.path if table.is_list else ()


def _widen(update: Update, dataset: Dataset, records: Sequence[Mapping[str, Any]], *, texts: bool) -> None:
    """Widen types of the first table that values do not fit."""
    for number, column in enumerate(dataset.contract.root.columns):
        values = [value for record in records if has_value(value := _at(record, column.path))] if column.path else []
        misfits = [value for value in values if not _fits(value, column)]
        if not misfits:
            continue
        wider = _wider(column, values, len(misfits) / len(values), texts=texts)
        if wider is None or column.key or column.limits or column.valid_values:
            share = f"{len(misfits):,} of {len(values):,} values do not fit {column.type} and would be rejected"
            update.notes.append(f"{column.name}: {share}, such as {str(misfits[0])[:40]}")
        else:
            update.text = update.text.with_type(0, number, wider)


def _wider(column: document.Column, values: Sequence[Any], share: float, *, texts: bool) -> Mapping[str, str] | None:
    """The types of the property that has all values, and all that the column has; None where there is none."""
    kind = value_type(values, "", texts=texts)
    if column.type.name in INTEGERS and not column.type.array:
        if kind.logical == "integer" and not kind.format:
            return {"physicalType": "bigint"}
        if kind.logical == "number":
            return {"logicalType": "number", "physicalType": f"numeric({DIGITS},{SCALE})"}
    if share > MAX_SHARE and column.type.name != "text" and not column.type.array:
        return {"logicalType": "string", "physicalType": "text"}
    return None


def _fits(value: Any, column: document.Column) -> bool:
    try:
        adapted = TypeAdapter(field_types.of_column(column)).validate_python(value)
    except (ValidationError, PydanticCustomError):
        return False
    bits = BITS.get(column.type.name)
    return bits is None or not isinstance(adapted, int) or -(2 ** (bits - 1)) <= adapted < 2 ** (bits - 1)


def _at(record: Any, path: Sequence[str]) -> Any:
    for name in path:
        record = record.get(name) if isinstance(record, dict) else None
    return record
