"""The record of what operators did to messages: a row in `ops.operator_action`, written before anything is done."""

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
    """What has been done so far. `failed` is {message id: why}, `copies` are keys; `identity` is that of the row."""

    identity: int
    done: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    copies: list[str] = field(default_factory=list)


OnProgress = Callable[[int], None]  # told how many more are done
Work = Callable[[OnProgress], ActionResult]


@contextmanager
def recorded(database: Engine, kind: str, verb: str, asked: Mapping[str, object], found: int) -> Iterator[ActionResult]:
    """Note who does what, and on leaving what came of it: `verb`, `interrupted` or `failed`, with what was refused.

    A row that stays `under way` is of a process that was killed. Raises what the database raises, before anything is
    done if it is away.
    """
    with database.begin() as connection:
        row = insert(OPERATOR_ACTION).values(kind=kind, operator=operator(), filter=dict(asked), matched=found)
        tally = ActionResult(connection.execute(row.returning(OPERATOR_ACTION.c.id)).scalar_one())
    outcome = verb
    try:
        yield tally
    except KeyboardInterrupt:
        outcome = "interrupted"
        raise
    except BaseException as error:
        outcome = f"failed: {type(error).__name__}"
        raise
    finally:
        _close(database, tally, outcome)


@contextmanager
def as_operator(who: str) -> Iterator[None]:
    """What this thread does in between, it does for somebody else: for whom a console knows by their login."""
    token = _ACTING.set(who)
    try:
        yield
    finally:
        _ACTING.reset(token)


def operator() -> str:
    """Who is at work: whom `acting_as` names, else `SMELT_OPERATOR`, else user@host."""
    if acting := _ACTING.get():
        return acting
    if named := os.environ.get("SMELT_OPERATOR"):
        return named
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def _close(database: Engine, tally: ActionResult, outcome: str) -> None:
    told = outcome + (f", {len(tally.failed)} refused" if tally.failed else "")
    done = update(OPERATOR_ACTION).where(OPERATOR_ACTION.c.id == tally.identity)
    with database.begin() as connection:
        connection.execute(done.values(finished_at=func.now(), processed=tally.done, outcome=told))
