"""The largest cursor of a batch of an incremental source. No I/O."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.transformer.content import Encoded
from services.transformer.input_limits import InputLimits
from services.transformer.transform import parse
from shared.datasets.contract.cursor import Cursor
from shared.formats.silver import RuleWarning

RULE = "cursor"


@dataclass(frozen=True)
class BatchCursor:
    """`newest` is None if no record has a cursor."""

    newest: str | None = None
    warnings: tuple[RuleWarning, ...] = ()


NO_CURSOR = BatchCursor()


def of_batch(records: Iterable[Encoded], cursor: Cursor, bounds: InputLimits) -> BatchCursor:
    """Records that the checks reject count: they are in quarantine, and another run would only reject them again."""
    values = [cursor.of_record(parse(record, bounds)) for record in records]
    present = [value for value in values if value is not None]
    newest = cursor.to_text(max(present)) if present else None
    return BatchCursor(newest, tuple(_warnings(len(values) - len(present), cursor)))


def _warnings(absent: int, cursor: Cursor) -> Iterable[RuleWarning]:
    if absent:
        message = f"no {cursor.kind} that can be read: the state does not count these records"
        yield RuleWarning(rule=RULE, field=".".join(cursor.path), message=message, records=absent)
