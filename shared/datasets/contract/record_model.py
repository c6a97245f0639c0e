"""The pydantic model of a record, built from a contract."""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, Field, create_model

from shared.datasets.contract import field_types
from shared.datasets.contract.document import Column, Contract, ContractError, Table
from shared.datasets.contract.raw_model import RawModel

NESTED = "nested."  # begins the attribute of an object that holds fields: no column has such a name


@dataclass
class _Object:
    """Fields of one object: columns, lists of child tables, and objects in turn."""

    columns: list[Column] = field(default_factory=list)
    lists: dict[str, Table] = field(default_factory=dict)
    objects: dict[str, "_Object"] = field(default_factory=dict)

    def at(self, path: Iterable[str]) -> "_Object":
        """The object at a path below this one, made where it is new."""
        place = self
        for name in path:
            place = place.objects.setdefault(name, _Object())
        return place


def attribute(name: str) -> str:
    """The attribute of the model that holds the object which the source calls so."""
    return NESTED + name


def build(contract: Contract) -> type[BaseModel]:
    """A subclass of `RawModel` whose attributes are the names of columns and of child tables."""
    record, items = _Object(), {}
    for table in contract.tables:
        if table.is_list:
            items[table.name] = _Object()
            *above, last = table.path
            record.at(above).lists[last] = table
        _place(table, items.get(table.name, record))
    models = {name: _model(name, item, {}) for name, item in items.items()}
    return _model(contract.name, record, models)


def _place(table: Table, top: _Object) -> None:
    for column in table.columns:
        if not column.computed:
            *above, _ = column.path
            place = top.at(above)
            if any(other.name == column.name for other in place.columns):
                message = f"schema {table.name}, property {column.name}: another property of this name has its place"
                raise ContractError(message)
            place.columns.append(column)


def _model(name: str, place: _Object, items: Mapping[str, type[BaseModel]]) -> type[BaseModel]:
    fields: dict[str, Any] = {column.name: _field(column) for column in place.columns}
    for source, table in place.lists.items():
        listed: Any = field_types.items_of(items[table.name])
        default: dict[str, Any] = {} if table.required else {"default": []}
        fields[table.name] = (listed, Field(**_alias(source, table.aliases), **default))
    for source, inner in place.objects.items():
        model = _model(source, inner, items)
        nested: Any = Annotated[model, BeforeValidator(field_types.empty_if_null)]
        default = {} if _has_required_list(inner) else {"default": model.model_construct()}
        fields[attribute(source)] = (nested, Field(alias=source, **default))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Field name .* shadows an attribute", UserWarning)  # columns are columns
        return create_model(name, __base__=RawModel, **fields)


def _has_required_list(place: _Object) -> bool:
    return any(table.required for table in place.lists.values()) or any(map(_has_required_list, place.objects.values()))


def _field(column: Column) -> tuple[Any, Any]:
    alias: Any = _alias(column.path[-1], column.aliases)
    if column.key:
        return field_types.of_column(column), Field(**alias)
    default: Any = [] if column.type.array and column.type.name == "text" else None
    return field_types.of_column(column), Field(default=default, **alias)


def _alias(name: str, others: tuple[str, ...]) -> Any:
    return {"validation_alias": AliasChoices(name, *others)} if others else {"alias": name}
