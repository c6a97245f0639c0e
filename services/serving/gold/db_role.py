"""Connections that can only read gold."""

from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from shared.database.deadline import bound_ping
from shared.database.engine import SILENCE
from shared.errors import PermanentError

ROLE = "smelt_read"
STATEMENT_TIMEOUT = 5  # s; an answer takes some ms, and nobody waits longer for a page
CONNECTIONS = 8  # requests that ask the database at the same time
CONNECTION_WAIT = 3  # s that another one waits for its turn
# What a connection starts with is also what RESET brings back.
OPTIONS = {
    "role": ROLE,
    "default_transaction_read_only": "on",
    "statement_timeout": f"{STATEMENT_TIMEOUT}s",
    "idle_in_transaction_session_timeout": "60s",
    "work_mem": "16MB",  # the bitmap of a common word stays exact
    "enable_seqscan": "off",  # it looks cheap, but reads the words of every posting from beside the table
    "pg_trgm.word_similarity_threshold": "0.4",  # two wrong letters in a word
    "timezone": "UTC",
    "jit": "off",  # compiling costs more than answers take, and so do parallel workers
    "max_parallel_workers_per_gather": "0",
}


def connect(url: SecretStr, connections: int = CONNECTIONS) -> Engine:
    """An engine whose every connection acts as the role that may only read gold."""
    engine = create_engine(
        make_url(url.get_secret_value()).set(drivername="postgresql+psycopg2"),
        pool_size=connections,
        max_overflow=0,
        pool_timeout=CONNECTION_WAIT,
        pool_pre_ping=True,
        isolation_level="AUTOCOMMIT",  # an answer is one statement: it needs no transaction
        connect_args={
            "application_name": "smelt-serving",
            "options": " ".join(f"-c {name}={value}" for name, value in OPTIONS.items()),
            **SILENCE,
            "tcp_user_timeout": 2_000 * STATEMENT_TIMEOUT,  # ms: nobody waits longer for a page
        },
    )
    bound_ping(engine)
    return engine


def grant_read_access(engine: Engine) -> None:
    """Make the role and let it read what gold has by now. Raises PermanentError where somebody else must.

    `engine` is the database's owner.
    """
    try:
        with engine.begin() as connection:
            admitted = connection.scalar(text("select gold.grant_read_access()"))
    except DBAPIError as error:
        message = f"the database has no gold, or cannot be asked: {str(error.orig).strip()}; try `smelt db upgrade`"
        raise PermanentError(message) from error
    if not admitted:
        message = (
            f"the database's owner may not create roles; as an administrator run once: "
            f"create role {ROLE} nologin; grant {ROLE} to {engine.url.username}"
        )
        raise PermanentError(message)
