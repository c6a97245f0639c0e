"""A record's natural key and content hash, computed from its JSON text without parsing all of it."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
import xxhash

from shared.datasets.dataset import Dataset

HASH_LENGTH = 16  # bytes of xxh3-128; who constructs a collision can only hide a change of their own record
MAX_KEY_LENGTH = 1_000  # characters

Tree = Mapping[str, "Tree | None"]  # {field: volatile fields below it, or None if all of it is volatile}

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def fingerprint(text: bytes, dataset: Dataset, version: int) -> tuple[str, bytes]:
    """A record's natural key (empty if unknown) and the hash of its content under this transform version.

    The order of top-level fields does not matter. The same content in another JSON form (white space, order of nested
    fields) gets another hash, which costs processing but no data.
    """
    digest = xxhash.xxh3_128(version.to_bytes(4, "big"))
    fields = _fields(text)
    if fields is None:
        digest.update(text)
        return "", digest.digest()
    _update(digest, fields, _tree(dataset.volatile))
    key = natural_key({name: _value(fields[name]) for name in dataset.key_fields if name in fields}, dataset.key_fields)
    return key or "", digest.digest()


def natural_key(record: object, fields: Sequence[str]) -> str | None:
    """A dataset record's natural key as text. Equals the stored one if the source writes values in canonical form."""
    values = [record.get(name) for name in fields] if isinstance(record, dict) else []
    texts = [str(value).strip() for value in values if isinstance(value, (str, int))]
    if not texts or len(texts) < len(fields) or not all(text and text.isprintable() for text in texts):
        return None
    return "\t".join(texts)[:MAX_KEY_LENGTH]


def _update(digest: xxhash.xxh3_128, fields: Mapping[str, msgspec.Raw], volatile: Tree) -> None:
    """Hash the names and texts of fields in the order of names, without volatile fields."""
    for name in sorted(fields):
        if name not in volatile:
            digest.update(b"\n%b\n" % name.encode(errors="surrogatepass"))
            digest.update(fields[name])
        elif (below := volatile[name]) is not None:
            inner = _fields(fields[name])
            digest.update(b"\n%b\n" % name.encode())
            if inner is None:
                digest.update(fields[name])
            else:
                digest.update(b"{")
                _update(digest, inner, below)
                digest.update(b"\n}")


def _fields(text: bytes | msgspec.Raw) -> dict[str, msgspec.Raw] | None:
    """{name: text} of an object's fields; None if it is not an object."""
    try:
        return _FIELDS.decode(text)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None


def _value(text: msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return None


@cache
def _tree(paths: frozenset[str]) -> Tree:
    tree: dict[str, Any] = {}
    for path in paths:
        *above, last = path.split(".")
        node = tree
        for name in above:
            node = node.setdefault(name, {})
        node[last] = None
    return tree
