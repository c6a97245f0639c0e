"""What a person is told when a command fails for a reason that is foreseen. Imported only then."""

from botocore.exceptions import BotoCoreError, ClientError
from redis import RedisError
from sqlalchemy.exc import DBAPIError

from shared.errors import PermanentError, TransientError


def describe(error: Exception) -> str | None:
    """One line; None for an error of ours, which is to be seen whole."""
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
