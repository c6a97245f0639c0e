"""Settings of the console (prefix `SMELT_CONSOLE_`): where it listens, under which names, and who may come in."""

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.config import secret_files
from shared.errors import PermanentError


def _names(value: object) -> object:
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)]  # written as a, b
Token = Annotated[SecretStr, Field(min_length=8)]


class ConsoleSettings(BaseSettings):
    """One console's configuration: either tokens, or a load balancer that knows who is there."""

    model_config = SettingsConfigDict(
        env_prefix="SMELT_CONSOLE_", env_ignore_empty=True, frozen=True, hide_input_in_errors=True, extra="ignore"
    )

    host: str = "127.0.0.1"  # another address only where the network restricts access
    port: int = Field(default=8420, ge=0, le=65_535)
    names: Names = ("127.0.0.1", "localhost")  # other Host headers are rejected (DNS rebinding)
    token: Token | None = None  # grants the role operator
    read_token: Token | None = None  # grants the role viewer
    alb_arn: str | None = None  # the load balancer whose word counts
    alb_client: str | None = None  # its client id at the identity provider
    alb_keys_url: str | None = None  # where its public keys are, if not where AWS keeps them for its region
    operators: Names = ()  # e-mail addresses and groups, of those whom the load balancer lets in
    groups_claim: str = "groups"

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        by_token = self.token is not None or self.read_token is not None
        if by_token == (self.alb_arn is not None):
            message = "set either SMELT_CONSOLE_TOKEN or SMELT_CONSOLE_ALB_ARN: nobody comes in without"
            raise ValueError(message)
        if self.alb_arn is not None and self.alb_client is None:
            message = "SMELT_CONSOLE_ALB_ARN needs SMELT_CONSOLE_ALB_CLIENT"
            raise ValueError(message)
        if self.token is not None and self.token == self.read_token:
            message = "SMELT_CONSOLE_READ_TOKEN must be another one than SMELT_CONSOLE_TOKEN"
            raise ValueError(message)
        return self


def load() -> ConsoleSettings:
    """The settings of this process's environment. Raises PermanentError that names what is missing or wrong."""
    secret_files.read()
    try:
        return ConsoleSettings()
    except ValidationError as error:
        problems = (_told(".".join(map(str, found["loc"])), found["msg"]) for found in error.errors())
        message = f"invalid environment: {', '.join(problems)}"
        raise PermanentError(message) from None


def _told(name: str, problem: str) -> str:
    reason = problem.removeprefix("Value error, ")
    return f"SMELT_CONSOLE_{name.upper()} ({reason.lower()})" if name else reason
