"""How far the complete runs of an incremental source have come: an object that the extractor plans runs with.

Postgres has the state (`ops.source_state`); the object is a copy for the extractor, which has no database.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.errors import PermanentError
from shared.fields import NonNegativeInt32, Params, RunId, ShortText
from shared.formats.version import require_supported


class SourceState(BaseModel):
    """The state of runs with these params. An operator who sets it begins a new `generation`.

    A run that began in an earlier generation does not change the state. `cursor` is None after a reset.
    """

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    dataset: ShortText
    params: Params
    generation: NonNegativeInt32 = 0
    cursor: ShortText | None = None
    run_id: RunId | None = None  # the run that the cursor is from; None if an operator has set it


def read(body: bytes) -> SourceState:
    """Raises NewerVersionError, or PermanentError for an invalid state."""
    try:
        return SourceState.model_validate_json(body)
    except ValidationError as error:
        require_supported(body, "version", "a source's state")
        message = f"not a source's state: {error.errors(include_url=False)[0]['msg']}"
        raise PermanentError(message) from None
