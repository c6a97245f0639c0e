"""Answers of the database, as plain values, and how its refusals are explained to clients."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

log = structlog.get_logger()

TIMED_OUT = "57014"
STATE = "select gold.today() as today, max(refreshed_at) as refreshed_at from gold.freshness"
MOST_KEPT = 200  # answers, of at most some thousand rows
OUT_OF_RANGE = "22"  # class of states: data exception


@dataclass(frozen=True)
class Statement:
    """SQL and the values bound in it."""

    sql: str
    values: dict[str, Any]


class Refused(Exception):  # noqa: N818 - an answer, not a fault of ours
    """What a client is told instead of an answer."""

    def __init__(self, status: int, detail: str, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.retry_after = status, detail, retry_after


def rows(engine: Engine, statement: Statement) -> list[dict[str, Any]]:
    """All rows of a statement that has few. Raises Refused."""
    with explained(), engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(statement.sql), statement.values).mappings()]


def query(engine: Engine, sql: str, values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """The same, of SQL as it stands."""
    return rows(engine, Statement(sql, dict(values or {})))


class Kept:
    """Answers that are asked for again and again, kept until gold or the day changes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._state: dict[str, Any] = {}
        self._answers: dict[tuple[str, str], list[dict[str, Any]]] = {}

    def rows(self, statement: Statement) -> list[dict[str, Any]]:
        """All rows of a statement. Raises Refused."""
        question = statement.sql, repr(sorted(statement.values.items()))
        (state,) = query(self._engine, STATE)
        if state != self._state or len(self._answers) >= MOST_KEPT:
            self._state, self._answers = state, {}
        if question not in (answers := self._answers):
            answers[question] = rows(self._engine, statement)
        return answers[question]


@contextmanager
def explained() -> Iterator[None]:
    """Errors of the database as what a client may know about them."""
    try:
        yield
    except PoolTimeoutError as error:
        raise Refused(503, "too many requests at the same time", retry_after=1) from error
    except DBAPIError as error:
        raise _refusal(error) from error


def _refusal(error: DBAPIError) -> Refused:
    state = str(getattr(error.orig, "pgcode", None) or "")
    if state == TIMED_OUT:
        return Refused(503, "this takes too long; narrow it down", retry_after=5)
    if state.startswith(OUT_OF_RANGE):
        return Refused(422, "a value is out of range")
    log.error("database.refused", state=state, error=str(error.orig).partition("\n")[0])
    return Refused(503, "the database does not answer", retry_after=5)
