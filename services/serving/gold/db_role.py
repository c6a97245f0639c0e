"""Connections of the role that only reads."""

from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from shared.database import read_access
from shared.database.deadline import bound_ping
from shared.database.engine import SILENCE
from shared.database.read_access import ROLE
from shared.errors import PermanentError

STATEMENT_TIMEOUT_SECONDS = 5  # a query takes milliseconds
CONNECTIONS = 8  # concurrent queries
CONNECTION_WAIT_SECONDS = 3  # for a free connection
# Session defaults, which RESET also restores.
OPTIONS = {
    "role": ROLE,
    "default_transaction_read_only": "on",
    "statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s",
    "idle_in_transaction_session_timeout": "60s",
    "work_mem": "16MB",  # keeps the bitmap of a common word exact
    "enable_seqscan": "off",  # underestimated by the planner, as it reads the TOASTed words of every posting
    "pg_trgm.word_similarity_threshold": "0.4",  # allows two wrong letters in a word
    "timezone": "UTC",
    "jit": "off",  # JIT and parallel workers cost more than these queries
    "max_parallel_workers_per_gather": "0",
}


def connect(url: SecretStr, connections: int = CONNECTIONS) -> Engine:
    """An engine whose connections use the role that only reads."""
    engine = create_engine(
        make_url(url.get_secret_value()).set(drivername="postgresql+psycopg2"),
        pool_size=connections,
        max_overflow=0,
        pool_timeout=CONNECTION_WAIT_SECONDS,
        pool_pre_ping=True,
        isolation_level="AUTOCOMMIT",  # each response is one statement
        connect_args={
            "application_name": "smelt-serving",
            "options": " ".join(f"-c {name}={value}" for name, value in OPTIONS.items()),
            **SILENCE,
            "tcp_user_timeout": 2_000 * STATEMENT_TIMEOUT_SECONDS,  # ms
        },
    )
    bound_ping(engine)
    return engine


def grant_read_access(engine: Engine) -> None:
    """Create the role; let it read gold and datasets. Raises PermanentError if an administrator must create it.

    `engine` connects as the database's owner.
    """
    try:
        with engine.begin() as connection:
            is_granted = connection.scalar(text("select gold.grant_read_access()"))
        read_access.grant(engine)
    except DBAPIError as error:
        message = (
            f"the database has no gold schema, or is unavailable: {str(error.orig).strip()}; try `smelt db upgrade`"
        )
        raise PermanentError(message) from error
    if not is_granted:
        message = (
            f"the database's owner may not create roles; as an administrator run once: "
            f"create role {ROLE} nologin; grant {ROLE} to {engine.url.username}"
        )
        raise PermanentError(message)
