"""The audit log of operators' actions: rows in `ops.operator_action`, written before anything is done."""

import getpass
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from sqlalchemy import Engine, func, insert, update

from shared.database.ops_tables import OPERATOR_ACTION

_ACTING: ContextVar[str | None] = ContextVar("acting", default=None)


@dataclass
class ActionResult:
    """The result of an action so far.

    `failed` is {message id: reason}, `copies` are keys; `identity` is the row's id.
    """

    identity: int
    done: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    copies: list[str] = field(default_factory=list)


OnProgress = Callable[[int], None]  # called with the number of newly processed items
Work = Callable[[OnProgress], ActionResult]


@contextmanager
def record_action(
    database: Engine, kind: str, verb: str, filter_: Mapping[str, object], matched: int
) -> Iterator[ActionResult]:
    """Record an action, and on exit its outcome: `verb`, `interrupted` or `failed`, with the number of rejected items.

    A row that stays `under way` belongs to a killed process. Raises database errors before anything is done.
    """
    with database.begin() as connection:
        row = insert(OPERATOR_ACTION).values(kind=kind, operator=operator(), filter=dict(filter_), matched=matched)
        result = ActionResult(connection.execute(row.returning(OPERATOR_ACTION.c.id)).scalar_one())
    outcome = verb
    try:
        yield result
    except KeyboardInterrupt:
        outcome = "interrupted"
        raise
    except BaseException as error:
        outcome = f"failed: {type(error).__name__}"
        raise
    finally:
        _close(database, result, outcome)


@contextmanager
def as_operator(who: str) -> Iterator[None]:
    """Context manager that attributes this thread's actions to a console user."""
    token = _ACTING.set(who)
    try:
        yield
    finally:
        _ACTING.reset(token)


def operator() -> str:
    """The operator: set by `as_operator`, else `SMELT_OPERATOR`, else user@host."""
    if acting := _ACTING.get():
        return acting
    if named := os.environ.get("SMELT_OPERATOR"):
        return named
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # the user has no name, as in a container
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def _close(database: Engine, result: ActionResult, outcome: str) -> None:
    text_ = outcome + (f", {len(result.failed)} rejected" if result.failed else "")
    done = update(OPERATOR_ACTION).where(OPERATOR_ACTION.c.id == result.identity)
    with database.begin() as connection:
        connection.execute(done.values(finished_at=func.now(), processed=result.done, outcome=text_))
