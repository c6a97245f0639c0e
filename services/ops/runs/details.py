"""Details of one run."""

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
from services.ops.quarantine.entries import QuarantineGroup
from services.ops.runs import runs, stored_pages
from services.ops.runs.queries import loaded_pages
from services.ops.runs.runs import Run
from shared.database.ops_tables import OPERATOR_ACTION, RUN, SCHEMA_DRIFT
from shared.engine.pending_retries import PendingRetry
from shared.formats.commands import PageCommand
from shared.formats.run_plan import RunPlan, pages_needed

MAX_MISSING_SHOWN = 20  # missing pages listed, as each takes a request to S3

# Warnings grouped by rule and field, of the run as a whole (no object) and of its pages.
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

Loaded = Mapping[tuple[int, int], int | None]  # {(part, page): pages of the part, according to that page}


@dataclass(frozen=True)
class PartProgress:
    """A part of the plan: its loaded pages, and its current number of pages."""

    number: int
    params: Mapping[str, str]
    rows: int
    pages: int
    loaded: int


@dataclass(frozen=True)
class MissingPageView:
    """A page that is not in the ledger, whether it is in bronze, and why it is unreadable if that was checked."""

    part: int
    page: int
    of: int
    fetched: bool
    unreadable: str | None = None


@dataclass(frozen=True)
class RuleWarnings:
    """A rule that warned, and on how many pages; 0 for rules about the run as a whole."""

    rule: str
    field: str
    message: str
    records: int
    pages: int


@dataclass(frozen=True)
class RunDetails:
    """A run with everything recorded about it. `missing` has the first NAMED missing pages."""

    run: Run
    state: str
    parts: tuple[PartProgress, ...]
    missing: tuple[MissingPageView, ...]
    warnings: tuple[RuleWarnings, ...]
    drift: tuple[Mapping[str, Any], ...]
    quarantine: tuple[QuarantineGroup, ...]
    operator_actions: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Waiting:
    """Unfinished messages of a run: its dead letters, the number that could not be read, and pending retries."""

    dead_letters: tuple[DeadLetter, ...]
    unseen: int
    retries: tuple[PendingRetry, ...]


def details(connections: Connections, run_id: str) -> RunDetails | None:
    """The details, or None until the run's plan is in the ledger."""
    run = runs.find(connections, run_id)
    if run is None:
        return None
    with connections.database.connect() as connection:
        plan = RunPlan.model_validate(connection.execute(select(RUN).where(RUN.c.run_id == run_id)).one()._asdict())
        loaded, state = loaded_pages(connection, run_id), run.state(busy=runs.is_under_way(connections))
        return RunDetails(
            run=run,
            state=state,
            parts=tuple(parts(plan, loaded)),
            missing=tuple(_missing(connections, islice(plan.missing(loaded), MAX_MISSING_SHOWN), state)),
            warnings=tuple(RuleWarnings(*row) for row in connection.execute(WARNINGS, {"run_id": run_id})),
            drift=_rows(
                connection,
                select(SCHEMA_DRIFT)
                .where(SCHEMA_DRIFT.c.source == run_id)
                .order_by(SCHEMA_DRIFT.c.kind, SCHEMA_DRIFT.c.path),
            ),
            quarantine=tuple(entries.find_groups(connection, entries.QuarantineFilter(run=run_id, closed=True))),
            operator_actions=_rows(
                connection,
                select(OPERATOR_ACTION)
                .where(cast(OPERATOR_ACTION.c.filter, Text).contains(run_id))
                .order_by(OPERATOR_ACTION.c.id),
            ),
        )


def waiting(connections: Connections, run_id: str, now: float) -> Waiting:
    """Unfinished messages of a run, also of one that is not planned yet. `now` is in epoch seconds."""
    survey = dead_letters.survey(connections)
    letters = filters.DeadLetterFilter(run=run_id).select(survey.letters, now)
    return Waiting(tuple(letters), survey.unseen, runs.pending_retries_of(connections, run_id))


def parts(plan: RunPlan, loaded: Loaded) -> Iterator[PartProgress]:
    """The progress of the plan's parts. No I/O."""
    count = Counter(number for number, _ in loaded)
    for number, part in enumerate(plan.parts, start=1):
        yield PartProgress(number, part.params, part.rows, pages_needed(part, number, loaded), count[number])


def _missing(connections: Connections, pages: Iterator[PageCommand], state: str) -> Iterator[MissingPageView]:
    """Pages are read only if the run is incomplete, as they may be large."""
    for page in stored_pages.inspected(connections, pages, read=state == "incomplete"):
        command = page.command
        yield MissingPageView(command.part, command.page, command.of, page.stored is not None, page.unreadable)


def _rows(connection: Connection, query: Any) -> tuple[Mapping[str, Any], ...]:
    return tuple(row._asdict() for row in connection.execute(query))
