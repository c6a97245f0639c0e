"""Fields that the records of a page get from its request, such as the id of their parent."""

from collections.abc import Iterable, Iterator

import orjson


def with_fields(records: Iterable[bytes], fields: object) -> Iterator[bytes]:
    """The records with these fields in front; what is no object stays as it is.

    Of two fields with one name the record's own counts, as parsers take the last.
    """
    if not isinstance(fields, dict) or not fields:
        yield from records
        return
    added = orjson.dumps(fields)[:-1]
    for record in records:
        rest = record.lstrip()[1:] if record.lstrip().startswith(b"{") else None
        if rest is None:
            yield record
        else:
            yield added + (rest if rest.lstrip().startswith(b"}") else b"," + rest)
