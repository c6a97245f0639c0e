"""The plan of a run, an object of its own in the bucket: what the ledger is compared with."""

from collections.abc import Iterator
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from shared.datasets.contract import Part
from shared.errors import PermanentError
from shared.events import PageCommand
from shared.fields import Count, Params, RunId, Word


class RunPlan(BaseModel):
    """Everything a run set out to fetch. `announced` counts distinct records, whatever the parts have in common."""

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    run_id: RunId
    dataset: Word
    params: Params
    trigger: Word
    announced: Count
    parts: tuple[Part, ...]

    @model_validator(mode="after")
    def _pages_are_countable(self) -> Self:
        if self.pages >= 2**31:
            message = "more pages than a run can have"
            raise ValueError(message)
        return self

    def commands(self) -> Iterator[PageCommand]:
        """One command for each page of each part."""
        for number, part in enumerate(self.parts, start=1):
            for page in range(1, part.pages + 1):
                yield PageCommand(
                    dataset=self.dataset, run_id=self.run_id, params=part.params, part=number, page=page, of=part.pages
                )

    @property
    def pages(self) -> int:
        """Pages of all parts together."""
        return sum(part.pages for part in self.parts)


def read(body: bytes) -> RunPlan:
    """Raises PermanentError for what is not a plan."""
    try:
        return RunPlan.model_validate_json(body)
    except ValidationError as error:
        message = f"not a run plan: {error.error_count()} problems, first: {error.errors(include_url=False)[0]['msg']}"
        raise PermanentError(message) from None
