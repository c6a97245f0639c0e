"""The ledger: which objects are loaded, what came of them, and when a run is complete."""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, null, select, text, update
from sqlalchemy.dialects.postgresql import insert

from shared.database.ops_tables import LOADED_OBJECT, NEEDED_PAGES, RUN, fully_loaded_objects, pages_of_parts
from shared.formats.run_plan import RunPlan
from shared.formats.silver import Header
from shared.storage.object_id import ObjectId
from shared.storage.object_keys import silver_key

DISTINCT_RECORDS = text("""
    select count(distinct seen.name) from ops.loaded_object, unnest(natural_keys) as seen (name) where run_id = :run_id
""")
OF_RUN = fully_loaded_objects().where(LOADED_OBJECT.c.run_id == bindparam("run_id"))
ALL_PAGES = text(f"""
    with {pages_of_parts(str(OF_RUN))}
    select coalesce(bool_and(coalesce(part.pages, 0) = {NEEDED_PAGES}), true)
    from ops.run cross join jsonb_array_elements(run.parts) with ordinality as plan (part, number)
         left join part on part.part = plan.number
    where run.run_id = :run_id
""")  # noqa: S608 - a statement of our own
# Rows that pages announced beyond those of the plan. What parts have in common counts more than once: rather too many.
GROWN = text("""
    select coalesce(sum(greatest(0, told.rows - (plan.part ->> 'rows')::bigint)), 0)
    from ops.run cross join jsonb_array_elements(run.parts) with ordinality as plan (part, number)
         join (
             select part, max(part_rows) as rows from ops.loaded_object where run_id = :run_id group by part
         ) as told on told.part = plan.number
    where run.run_id = :run_id
""")
MOST_ROWS = 2**31 - 1  # that the column holds


@dataclass(frozen=True)
class LoadCounts:
    """What loading an object did to its valid records."""

    inserted: int
    updated: int
    unchanged: int
    stale: int


def claim(connection: Connection, header: Header) -> int | None:
    """Claim one batch of an object in the ledger and return its id; None if it was loaded before.

    A second loader with the same batch waits here until the first has committed or rolled back. Until `settle` says
    what became of them, the valid records count as stale: the conservation check holds at any time.
    """
    source = header.source
    statement = insert(LOADED_OBJECT).values(
        dataset=header.dataset,
        bucket=source.bucket,
        key=source.key,
        version=source.version,
        transform_version=header.transform_version,
        sequencer=source.sequencer,
        batch=header.batch,
        is_last_batch=header.last,
        silver_key=silver_key(source, header.transform_version, header.batch),
        run_id=header.run_id,
        part=header.part,
        page=header.page,
        part_pages=header.part_pages,
        part_rows=header.part_rows,
        observed_at=header.observed_at,
        definition=header.definition,
        read=header.counts.read,
        stale=header.counts.valid,
        quarantined=header.counts.quarantined,
        field_profile=header.shape,
        warnings=[warning.model_dump() for warning in header.warnings],
    )
    object_id: int | None = connection.scalar(statement.on_conflict_do_nothing().returning(LOADED_OBJECT.c.id))
    return object_id


def record_outcome(connection: Connection, object_id: int, effect: LoadCounts, keys: list[str] | None) -> None:
    """Record the outcome. `keys` are the natural keys on the page, wanted until the run's coverage is counted."""
    connection.execute(
        update(LOADED_OBJECT).where(LOADED_OBJECT.c.id == object_id).values(**asdict(effect), natural_keys=keys)
    )


def plan(connection: Connection, plan: RunPlan, planned_at: datetime) -> bool:
    """Record what a run set out to fetch; False if it is known already.

    One run a slot: where another run has it, this one is recorded as rejected, and nothing of it is waited for.
    """
    run = {
        "run_id": plan.run_id,
        "dataset": plan.dataset,
        "params": plan.params,
        "trigger": plan.trigger,
        "parts": [part.__dict__ for part in plan.parts],
        "planned_pages": plan.pages,
        "expected_records": plan.expected_records,
        "planned_at": planned_at,
        "scheduled_for": plan.scheduled_for,
        "rejected_reason": plan.rejected_reason,
    }
    statement = insert(RUN).on_conflict_do_nothing()
    if connection.execute(statement, run).rowcount == 1:
        return True
    holder = _holder_of_slot(connection, plan)
    rejected = run | {"parts": [], "planned_pages": 0, "rejected_reason": f"run {holder} has this slot"}
    return holder is not None and connection.execute(statement, rejected).rowcount == 1


def _holder_of_slot(connection: Connection, plan: RunPlan) -> str | None:
    """The other run that has the plan's slot, if there is one."""
    own = (RUN.c.dataset == plan.dataset, RUN.c.trigger == plan.trigger, RUN.c.scheduled_for == plan.scheduled_for)
    held = select(RUN.c.run_id).where(*own, RUN.c.rejected_reason.is_(None), RUN.c.run_id != plan.run_id)
    run_id: str | None = connection.scalar(held)
    return run_id


def complete(connection: Connection, run_id: str) -> bool:
    """Mark the run complete if every page of it is in the ledger; whether this call did so. A rejected one never is.

    What pages announced beyond the plan is added to what the run is measured by: data that grew makes it short.
    The lock on the run makes two loaders with its last two pages come one after the other: the second sees both.
    """
    open_run = (RUN.c.run_id == run_id, RUN.c.completed_at.is_(None), RUN.c.rejected_reason.is_(None))
    pending = select(RUN.c.run_id).where(*open_run).with_for_update()
    if connection.scalar(pending) is None or not _all_pages_loaded(connection, run_id):
        return False
    distinct_records = connection.scalar(DISTINCT_RECORDS, {"run_id": run_id})
    expected_records = func.least(RUN.c.expected_records + connection.scalar(GROWN, {"run_id": run_id}), MOST_ROWS)
    completed = {
        "completed_at": func.clock_timestamp(),
        "distinct_records": distinct_records,
        "expected_records": expected_records,
    }
    connection.execute(update(RUN).where(RUN.c.run_id == run_id).values(completed))
    connection.execute(update(LOADED_OBJECT).where(LOADED_OBJECT.c.run_id == run_id).values(natural_keys=None))
    return True


def clear_working_data(connection: Connection, run_id: str) -> None:
    """Clear what only a run under way needs of its pages, if it is complete: a page may be loaded once more later."""
    over = select(RUN.c.run_id).where(RUN.c.run_id == run_id, RUN.c.completed_at.is_not(None))
    kept = (
        LOADED_OBJECT.c.natural_keys.is_not(None) | LOADED_OBJECT.c.field_profile.is_not(None),
        LOADED_OBJECT.c.run_id.in_(over),
    )
    connection.execute(update(LOADED_OBJECT).where(*kept).values(natural_keys=None, field_profile=null()))


def _all_pages_loaded(connection: Connection, run_id: str) -> bool:
    return bool(connection.scalar(ALL_PAGES, {"run_id": run_id}))


def is_complete(connection: Connection, source: ObjectId, transform_version: int) -> bool:
    """Whether all batches of a bronze object are in the ledger."""
    own = {
        "bucket": source.bucket,
        "key": source.key,
        "version": source.version,
        "transform_version": transform_version,
    }
    found = fully_loaded_objects().where(*(LOADED_OBJECT.c[name] == value for name, value in own.items()))
    return connection.execute(found).first() is not None
