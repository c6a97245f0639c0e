"""Reads a contract's file, validates it, and converts it to the types that the other modules build from."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from open_data_contract_standard.model import DataQuality, OpenDataContractStandard, SchemaObject, SchemaProperty
from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel, to_pascal

from shared.datasets.contract import classification, options, time_format
from shared.datasets.contract.column_types import ColumnType, column_type
from shared.datasets.contract.options import ColumnOptions, ContractOptions, TableOptions
from shared.errors import PermanentError

SUFFIX = ".odcs.yaml"
IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}")  # of tables and columns: what Postgres needs no quotes for
RESCUED = "_rescued"  # the column of undeclared fields
RECORD_ID = "record_id"  # the key of an appended record
RESERVED = frozenset(("record_index", "content_hash", "hash_only", "raw", "object_id", "ordinal", RESCUED, RECORD_ID))
VALIDITY = frozenset(("valid_from", "valid_to"))  # columns of a history
SPELLINGS: Mapping[str, Callable[[str], str]] = {"same": str, "camelCase": to_camel, "PascalCase": to_pascal}
SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}
Severity = Literal["error", "warning", "info"]
SEVERITIES: Mapping[str | None, Severity] = {None: "error", "error": "error", "warning": "warning", "info": "info"}
TRANSFORMS = frozenset((None, "lower", "upper"))
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
# {logical type: its logicalTypeOptions}
LIMITS: Mapping[str, frozenset[str]] = {
    "string": frozenset(("minLength", "maxLength", "pattern", "format")),
    "integer": frozenset((*BOUNDS, "multipleOf", "format")),
    "number": frozenset((*BOUNDS, "multipleOf", "format")),
    "date": frozenset((*BOUNDS, "format")),
    "timestamp": frozenset((*BOUNDS, "format", "timezone", "defaultTimezone")),
    "time": frozenset((*BOUNDS, "format")),
    "array": frozenset(("minItems", "maxItems", "uniqueItems")),
}
Options = TypeVar("Options", bound=BaseModel)


class ContractError(PermanentError):
    """A contract that is invalid, or that uses an option which smelt does not support."""


@dataclass(frozen=True)
class Column:
    """A column, and the field that its values come from."""

    name: str
    path: tuple[str, ...]  # from the record, or from an item of the table's list; empty for a computed one
    type: ColumnType
    aliases: tuple[str, ...] = ()
    key: bool = False
    required: bool = False
    unique: bool = False
    indexed: bool = False
    computed: bool = False
    from_key: bool = False
    withheld: bool = False  # from readers
    description: str | None = None
    transform: str | None = None  # a name of TRANSFORMS
    limits: Mapping[str, Any] = field(default_factory=dict)  # ODCS's logicalTypeOptions
    valid_values: tuple[Any, ...] = ()
    valid_values_severity: Severity = "error"


@dataclass(frozen=True)
class Rule:
    """A rule about a row: an SQL expression that is true or null for valid rows."""

    name: str
    expression: str
    message: str
    severity: Severity


@dataclass(frozen=True)
class Unique:
    """Columns whose values together should not repeat."""

    name: str | None
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table, and where its rows lie in a record."""

    name: str
    path: tuple[str, ...]  # of the object or list; empty for the record itself
    aliases: tuple[str, ...]  # other names of the list
    is_list: bool
    required: bool
    description: str | None
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]
    unique: tuple[Unique, ...]

    @cached_property
    def key(self) -> list[Column]:
        """The columns of the primary key, in its order."""
        return [column for column in self.columns if column.key]

    def paths(self, column: Column) -> Iterator[str]:
        """All paths of a column's field in a record, lists with `[]`."""
        *parents, last = column.path
        for above in _spellings(self.path, self.aliases) if self.is_list else ("",):
            for path in _spellings((*parents, last), column.aliases):
                yield f"{above}[].{path}" if above else path


def _spellings(path: Sequence[str], aliases: Sequence[str]) -> list[str]:
    return [".".join((*path[:-1], name)) for name in (path[-1], *aliases)]


@dataclass(frozen=True)
class Contract:
    """The content of a contract."""

    name: str
    title: str | None
    purpose: str | None
    version: int
    options: ContractOptions
    freshness: int | None  # s
    tables: tuple[Table, ...]  # the root table first

    @property
    def root(self) -> Table:
        """The table with a row a record."""
        return self.tables[0]


def read(path: Path) -> Contract:
    """Read a contract. Raises ContractError for an invalid or unsupported one."""
    name = path.name.removesuffix(SUFFIX)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        document = OpenDataContractStandard.model_validate(content, extra="forbid")
        return _Reader(name, document).contract()
    except yaml.YAMLError as error:
        message = f"{path}: not YAML: {error}"
        raise ContractError(message) from error
    except ValidationError as error:
        message = f"{path}: {_first(error)}"
        raise ContractError(message) from error
    except PermanentError as error:
        message = f"{path}: {error}"
        raise ContractError(message) from error


def _first(error: ValidationError) -> str:
    first, *others = error.errors()
    more = f" (and {len(others)} more)" if others else ""
    return f"{'.'.join(map(str, first['loc'])) or error.title}: {first['msg']}{more}"


@dataclass(frozen=True)
class _Reader:
    name: str
    document: OpenDataContractStandard

    def contract(self) -> Contract:
        if not IDENTIFIER.fullmatch(self.name):
            message = f"a dataset's name is small letters, digits and _, not {self.name!r}"
            raise ContractError(message)
        tables = tuple(self._table(item, root=n == 0) for n, item in enumerate(self.document.schema_ or ()))
        if not tables:
            message = "no schema: a contract has at least one, which is the table"
            raise ContractError(message)
        document = self.document
        purpose = document.description.purpose if document.description else None
        return Contract(self.name, document.name, purpose, self._version(), self.options, self._freshness(), tables)

    @cached_property
    def options(self) -> ContractOptions:
        return _options(ContractOptions, self.document.customProperties, "the contract")

    def _version(self) -> int:
        major = (self.document.version or "").removeprefix("v").partition(".")[0]
        if not major.isdecimal():
            message = f"version {self.document.version!r}: it begins with a whole number, the transform version"
            raise ContractError(message)
        return int(major)

    def _freshness(self) -> int | None:
        for item in self.document.slaProperties or ():
            if item.property == "freshness":
                if item.unit not in SECONDS or not isinstance(item.value, (int, float)):
                    message = f"slaProperties.freshness: a number and a unit of {', '.join(SECONDS)}"
                    raise ContractError(message)
                return round(item.value * SECONDS[item.unit])
        return None

    def _table(self, schema: SchemaObject, *, root: bool) -> Table:
        name = _identifier(schema.physicalName or schema.name, "schema")
        place = f"schema {name}"
        extra = _options(TableOptions, schema.customProperties, place)
        is_list = extra.path.endswith("[]")
        path = tuple(filter(None, extra.path.removesuffix("[]").split(".")))
        base = () if is_list else path
        columns = tuple(self._column(item, base, place) for item in schema.properties or ())
        _check_columns(columns, schema.properties or (), place, root=root)
        if root:
            self._check_key(columns, place, is_list=is_list)
        rules, unique = _quality(schema.quality or (), place)
        return Table(name, path, extra.aliases, is_list, extra.required, schema.description, columns, rules, unique)

    def _check_key(self, columns: Sequence[Column], place: str, *, is_list: bool) -> None:
        if is_list:
            message = f"{place}: the first schema has a row a record, and is no list in it"
            raise ContractError(message)
        if self.options.disposition == "history" and VALIDITY & {column.name for column in columns}:
            message = f"{place}: valid_from and valid_to are columns of the history"
            raise ContractError(message)
        appends, has_key = self.options.disposition == "append", any(column.key for column in columns)
        if appends == has_key:
            why = "appended records have no key" if appends else "records need a primaryKey, or disposition append"
            message = f"{place}: {why}"
            raise ContractError(message)

    def _column(self, item: SchemaProperty, base: tuple[str, ...], place: str) -> Column:
        name = _identifier(item.physicalName or item.name, f"{place}, property")
        place = f"{place}, property {name}"
        extra = _options(ColumnOptions, item.customProperties, place)
        if item.transformLogic not in TRANSFORMS:
            message = f"{place}: transformLogic {item.transformLogic!r} is none of lower, upper: write code for it"
            raise ContractError(message)
        spell = str if item.physicalName else SPELLINGS[self.options.names]
        own = (*base, spell(item.name or name))
        values, severity = _valid_values(item.quality or (), place)
        if extra.from_key and (extra.computed or len(extra.path or own) != 1):
            message = f"{place}: fromKey is for fields at the top of a record"
            raise ContractError(message)
        _check_limits(item, place)
        return Column(
            name=name,
            path=() if extra.computed else extra.path or own,
            type=column_type(item, place),
            aliases=extra.aliases,
            key=bool(item.primaryKey),
            required=bool(item.required or item.primaryKey),
            unique=bool(item.unique),
            indexed=extra.indexed,
            computed=extra.computed,
            from_key=extra.from_key,
            withheld=classification.is_withheld(item, readable=extra.readable),
            description=item.description,
            transform=item.transformLogic,
            limits=item.logicalTypeOptions or {},
            valid_values=values,
            valid_values_severity=severity,
        )


def _check_limits(item: SchemaProperty, place: str) -> None:
    """Raise ContractError for options that smelt does not check, and for an unknown format."""
    unknown = sorted(set(item.logicalTypeOptions or {}) - LIMITS.get(item.logicalType or "string", frozenset()))
    if unknown:
        message = f"{place}: logicalTypeOptions {', '.join(unknown)} of a {item.logicalType or 'string'}: not supported"
        raise ContractError(message)
    if (item.logicalTypeOptions or {}).get("defaultTimezone", "UTC") not in {"UTC", "Etc/UTC"}:
        message = f"{place}: defaultTimezone: times without a zone are taken as UTC"
        raise ContractError(message)
    format_ = (item.logicalTypeOptions or {}).get("format")
    if format_ and item.logicalType in {"date", "timestamp", "time"}:
        try:
            time_format.parser(format_)
        except PermanentError as error:
            message = f"{place}: {error}"
            raise ContractError(message) from error


def _options(model: type[Options], properties: Any, place: str) -> Options:
    try:
        return model.model_validate(options.read(properties))
    except ValidationError as error:
        message = f"{place}: custom property smelt: {_first(error)}"
        raise ContractError(message) from error


def _identifier(name: str | None, what: str) -> str:
    if name is None or not IDENTIFIER.fullmatch(name) or name in RESERVED:
        message = (
            f"{what} {name!r}: a physicalName of small letters, digits and _, and none of {', '.join(sorted(RESERVED))}"
        )
        raise ContractError(message)
    return name


def _check_columns(columns: Sequence[Column], properties: Sequence[SchemaProperty], place: str, *, root: bool) -> None:
    names = [column.name for column in columns]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        message = f"{place}: more than one property for column {', '.join(repeated)}"
        raise ContractError(message)
    keys = [column for column in columns if column.key]
    positions = [item.primaryKeyPosition for item in properties if item.primaryKey and item.primaryKeyPosition]
    if positions != sorted(positions):
        message = f"{place}: properties of the primary key stand in the order of their primaryKeyPosition"
        raise ContractError(message)
    if not root and keys:
        message = f"{place}: the primary key of a child table is that of the first schema, and `ordinal`"
        raise ContractError(message)
    if root and (deep := [column.name for column in keys if len(column.path) != 1]):
        message = f"{place}: fields of the primary key are at the top of a record: {', '.join(deep)}"
        raise ContractError(message)


def _quality(rules: Sequence[DataQuality], place: str) -> tuple[tuple[Rule, ...], tuple[Unique, ...]]:
    """Rules in SQL, and the columns of those about duplicates. Rules of other engines are left to those."""
    own: list[Rule] = []
    unique: list[Unique] = []
    for rule in rules:
        if rule.metric == "duplicateValues":
            columns = tuple((rule.arguments or {}).get("properties", ()))
            if not columns:
                message = f"{place}: quality rule duplicateValues needs arguments.properties"
                raise ContractError(message)
            unique.append(Unique(rule.name, columns))
        elif rule.type == "custom" and rule.engine == options.PROPERTY:
            if not rule.name or not isinstance(rule.implementation, str):
                message = f"{place}: a quality rule of engine smelt has a name, and an SQL expression as implementation"
                raise ContractError(message)
            message = rule.description or f"not {rule.implementation}"
            own.append(Rule(rule.name, rule.implementation, message, _severity(rule, place)))
    return tuple(own), tuple(unique)


def _valid_values(rules: Sequence[DataQuality], place: str) -> tuple[tuple[Any, ...], Severity]:
    for rule in rules:
        if rule.metric == "invalidValues" and (values := (rule.arguments or {}).get("validValues")):
            return tuple(values), _severity(rule, place)
    return (), "error"


def _severity(rule: DataQuality, place: str) -> Severity:
    try:
        return SEVERITIES[rule.severity]
    except KeyError as error:
        message = f"{place}: severity {rule.severity!r} is none of error, warning, info"
        raise ContractError(message) from error
