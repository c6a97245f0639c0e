"""The plan of a run, an object of its own in the bucket: what the ledger is compared with."""

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


class RunPlan(BaseModel):
    """Everything a run set out to fetch. `expected_records` counts distinct records, whatever the parts have in common.

    `scheduled_for` is the time of a schedule that started the run. A run with a `rejected_reason` has no parts and
    never completes.
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

    @model_validator(mode="after")
    def _pages_are_countable(self) -> Self:
        if self.pages >= 2**31:
            message = "more pages than a run can have"
            raise ValueError(message)
        return self

    def commands(self) -> Iterator[PageCommand]:
        """What to send at the start."""
        return self.sendable(self.missing({}))

    def missing(self, loaded: Mapping[tuple[int, int], int | None]) -> Iterator[PageCommand]:
        """A command for each page that is not among `loaded`: {(part, page): the part's pages, as the page knew it}."""
        for number, part in enumerate(self.parts, start=1):
            of = pages_needed(part, number, loaded)
            for page in range(1, of + 1):
                if (number, page) not in loaded:
                    yield PageCommand(
                        dataset=self.dataset, run_id=self.run_id, params=part.params, part=number, page=page, of=of
                    )

    def sendable(self, pages: Iterable[PageCommand]) -> Iterator[PageCommand]:
        """Of missing pages, in order, those that can be asked for now: all, or the first of each part."""
        if not isinstance(registry.dataset(self.dataset).source, SequentialSource):
            yield from pages
            return
        for _, of_part in groupby(pages, key=attrgetter("part")):
            yield next(of_part)

    @property
    def pages(self) -> int:
        """Pages of all parts together."""
        return sum(part.pages for part in self.parts)


def pages_needed(part: Part, number: int, loaded: Mapping[tuple[int, int], int | None]) -> int:
    """How many pages a part has: what its last one says, or any of them where that is more than planned.

    `loaded` is as in `RunPlan.missing`. The ledger counts alike (`shared.database.ops_tables.NEEDED_PAGES`).
    """
    own = {page: of for (owner, page), of in loaded.items() if owner == number}
    most = max((of for of in own.values() if of), default=0)
    return most if most > part.pages else own.get(max(own, default=0)) or part.pages


def read(body: bytes) -> RunPlan:
    """Raises NewerVersionError, PermanentError for what is not a plan."""
    try:
        return RunPlan.model_validate_json(body)
    except ValidationError as error:
        require_supported(body, "version", "a run plan")
        message = f"not a run plan: {error.error_count()} problems, first: {error.errors(include_url=False)[0]['msg']}"
        raise PermanentError(message) from None
