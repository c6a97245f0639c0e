"""Infers a contract from a sample."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.authoring import keys, sample, structure
from infra.authoring.contract_text import contract_text
from infra.authoring.structure import Column, Table
from shared.datasets.contract.document import SUFFIX
from shared.datasets.identifiers import identifier
from shared.errors import PermanentError


@dataclass(frozen=True)
class Inferred:
    """An inferred contract, with notes about the sample for its author."""

    name: str
    text: str
    format: str
    tables: Sequence[Table]
    key: Sequence[Column]
    notes: Sequence[str]

    def write(self, folder: Path, *, replace: bool) -> Path:
        """The path of the new contract. Raises PermanentError where there is one that may not be replaced."""
        path = folder / f"{self.name}{SUFFIX}"
        if path.exists() and not replace:
            message = f"{path} exists: choose another --name or --out, or --replace it"
            raise PermanentError(message)
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(self.text, encoding="utf-8")
        return path


def infer(
    path: Path, name: str | None, key_names: Sequence[str] | None, records_path: str | None, sheet: str | None = None
) -> Inferred:
    """The contract of a file. Where `key_names` is None a key is proposed; where it is empty, records have no key.

    Raises PermanentError where records cannot be read, and where no key tells them apart.
    """
    name = name or identifier(path.name.partition(".")[0])
    records = sample.read(path, records_path, sheet)
    root, *children = structure.tables(name, records.records, texts=records.texts)
    key = keys.chosen(root, key_names) if key_names is not None else keys.propose(root)
    names = [column.name for column in key]
    tables = [root, *(structure.without_names(child, names) for child in children)]
    options = records.options if key else {**records.options, "disposition": "append"}
    comment = f"Inferred from {path.name} ({records.format}, {root.rows:,} records) by `smelt datasets infer`."
    notes = [*_notes(tables, key, records)]
    if key_names is None:
        notes.insert(0, f"the key {', '.join(names)} is a proposal: unique in this sample; --key chooses another")
    text = contract_text(name, tables, key, options, comment)
    return Inferred(name, text, records.format, tables, key, notes)


def _notes(tables: Sequence[Table], key: Sequence[Column], records: sample.Sample) -> list[str]:
    notes = []
    if records.unreadable:
        notes.append(f"{records.unreadable:,} records could not be parsed")
    if nulls := sum(column.nulls for column in key):
        notes.append(f"the key is blank in {nulls:,} records, which will be rejected")
    elif key and (twice := keys.repeated(key)):
        notes.append(f"the key is repeated by {twice:,} records: of those with one key, the last is kept")
    notes += (f"{column.name}: {column.type.note}" for table in tables for column in table.columns if column.type.note)
    return notes
