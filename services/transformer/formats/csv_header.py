"""Which line of a CSV file is its header, what separates its values, and which fields its columns are."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.transformer.formats.csv_lines import Line, Lines, parsed
from shared.datasets.contract.raw_model import aliases
from shared.datasets.dataset import Dataset
from shared.errors import PermanentError

DELIMITERS = (",", ";", "\t", "|")
LOOKED_AT = 20  # lines, of which the last may be the header: titles and blank lines stand above it
SHOWN = 200  # characters of a header in a message
SEPARATOR = "sep="  # how Excel is told the delimiter, in the first line
INVISIBLE = "\ufeff\u200b\u2060"  # what stays when texts are copied out of web pages


@dataclass(frozen=True)
class Header:
    """The fields in the order of the columns."""

    delimiter: str
    fields: Sequence[str]


def read_header(source: Lines, dataset: Dataset) -> Header:
    """Take the header and what stands above it. Raises PermanentError where no line is one, or it is not clear."""
    dialect = dataset.csv
    first = [line for _, line in zip(range(LOOKED_AT), source, strict=False)]
    delimiters: Sequence[str] = (dialect.delimiter,) if dialect.delimiter else DELIMITERS
    if told := _told(first):
        delimiters, first = (told,), first[1:]
    for n, line in enumerate(first):
        if dialect.comment and line.text.startswith(dialect.comment):
            continue
        candidates = {header.fields: (header, used) for header, used in _candidates(first[n:], delimiters, dataset)}
        if len(candidates) > 1:
            message = f"CSV with a header that can be read in several ways: {_shown(line)}"
            raise PermanentError(message)
        for header, used in candidates.values():
            _refuse_repeated(header, line)
            source.put_back(first[n + used :])
            return header
    names = ", ".join(dataset.content_key or dataset.record_model.model_fields)
    shown = next((_shown(line) for line in first if line.raw.strip()), "nothing")
    message = f"neither JSON nor Parquet, and as CSV it lacks the columns {names}; its first line is {shown}"
    raise PermanentError(message)


def _told(lines: Sequence[Line]) -> str:
    text = lines[0].text.strip('\r\n"') if lines else ""
    return text[-1] if text.lower().startswith(SEPARATOR) and len(text) == len(SEPARATOR) + 1 else ""


def _candidates(lines: Sequence[Line], delimiters: Sequence[str], dataset: Dataset) -> Iterator[tuple[Header, int]]:
    """Readings of the first line in which all columns of the natural key are, and how many lines they take."""
    fields = {
        _folded(alias): alias
        for name, field in dataset.record_model.model_fields.items()
        for alias in aliases(name, field)
    }
    for delimiter in delimiters:
        reader = parsed((line.text for line in lines if line.whole), delimiter, dataset.csv.quote_mark)
        try:
            names = [cleaned(name) for name in next(reader)]
        except (csv.Error, StopIteration):
            continue
        columns = [name if name in fields.values() else fields.get(_folded(name), name) for name in names]
        named = tuple(name or f"column {n}" for n, name in enumerate(columns, start=1))
        if _is_header(named, dataset, set(fields.values())):
            yield Header(delimiter, named), reader.line_num


def _refuse_repeated(header: Header, line: Line) -> None:
    repeated = [name for name, times in Counter(header.fields).items() if times > 1]
    if repeated:
        message = f"CSV with more than one column {', '.join(repeated)}: {_shown(line)}"
        raise PermanentError(message)


def _is_header(names: Sequence[str], dataset: Dataset, declared: set[str]) -> bool:
    """All columns of the natural key; of a dataset without one, at least half of the declared columns."""
    if dataset.content_key:
        return set(dataset.content_key) <= set(names)
    return 2 * len(declared & set(names)) >= len(declared)


def cleaned(name: str) -> str:
    """A column's name without what is not seen of it."""
    text = name.encode(errors="surrogateescape").decode(errors="backslashreplace")
    return text.strip().strip(INVISIBLE).strip()


def _folded(name: str) -> str:
    return name.casefold()


def _shown(line: Line) -> str:
    return repr(line.raw.decode(errors="backslashreplace").strip("\r\n")[:SHOWN])
