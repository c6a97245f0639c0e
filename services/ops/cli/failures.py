"""Error messages for expected failures of a command. Imported only when one fails."""

from botocore.exceptions import BotoCoreError, ClientError
from redis import RedisError
from sqlalchemy.exc import DBAPIError

from shared.errors import PermanentError, TransientError


def describe(error: Exception) -> str | None:
    """One line; None for unexpected errors, which are shown with their traceback."""
    match error:
        case PermanentError() | TransientError():
            return str(error)
        case BotoCoreError() | ClientError():
            return f"AWS: {error}"
        case RedisError():
            return f"Redis: {error}"
        case DBAPIError():
            return f"Postgres: {str(error.orig).strip().splitlines()[0]}"
        case _:
            return None
