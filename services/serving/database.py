"""Query results as plain values, and database errors as API errors."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

log = structlog.get_logger()

QUERY_CANCELED = "57014"
STATE = "select gold.today() as today, max(refreshed_at) as refreshed_at from gold.freshness"
MAX_RESULTS = 200  # results, of at most some thousand rows
OUT_OF_RANGE = "22"  # SQLSTATE class: data exception


@dataclass(frozen=True)
class Statement:
    """SQL and the values bound in it."""

    sql: str
    values: dict[str, Any]


class ApiError(Exception):
    """An error response."""

    def __init__(self, status: int, detail: str, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.retry_after = status, detail, retry_after


def rows(engine: Engine, statement: Statement) -> list[dict[str, Any]]:
    """All rows of a small result. Raises ApiError."""
    with translate_errors(), engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(statement.sql), statement.values).mappings()]


def query(engine: Engine, sql: str, values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """The same for plain SQL."""
    return rows(engine, Statement(sql, dict(values or {})))


class ResultCache:
    """Caches results until gold or the date changes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._state: dict[str, Any] = {}
        self._results: dict[tuple[str, str], list[dict[str, Any]]] = {}

    def rows(self, statement: Statement) -> list[dict[str, Any]]:
        """All rows of a statement, from the cache if possible. Raises ApiError."""
        key = statement.sql, repr(sorted(statement.values.items()))
        (state,) = query(self._engine, STATE)
        if state != self._state or len(self._results) >= MAX_RESULTS:
            self._state, self._results = state, {}
        if key not in (results := self._results):
            results[key] = rows(self._engine, statement)
        return results[key]


@contextmanager
def translate_errors() -> Iterator[None]:
    """Context manager that converts database errors into API errors."""
    try:
        yield
    except PoolTimeoutError as error:
        raise ApiError(503, "too many concurrent requests", retry_after=1) from error
    except DBAPIError as error:
        raise _api_error(error) from error


def _api_error(error: DBAPIError) -> ApiError:
    state = str(getattr(error.orig, "pgcode", None) or "")
    if state == QUERY_CANCELED:
        return ApiError(503, "the query takes too long; narrow the search", retry_after=5)
    if state.startswith(OUT_OF_RANGE):
        return ApiError(422, "a value is out of range")
    log.error("database.failed", state=state, error=str(error.orig).partition("\n")[0])
    return ApiError(503, "the database is unavailable", retry_after=5)
