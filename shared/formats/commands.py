"""The commands on the extract queue: start a run, fetch a page.

People write them too, so an unknown field is an error, unlike in what only services write. A new field is therefore a
new version of the form.
"""

from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from shared.errors import PermanentError
from shared.fields import Params, PositiveInt32, RunId, ShortText
from shared.formats.version import require_supported

# EventBridge Scheduler replaces this with the slot's time; the emulator does not.
SCHEDULED_TIME: Final = "<aws.scheduler.scheduled-time>"
TRIGGER: Final = "schedule:"  # prefix of the trigger of a scheduled run; the schedule's name follows


class RunCommand(BaseModel):
    """Start a run of a dataset. `scheduled_for` is the slot of its schedule, if any."""

    model_config = ConfigDict(frozen=True, extra="forbid")  # `parms` for `params` would fetch everything

    version: Literal[1] = 1
    type: Literal["run"] = "run"
    dataset: ShortText
    run_id: RunId | None = None
    params: Params = {}
    trigger: ShortText = "command"
    scheduled_for: ShortText | None = None


class PageCommand(BaseModel):
    """Fetch one page of a run. Pages and parts count from 1; `of` is the number of pages of the part.

    A page in bronze is fetched again only if it is the version (or eTag) in `replaces`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")  # `parms` for `params` would fetch everything

    version: Literal[1] = 1
    type: Literal["page"] = "page"
    dataset: ShortText
    run_id: RunId
    params: Params
    part: PositiveInt32
    page: PositiveInt32
    of: PositiveInt32
    replaces: ShortText | None = None

    @model_validator(mode="after")
    def _page_is_one_of_them(self) -> Self:
        if self.page > self.of:
            message = f"page {self.page} of {self.of}"
            raise ValueError(message)
        return self


Command = RunCommand | PageCommand
_COMMAND: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="type")])


def parse_command(body: str) -> Command:
    """The command in a message body. Raises NewerVersionError or PermanentError if it is none."""
    try:
        return _COMMAND.validate_json(body)
    except ValidationError as error:
        require_supported(body, "version", "a command")
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False)[:3])
        message = f"not a smelt command: {problems}"
        raise PermanentError(message) from None
