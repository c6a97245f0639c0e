"""Writes docs/contract-reference.md: every option of the custom property `smelt`, from the models that read it.

python -m infra.authoring.reference > docs/contract-reference.md
"""

import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from shared.datasets.contract import option_model, source_options
from shared.datasets.contract.options import ColumnOptions, ContractOptions, TableOptions

HEAD = """# Options of a contract

Every option of the custom property `smelt`: at the contract, at a schema (a table) and at a property (a column).
Made from the code by `make reference`. [add-a-dataset.md](add-a-dataset.md) explains them with examples, and what
smelt reads of the standard itself; [sources.md](sources.md) explains `source`.
"""
SECTIONS: Mapping[str, type[BaseModel]] = {
    "Contract": ContractOptions,
    "Schema": TableOptions,
    "Property": ColumnOptions,
}
NAMES: Mapping[Any, str] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true, false",
    Any: "anything",
    type(None): "null",
    source_options.Setting: "name of a setting",
    source_options.Status: "status",
    source_options.RunParam: "param",
}


def page() -> str:
    """The page's text."""
    sections = [line for title, model in SECTIONS.items() for line in _section(title, model, set())]
    return "\n".join([HEAD, *sections])


def _section(title: str, model: type[BaseModel], written: set[type[BaseModel]]) -> Iterator[str]:
    """A table of the model's options, and the sections of the models in it."""
    written.add(model)
    yield f"## {title}\n"
    yield f"{(model.__doc__ or '').strip().replace(chr(10) + '    ', chr(10))}\n"
    yield "| Option | Value | Default | |"
    yield "|---|---|---|---|"
    inner: list[tuple[str, type[BaseModel]]] = []
    for name, field in model.model_fields.items():
        option = field.alias or name
        models = [*_models(field.annotation)]
        inner += [(_title(option, one), one) for one in models]
        value = " or ".join(_link(_title(option, one)) for one in models) or _field_value(field)
        yield f"| `{option}` | {_cell(value)} | {_cell(_default(field))} | {_cell(field.description or '')} |"
    yield ""
    for inner_title, one in inner:
        if one not in written:
            yield from _section(inner_title, one, written)


def _title(option: str, model: type[BaseModel]) -> str:
    kind = model.model_fields.get("type")
    return option if kind is None else f"{option}: {get_args(kind.annotation)[0]}"


def _link(title: str) -> str:
    anchor = title.lower().replace(":", "").replace(" ", "-")
    return f"[{title}](#{anchor})"


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in {Union, UnionType, Annotated}:
        for inner in get_args(annotation):
            yield from _models(inner)


def _field_value(field: FieldInfo) -> str:
    is_path = any(getattr(part, "func", None) is option_model.segments for part in field.metadata)
    return "path: `a.b`" if is_path else _value(field.annotation)


def _value(annotation: Any) -> str:
    if annotation in NAMES:
        return NAMES[annotation]
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if origin in {Union, UnionType}:
        return " or ".join(dict.fromkeys(_value(one) for one in inner if one is not type(None)))
    if origin is Annotated:
        return _value(inner[0])
    if origin in {tuple, frozenset}:
        return f"list of {_value(inner[0])}"
    return f"{{{_value(inner[0])}: {_value(inner[1])}}}"


def _default(field: FieldInfo) -> str:
    default = field.default
    if field.is_required():
        return "required"
    if default is None or isinstance(default, (BaseModel, Enum)) or default in ((), {}, frozenset(), ""):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
