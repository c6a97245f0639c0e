"""Everything that is known about one run."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Text, cast, select, text

from services.ops.connections import Connections
from services.ops.dlq import dead_letters, filters
from services.ops.dlq.dead_letters import DeadLetter
from services.ops.quarantine import entries
from services.ops.quarantine.entries import Group
from services.ops.runs import runs, stored_pages
from services.ops.runs.queries import loaded_pages
from services.ops.runs.runs import Run
from shared.database.ops_tables import OPERATOR_ACTION, RUN, SCHEMA_DRIFT
from shared.engine.pending_retries import PendingRetry
from shared.formats.commands import PageCommand
from shared.formats.run_plan import RunPlan, pages_needed

NAMED = 20  # missing pages that are named: each takes a request to S3

# The same rule of the same field together, of the run as a whole (on no page) and of its pages.
WARNINGS = text("""
    select warning ->> 'rule', warning ->> 'field', min(warning ->> 'message'),
           sum((warning ->> 'records')::int)::bigint, count(object_id)
    from (
        select null::bigint as object_id, jsonb_array_elements(warnings) as warning from ops.run where run_id = :run_id
        union all
        select id, jsonb_array_elements(warnings) from ops.loaded_object where run_id = :run_id
    ) as warned
    group by 1, 2 order by 5 desc, 1, 2
""")

Loaded = Mapping[tuple[int, int], int | None]  # {(part, page): the part's pages, as the page knew it}


@dataclass(frozen=True)
class Part:
    """A part of the plan: how many of its pages are loaded, and how many it has as far as is known now."""

    number: int
    params: Mapping[str, str]
    rows: int
    pages: int
    loaded: int


@dataclass(frozen=True)
class MissingPage:
    """A page that is not in the ledger, whether bronze has it, and why it cannot be read, where that was looked at."""

    part: int
    page: int
    of: int
    fetched: bool
    unreadable: str | None = None


@dataclass(frozen=True)
class Warned:
    """A rule that warned, and on how many pages; 0 for a rule about the run as a whole."""

    rule: str
    field: str
    message: str
    records: int
    pages: int


@dataclass(frozen=True)
class Details:
    """What the ledger has of a run, and whatever names it. `missing` are the first NAMED of the missing pages."""

    run: Run
    state: str
    parts: tuple[Part, ...]
    missing: tuple[MissingPage, ...]
    warnings: tuple[Warned, ...]
    drift: tuple[Mapping[str, Any], ...]
    quarantine: tuple[Group, ...]
    replays: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Waiting:
    """What of a run did not get on: dead letters that name it, those nobody could see, and what is tried again."""

    dead_letters: tuple[DeadLetter, ...]
    unseen: int
    troubles: tuple[PendingRetry, ...]


def details(connections: Connections, run_id: str) -> Details | None:
    """None while its plan is not in the ledger."""
    run = runs.find(connections, run_id)
    if run is None:
        return None
    with connections.database.connect() as connection:
        plan = RunPlan.model_validate(connection.execute(select(RUN).where(RUN.c.run_id == run_id)).one()._asdict())
        loaded, state = loaded_pages(connection, run_id), run.state(busy=runs.is_under_way(connections))
        return Details(
            run=run,
            state=state,
            parts=tuple(parts(plan, loaded)),
            missing=tuple(_missing(connections, islice(plan.missing(loaded), NAMED), state)),
            warnings=tuple(Warned(*row) for row in connection.execute(WARNINGS, {"run_id": run_id})),
            drift=_rows(
                connection,
                select(SCHEMA_DRIFT)
                .where(SCHEMA_DRIFT.c.source == run_id)
                .order_by(SCHEMA_DRIFT.c.kind, SCHEMA_DRIFT.c.path),
            ),
            quarantine=tuple(entries.find_groups(connection, entries.Filter(run=run_id, closed=True))),
            replays=_rows(
                connection,
                select(OPERATOR_ACTION)
                .where(cast(OPERATOR_ACTION.c.filter, Text).contains(run_id))
                .order_by(OPERATOR_ACTION.c.id),
            ),
        )


def waiting(connections: Connections, run_id: str, now: float) -> Waiting:
    """Whether it is planned or not. `now` is in epoch seconds."""
    survey = dead_letters.survey(connections)
    named = filters.Filter(run=run_id).select(survey.letters, now)
    return Waiting(tuple(named), survey.unseen, runs.pending_retries_of(connections, run_id))


def parts(plan: RunPlan, loaded: Loaded) -> Iterator[Part]:
    """The plan's parts as far as they have come. Pure."""
    count = Counter(number for number, _ in loaded)
    for number, part in enumerate(plan.parts, start=1):
        yield Part(number, part.params, part.rows, pages_needed(part, number, loaded), count[number])


def _missing(connections: Connections, pages: Iterator[PageCommand], state: str) -> Iterator[MissingPage]:
    """Pages are read only where nothing of the run is under way: they may be large."""
    for page in stored_pages.inspected(connections, pages, read=state == "incomplete"):
        of = page.command
        yield MissingPage(of.part, of.page, of.of, page.stored is not None, page.unreadable)


def _rows(connection: Connection, wanted: Any) -> tuple[Mapping[str, Any], ...]:
    return tuple(row._asdict() for row in connection.execute(wanted))
