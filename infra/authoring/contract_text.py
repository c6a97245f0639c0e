"""The text of a contract."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from infra.authoring.structure import Column, Table
from shared.datasets.contract.options import PROPERTY

HEAD = """\
# {comment}
# Edit it as you like: https://bitol-io.github.io/open-data-contract-standard/ and docs/add-a-dataset.md.
apiVersion: v3.1.0
kind: DataContract
id: {name}
name: {name}
version: 1.0.0
status: active
"""


def contract_text(
    name: str, tables: Sequence[Table], key: Sequence[Column], options: Mapping[str, Any], comment: str
) -> str:
    """The contract in YAML, a line a column."""
    lines = [HEAD.format(comment=comment, name=name)]
    if options:
        lines.append(f"customProperties: [{_flow(_smelt(options))}]\n")
    lines.append("schema:\n")
    for table in tables:
        lines += (f"{line}\n" for line in _table(table, key if not table.path else ()))
    return "".join(lines)


def property_text(column: Column) -> str:
    """A property as a flow mapping."""
    return _flow(_property(column, {}))


def schema_lines(table: Table) -> list[str]:
    """A schema in lines without indentation, for an item of a list."""
    return [line[4:] for line in _table(table, ())]


def _table(table: Table, key: Sequence[Column]) -> Iterator[str]:
    yield f"  - name: {table.name}"
    yield "    physicalType: table"
    if table.path:
        yield f"    customProperties: [{_flow(_smelt({'path': '.'.join(table.path) + '[]'}))}]"
    if key:
        unique = {"properties": [column.name for column in key]}
        rule = {"name": "key_unique", "metric": "duplicateValues", "arguments": unique}
        yield f"    quality: [{_flow({**rule, 'mustBe': 0, 'severity': 'warning'})}]"
    yield "    properties:"
    for position, column in enumerate(key, start=1):
        mark = {"primaryKey": True, **({"primaryKeyPosition": position} if len(key) > 1 else {})}
        yield f"      - {_flow(_property(column, mark))}"
    for column in table.columns:
        if column not in key:
            yield f"      - {_flow(_property(column, {}))}"


def _property(column: Column, mark: Mapping[str, Any]) -> dict[str, Any]:
    field = column.path[-1]
    if len(column.path) > 1:
        path = list(column.path) if any("." in part for part in column.path) else ".".join(column.path)
        return {"name": column.name, **column.type.properties, **mark, "customProperties": [_smelt({"path": path})]}
    physical = {} if field == column.name else {"physicalName": column.name}
    return {"name": field, **physical, **column.type.properties, **mark}


def _smelt(options: Mapping[str, Any]) -> dict[str, Any]:
    return {"property": PROPERTY, "value": dict(options)}


def _flow(value: Mapping[str, Any]) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=float("inf"), allow_unicode=True)
    return text.strip()
