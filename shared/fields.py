"""Field types of messages, plans and headers: input that anybody may send, limited to what Postgres can store."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from shared.errors import PermanentError

RUN_ID = re.compile(r"([0-9]{8}T[0-9]{6}Z)-[0-9a-f]{8}")


def run_date(run_id: str) -> str:
    """The date partition of a run, `YYYY-MM-DD`, from its id `YYYYMMDDTHHMMSSZ-xxxxxxxx`. Raises PermanentError."""
    try:
        moment = datetime.strptime(RUN_ID.fullmatch(run_id)[1], "%Y%m%dT%H%M%S%z")  # type: ignore[index]
    except (TypeError, ValueError):
        message = f"not a run id: {run_id!r} (YYYYMMDDTHHMMSSZ-xxxxxxxx)"
        raise PermanentError(message) from None
    return f"{moment:%Y-%m-%d}"


def _run_id(value: str) -> str:
    run_date(value)
    return value


def _one_line(value: str) -> str:
    if "\r" in value or "\n" in value:  # they end a header of HTTP, and a line of a log
        message = f"a parameter with a line end: {value[:100]!r}"
        raise PermanentError(message)
    return value


ShortText = Annotated[str, StringConstraints(max_length=1_000, pattern=r"^[^\x00]*$")]
RunId = Annotated[str, AfterValidator(_run_id)]  # validation raises PermanentError
NonNegativeInt32 = Annotated[int, Field(ge=0, lt=2**31)]
PositiveInt32 = Annotated[int, Field(ge=1, lt=2**31)]
ParamText = Annotated[ShortText, AfterValidator(_one_line)]  # raises PermanentError itself
Params = dict[ParamText, ParamText]
