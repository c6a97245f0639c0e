"""Types of the fields that messages, plans and headers share: anybody may send them, and Postgres must take them."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from shared.storage.object_keys import run_date


def _run_id(value: str) -> str:
    run_date(value)
    return value


ShortText = Annotated[str, StringConstraints(max_length=1_000, pattern=r"^[^\x00]*$")]
RunId = Annotated[str, AfterValidator(_run_id)]  # raises PermanentError itself
NonNegativeInt32 = Annotated[int, Field(ge=0, lt=2**31)]
PositiveInt32 = Annotated[int, Field(ge=1, lt=2**31)]
Params = dict[ShortText, ShortText]
