"""Whether a record is known: its natural key and the hash of its content, from its text, without parsing all of it."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
import xxhash

from shared.datasets.dataset import Dataset

HASH_LENGTH = 16  # bytes of xxh3-128. Whoever finds two records of one hash can only hide their own change
LONGEST_KEY = 1_000  # characters

Tree = Mapping[str, "Tree | None"]  # {name of a field: what below it does not count; None if nothing of it does}

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def fingerprint(text: bytes, dataset: Dataset, version: int) -> tuple[str, bytes]:
    """A record's natural key (empty where it cannot be told) and the hash of its content under a transform's version.

    Equal for the same text, whatever the order of the fields round a volatile one. The same content written otherwise
    (other white space, other order further down) has another hash: that costs the work of a change, and no data.
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
    """A dataset record's natural key, which is the stored one wherever that is spelled as the source spells it."""
    values = [record.get(name) for name in fields] if isinstance(record, dict) else []
    texts = [str(value).strip() for value in values if isinstance(value, (str, int))]
    if not texts or len(texts) < len(fields) or not all(text and text.isprintable() for text in texts):
        return None
    return "\t".join(texts)[:LONGEST_KEY]


def _update(digest: xxhash.xxh3_128, fields: Mapping[str, msgspec.Raw], volatile: Tree) -> None:
    """Names and texts of fields, in the order of names; of one that is volatile somewhere below only what counts."""
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
    """The texts of an object's fields; None for what is no object, or no JSON."""
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
