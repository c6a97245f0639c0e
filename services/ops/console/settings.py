"""Settings of the console (prefix `SMELT_CONSOLE_`): address, host names and authentication."""

from typing import Annotated, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.config import secret_files
from shared.config.names import Names
from shared.errors import PermanentError

Token = Annotated[SecretStr, Field(min_length=8)]


class ConsoleSettings(BaseSettings):
    """Settings of a console, which authenticates either by tokens or by a load balancer."""

    model_config = SettingsConfigDict(
        env_prefix="SMELT_CONSOLE_", env_ignore_empty=True, frozen=True, hide_input_in_errors=True, extra="ignore"
    )

    host: str = "127.0.0.1"  # another address only where the network restricts access
    port: int = Field(default=8420, ge=0, le=65_535)
    names: Names = ("127.0.0.1", "localhost")  # other Host headers are rejected (DNS rebinding)
    token: Token | None = None  # grants the role operator
    read_token: Token | None = None  # grants the role viewer
    alb_arn: str | None = None  # the load balancer that authenticates users
    alb_client: str | None = None  # the load balancer's client id at the identity provider
    alb_keys_url: str | None = None  # URL of its public keys; default: AWS's for its region
    operators: Names = ()  # e-mail addresses and groups with the role operator
    groups_claim: str = "groups"

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        by_token = self.token is not None or self.read_token is not None
        if by_token == (self.alb_arn is not None):
            message = "set either SMELT_CONSOLE_TOKEN or SMELT_CONSOLE_ALB_ARN to configure authentication"
            raise ValueError(message)
        if self.alb_arn is not None and self.alb_client is None:
            message = "SMELT_CONSOLE_ALB_ARN needs SMELT_CONSOLE_ALB_CLIENT"
            raise ValueError(message)
        if self.token is not None and self.token == self.read_token:
            message = "SMELT_CONSOLE_READ_TOKEN must differ from SMELT_CONSOLE_TOKEN"
            raise ValueError(message)
        return self


def load() -> ConsoleSettings:
    """Load the settings. Raises PermanentError naming the missing or invalid variables."""
    secret_files.read()
    try:
        return ConsoleSettings()
    except ValidationError as error:
        problems = (_problem_text(".".join(map(str, error_["loc"])), error_["msg"]) for error_ in error.errors())
        message = f"invalid environment: {', '.join(problems)}"
        raise PermanentError(message) from None


def _problem_text(name: str, problem: str) -> str:
    reason = problem.removeprefix("Value error, ")
    return f"SMELT_CONSOLE_{name.upper()} ({reason.lower()})" if name else reason
