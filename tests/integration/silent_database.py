"""A client of Postgres that says how long each wait for a silent server took.

    python -m tests.integration.silent_database URL in-use|idle

Prints `ready`; told to go on by a line on standard input, `<seconds> <error's type>`.
"""

import sys
import time

from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.database.engine import classify_error, connect


def main(url: str, state: str) -> None:
    """Wait for an answer (`in-use`), or take up a connection that was idle (`idle`)."""
    engine = connect(SecretStr(url), "silence")
    with engine.connect() as connection:
        connection.execute(text("select 1"))
        if state == "in-use":
            say("ready")
    if state == "idle":
        say("ready")
        sys.stdin.readline()
    began = time.monotonic()
    try:
        with engine.connect() as connection:
            connection.execute(text("select pg_sleep(100)"))
    except DBAPIError as error:
        say(f"{time.monotonic() - began:.0f} {type(classify_error(error, engine)).__name__}")


def say(line: str) -> None:
    """To the test that waits for it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
