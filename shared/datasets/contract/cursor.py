"""The cursor of an incremental source: the field by which a run requests only what has changed. No I/O."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter, ValidationError

from shared.datasets.contract import field_types, time_format
from shared.datasets.contract.document import Column, Contract, ContractError
from shared.datasets.contract.source_options import IncrementalOptions
from shared.datasets.json_path import value_at
from shared.errors import PermanentError

Value = Any  # int, date, or datetime in UTC without a zone: by the kind of the cursor
KINDS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("bigint", "integer", "smallint"), "integer"),
        "date": "date",
        **dict.fromkeys(("timestamp", "timestamptz"), "timestamp"),
    }
)
UNITS: Mapping[str, timedelta] = MappingProxyType(
    {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1), "s": timedelta(seconds=1)}
)
# By default, what a source stores late or under a clock of its own is requested once more.
OVERLAPS: Mapping[str, str] = MappingProxyType({"integer": "0", "date": "1d", "timestamp": "1h"})


@dataclass(frozen=True)
class Cursor:
    """Values are compared as `kind` has them; a state is kept as text (`to_text`, `parse`)."""

    path: tuple[str, ...]
    param: str
    kind: str  # integer, date or timestamp
    overlap: int | timedelta
    initial: Value | None
    format: str | None  # of the param; None for ISO 8601
    _read: Callable[[Any], Value | None]

    def of_record(self, record: object) -> Value | None:
        """A record's cursor; None if it has none that can be read."""
        try:
            return self._read(value_at(record, self.path))
        except ValidationError:
            return None

    def parse(self, text: str) -> Value:
        """The value of a state. Raises PermanentError for a text that is none."""
        try:
            return PARSERS[self.kind](text.strip())
        except ValueError as error:
            message = f"{text!r} is no cursor: {self.param} is a {self.kind}"
            raise PermanentError(message) from error

    @staticmethod
    def to_text(value: Value) -> str:
        """The value as a state has it."""
        return f"{value.isoformat()}Z" if isinstance(value, datetime) else str(value)

    def start(self, state: str | None) -> str:
        """The param of a run that begins at this state: less the overlap, or the initial value without a state.

        Raises PermanentError for a state of another kind.
        """
        value = self.initial if state is None else _minus(self.parse(state), self.overlap)
        return "" if value is None else _formatted(value, self.format)

    @staticmethod
    def capped(value: Value, begin: datetime) -> Value:
        """At most the time at which a run began: what changed later may be absent from pages that were fetched before.

        So a time in the future, which some record of most sources has, hides no later change.
        """
        if isinstance(value, datetime):
            return min(value, begin.astimezone(UTC).replace(tzinfo=None))
        return min(value, begin.astimezone(UTC).date()) if isinstance(value, date) else value


def build(contract: Contract) -> Cursor | None:
    """The cursor of a contract, None without one. Raises ContractError if its options do not fit together."""
    options = contract.options.source.incremental if contract.options.source else None
    if options is None:
        return None
    column = _column(contract, options.cursor)
    kind, format_ = KINDS[column.type.name], options.format or column.limits.get("format")
    if format_ and kind != "integer":
        time_format.parser(format_)  # raises for an unknown format
    read = TypeAdapter(field_types.of_column(column)).validate_python
    try:
        initial = None if options.initial is None else read(options.initial)
    except ValidationError as error:
        message = f"incremental.initial {options.initial!r} is no value of {column.name}"
        raise ContractError(message) from error
    return Cursor(options.cursor, options.param, kind, _overlap(options, kind), initial, format_, read)


def _column(contract: Contract, path: tuple[str, ...]) -> Column:
    """The property that the cursor is a field of: it says what the values are."""
    for column in contract.root.columns:
        if column.path == path and column.type.name in KINDS and not column.type.array:
            return column
    message = (
        f"incremental.cursor {'.'.join(path)}: the first schema has no property of this field"
        " that is a date, a timestamp or an integer"
    )
    raise ContractError(message)


def _overlap(options: IncrementalOptions, kind: str) -> int | timedelta:
    text = OVERLAPS[kind] if options.overlap is None else options.overlap
    number, unit = text.rstrip("dhms"), text.lstrip("0123456789")
    if unit not in {"integer": {""}, "date": {"d"}}.get(kind, UNITS.keys()):
        message = f"incremental.overlap {text!r} of a {kind}: a number" + ("" if kind == "integer" else " of days (1d)")
        raise ContractError(message + (", hours (1h), minutes or seconds" if kind == "timestamp" else ""))
    return int(number) * UNITS[unit] if unit else int(number)


def _minus(value: Value, overlap: int | timedelta) -> Value:
    try:
        return value - overlap
    except OverflowError:
        return type(value).min


def _formatted(value: Value, format_: str | None) -> str:
    """As the source takes it; fractions of seconds are dropped, so that the text is never later than the value."""
    if isinstance(value, int):
        return str(value)
    if format_ is None:
        return f"{value.isoformat(timespec='seconds')}Z" if isinstance(value, datetime) else value.isoformat()
    moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)  # noqa: DTZ001
    moment = moment.replace(tzinfo=UTC)
    if unit := time_format.EPOCHS.get(format_):
        return str((moment - time_format.EPOCH) // timedelta(**{unit: 1}))
    return moment.strftime(time_format.to_strptime(format_))


def _timestamp(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value


PARSERS: Mapping[str, Callable[[str], Value]] = MappingProxyType(
    {"integer": int, "date": date.fromisoformat, "timestamp": _timestamp}
)
