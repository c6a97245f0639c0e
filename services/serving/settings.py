"""Settings of the serving process (prefix `SMELT_`)."""

import os

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.config import local_stack, secret_files
from shared.config.urls import PostgresAddress, RedisAddress
from shared.errors import PermanentError


class ServingSettings(BaseSettings):
    """What serving needs of the environment. It knows of no queue."""

    model_config = SettingsConfigDict(
        env_prefix="SMELT_", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    database_url: PostgresAddress
    bucket: str | None = None  # where gold is exported to; without one it is not
    redis_url: RedisAddress | None = None  # shares the rate limit between processes; without it each counts for itself
    serving_host: str = "127.0.0.1"  # another one only behind something that keeps strangers out
    serving_port: int = Field(default=8430, ge=0, le=65_535)
    serving_requests_per_minute: int = Field(default=600, ge=1)  # a minute and client; a search on the page makes five
    serving_refresh_seconds: int = Field(
        default=15, ge=0
    )  # s between looks whether gold is out of date; 0: another does it
    log_level: str = "INFO"


def load_settings() -> ServingSettings:
    """The settings of the environment and of files of secrets, else of the embedded stack of `SMELT_HOME`.

    Raises PermanentError that names what is missing or wrong, or where no stack runs there.
    """
    secret_files.read()
    if "SMELT_DATABASE_URL" not in os.environ:
        local_stack.use("SMELT_DATABASE_URL")
    try:
        return ServingSettings()
    except ValidationError as error:
        problems = (f"SMELT_{str(e['loc'][0]).upper()} ({e['msg'].lower()})" for e in error.errors())
        message = f"invalid environment: {', '.join(problems)}"
        raise PermanentError(message) from None
