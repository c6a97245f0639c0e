"""Settings of the serving process (prefix `SMELT_`)."""

import os

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.config import local_stack, secret_files
from shared.config.names import Names
from shared.config.urls import PostgresAddress, RedisAddress
from shared.errors import PermanentError


class ServingSettings(BaseSettings):
    """Settings of the serving process."""

    model_config = SettingsConfigDict(
        env_prefix="SMELT_", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    database_url: PostgresAddress
    bucket: str | None = None  # target of the export; None disables it
    redis_url: RedisAddress | None = None  # shares the rate limit between processes
    serving_host: str = "127.0.0.1"  # another address only where the network restricts access
    serving_names: Names = ("127.0.0.1", "localhost")  # other Host headers are rejected (DNS rebinding)
    serving_port: int = Field(default=8430, ge=0, le=65_535)
    serving_requests_per_minute: int = Field(default=600, ge=1)  # per client; a search on the page makes five
    serving_refresh_seconds: int = Field(default=15, ge=0)  # s between checks; 0 disables refreshing in this process
    log_level: str = "INFO"


def load_settings() -> ServingSettings:
    """Load settings from the environment and secret files, or from the embedded stack of `SMELT_HOME`.

    Raises PermanentError naming the missing or invalid variables, or if no stack runs there.
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
