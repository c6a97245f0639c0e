"""Edits the text of a contract in place: comments, order and everything that is not edited stay as they are."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.nodes import CollectionNode, MappingNode, Node, SequenceNode

Edit = tuple[int, int, str]  # replace the text between two places


@dataclass(frozen=True)
class ContractText:
    """The text of a contract, and the edits of it that are wanted."""

    text: str
    edits: tuple[Edit, ...] = ()

    @property
    def edited(self) -> str:
        """The text with all edits made."""
        text = self.text
        for begin, end, new in sorted(self.edits, key=lambda edit: edit[0], reverse=True):
            text = text[:begin] + new + text[end:]
        return text

    def with_property(self, table: int, properties: Sequence[str]) -> "ContractText":
        """Append properties, each a flow mapping, to a schema."""
        return self._appended(_value(self._schemas().value[table], "properties"), properties)

    def with_schemas(self, schemas: Sequence[Sequence[str]]) -> "ContractText":
        """Append schemas, each in lines of a block mapping without indentation."""
        return self._appended(self._schemas(), ["\n".join(lines) for lines in schemas])

    def with_type(self, table: int, number: int, types: Mapping[str, str]) -> "ContractText":
        """Set the types of a property."""
        item = _value(self._schemas().value[table], "properties").value[number]
        edits, missing = list[Edit](), []
        for word, name in types.items():
            new = f"'{name}'" if "," in name else name
            if (old := _value(item, word)) is None:
                missing.append(f"{word}: {new}")
            else:
                edits.append((old.start_mark.index, old.end_mark.index, new))
        if missing:
            between = ", " if item.flow_style else "\n" + " " * item.start_mark.column
            place = _end(_value(item, "logicalType") or item.value[0][1])
            edits.append((place, place, "".join(f"{between}{text}" for text in missing)))
        return ContractText(self.text, (*self.edits, *edits))

    def with_next_version(self) -> "ContractText":
        """Raise the transform version, the first number of `version`."""
        node = _value(yaml.compose(self.text), "version")
        old = self.text[node.start_mark.index : node.end_mark.index]
        new = re.sub(r"\d+(\.\d+)*", lambda match: f"{int(match[0].split('.')[0]) + 1}.0.0", old, count=1)
        return ContractText(self.text, (*self.edits, (node.start_mark.index, node.end_mark.index, new)))

    def _schemas(self) -> SequenceNode:
        node: SequenceNode = _value(yaml.compose(self.text), "schema")
        return node

    def _appended(self, items: SequenceNode, texts: Sequence[str]) -> "ContractText":
        place = _end(items) if items.value or not items.flow_style else items.start_mark.index + 1
        if items.flow_style:
            place = _end(items.value[-1]) if items.value else place
            new = "".join(f", {text}" for text in texts)
            return self._edit(place, new if items.value else new.removeprefix(", "))
        line = "\n" + " " * items.start_mark.column
        return self._edit(place, "".join(f"{line}- {text.replace(chr(10), f'{line}  ')}" for text in texts))

    def _edit(self, place: int, new: str) -> "ContractText":
        return ContractText(self.text, (*self.edits, (place, place, new)))


def _value(node: Node | None, name: str) -> Any:
    pairs = node.value if isinstance(node, MappingNode) else ()
    return next((value for key, value in pairs if key.value == name), None)


def _end(node: Node) -> int:
    """Where its text ends. The mark of a block is behind the comments and blank lines that follow."""
    if not isinstance(node, CollectionNode) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(last[1] if isinstance(node, MappingNode) else last)
