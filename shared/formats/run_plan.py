"""The plan of a run: an object in the bucket, and the basis for completeness."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import attrgetter
from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError, model_validator

from shared.datasets import registry
from shared.datasets.source import Part, SequentialSource
from shared.errors import PermanentError
from shared.fields import NonNegativeInt32, Params, RunId, ShortText
from shared.formats.commands import PageCommand
from shared.formats.version import require_supported


class RunStart(BaseModel):
    """The state that a run of an incremental source began from."""

    model_config = ConfigDict(frozen=True)

    generation: NonNegativeInt32
    cursor: ShortText | None


class RunPlan(BaseModel):
    """Everything that a run will fetch. `expected_records` counts distinct records across parts.

    `scheduled_for` is the slot of a scheduled run. A run with a `rejected_reason` has no parts and never completes.
    `start` is None unless the source is incremental and the run has taken its cursor from the state.
    """

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    run_id: RunId
    dataset: ShortText
    params: Params
    trigger: ShortText
    expected_records: NonNegativeInt32
    parts: tuple[Part, ...]
    scheduled_for: AwareDatetime | None = None
    rejected_reason: ShortText | None = None
    start: RunStart | None = None

    @model_validator(mode="after")
    def _pages_are_countable(self) -> Self:
        if self.pages >= 2**31:
            message = "more pages than a run can have"
            raise ValueError(message)
        return self

    def commands(self) -> Iterator[PageCommand]:
        """The commands to send at the start."""
        return self.sendable(self.missing({}))

    def missing(self, loaded: Mapping[tuple[int, int], int | None]) -> Iterator[PageCommand]:
        """Commands for the pages not in `loaded`: {(part, page): pages of the part, according to that page}."""
        for number, part in enumerate(self.parts, start=1):
            of = pages_needed(part, number, loaded)
            for page in range(1, of + 1):
                if (number, page) not in loaded:
                    yield PageCommand(
                        dataset=self.dataset, run_id=self.run_id, params=part.params, part=number, page=page, of=of
                    )

    def sendable(self, pages: Iterable[PageCommand]) -> Iterator[PageCommand]:
        """The pages that can be fetched now: all, or the first missing page of each part of a sequential source."""
        if not isinstance(registry.dataset(self.dataset).source, SequentialSource):
            yield from pages
            return
        for _, of_part in groupby(pages, key=attrgetter("part")):
            yield next(of_part)

    @property
    def pages(self) -> int:
        """Total pages of all parts."""
        return sum(part.pages for part in self.parts)


def pages_needed(part: Part, number: int, loaded: Mapping[tuple[int, int], int | None]) -> int:
    """The number of pages of a part: as its last page says, or the most that any page says if more than planned.

    `loaded` is as in `RunPlan.missing`. `shared.database.ops_tables.NEEDED_PAGES` is the same rule in SQL.
    """
    own = {page: of for (owner, page), of in loaded.items() if owner == number}
    most = max((of for of in own.values() if of), default=0)
    return most if most > part.pages else own.get(max(own, default=0)) or part.pages


def read(body: bytes) -> RunPlan:
    """Raises NewerVersionError, or PermanentError for invalid plans."""
    try:
        return RunPlan.model_validate_json(body)
    except ValidationError as error:
        require_supported(body, "version", "a run plan")
        message = f"not a run plan: {error.error_count()} problems, first: {error.errors(include_url=False)[0]['msg']}"
        raise PermanentError(message) from None
