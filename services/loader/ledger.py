"""The ledger: loaded objects with their record counts, and completion of runs."""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, null, select, text, update
from sqlalchemy.dialects.postgresql import insert

from shared.database.ops_tables import LOADED_OBJECT, NEEDED_PAGES, RUN, fully_loaded_objects, pages_of_parts
from shared.formats.run_plan import RunPlan
from shared.formats.silver import SilverHeader
from shared.storage.object_id import ObjectId
from shared.storage.object_keys import silver_key

DISTINCT_RECORDS = text("""
    select count(distinct record.key) from ops.loaded_object, unnest(natural_keys) as record (key)
    where run_id = :run_id
""")
OF_RUN = fully_loaded_objects().where(LOADED_OBJECT.c.run_id == bindparam("run_id"))
ALL_PAGES = text(f"""
    with {pages_of_parts(str(OF_RUN))}
    select coalesce(bool_and(coalesce(part.pages, 0) = {NEEDED_PAGES}), true)
    from ops.run cross join jsonb_array_elements(run.parts) with ordinality as plan (part, number)
         left join part on part.part = plan.number
    where run.run_id = :run_id
""")  # noqa: S608 - a statement of our own
# Rows that pages announce beyond the plan. Records in several parts count several times, so it may be too high.
GROWN = text("""
    select coalesce(sum(greatest(0, announced.rows - (plan.part ->> 'rows')::bigint)), 0)
    from ops.run cross join jsonb_array_elements(run.parts) with ordinality as plan (part, number)
         join (
             select part, max(part_rows) as rows from ops.loaded_object where run_id = :run_id group by part
         ) as announced on announced.part = plan.number
    where run.run_id = :run_id
""")
MAX_ROWS = 2**31 - 1  # limit of the column


@dataclass(frozen=True)
class LoadCounts:
    """The valid records of an object by outcome."""

    inserted: int
    updated: int
    unchanged: int
    stale: int


def claim(connection: Connection, header: SilverHeader) -> int | None:
    """Insert the ledger row of a batch and return its id, or None if the batch was loaded before.

    A second loader with the same batch blocks here until the first commits or rolls back. Valid records count as stale
    until `record_outcome`, so that the conservation check always holds.
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
        cursor=header.cursor,
        definition=header.definition,
        read=header.counts.read,
        stale=header.counts.valid,
        quarantined=header.counts.quarantined,
        field_profile=header.field_profile,
        warnings=[warning.model_dump() for warning in header.warnings],
    )
    object_id: int | None = connection.scalar(statement.on_conflict_do_nothing().returning(LOADED_OBJECT.c.id))
    return object_id


def record_outcome(connection: Connection, object_id: int, counts: LoadCounts, keys: list[str] | None) -> None:
    """Set the counts. `keys` are the page's natural keys, stored until the run is complete."""
    connection.execute(
        update(LOADED_OBJECT).where(LOADED_OBJECT.c.id == object_id).values(**asdict(counts), natural_keys=keys)
    )


def record_plan(connection: Connection, plan: RunPlan, planned_at: datetime) -> bool:
    """Insert a run with its plan; returns False if it exists.

    A slot has one run: if another run has it, this one is recorded as rejected, without pages.
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
        "start": plan.start.model_dump() if plan.start else null(),
    }
    statement = insert(RUN).on_conflict_do_nothing()
    if connection.execute(statement, run).rowcount == 1:
        return True
    holder = _holder_of_slot(connection, plan)
    rejected = run | {"parts": [], "planned_pages": 0, "rejected_reason": f"run {holder} has this slot"}
    return holder is not None and connection.execute(statement, rejected).rowcount == 1


def _holder_of_slot(connection: Connection, plan: RunPlan) -> str | None:
    """Another run with the plan's slot, or None."""
    same_slot = (
        RUN.c.dataset == plan.dataset,
        RUN.c.trigger == plan.trigger,
        RUN.c.scheduled_for == plan.scheduled_for,
    )
    holder = select(RUN.c.run_id).where(*same_slot, RUN.c.rejected_reason.is_(None), RUN.c.run_id != plan.run_id)
    run_id: str | None = connection.scalar(holder)
    return run_id


def mark_complete(connection: Connection, run_id: str) -> bool:
    """Mark the run complete if all its pages are loaded; returns whether this call did. Rejected runs never are.

    Rows announced beyond the plan are added to the expected records. Locking the run serialises two loaders with its
    last two pages, so that the second sees both.
    """
    open_run = (RUN.c.run_id == run_id, RUN.c.completed_at.is_(None), RUN.c.rejected_reason.is_(None))
    pending = select(RUN.c.run_id).where(*open_run).with_for_update()
    if connection.scalar(pending) is None or not _all_pages_loaded(connection, run_id):
        return False
    distinct_records = connection.scalar(DISTINCT_RECORDS, {"run_id": run_id})
    expected_records = func.least(RUN.c.expected_records + connection.scalar(GROWN, {"run_id": run_id}), MAX_ROWS)
    completed = {
        "completed_at": func.clock_timestamp(),
        "distinct_records": distinct_records,
        "expected_records": expected_records,
    }
    connection.execute(update(RUN).where(RUN.c.run_id == run_id).values(completed))
    connection.execute(update(LOADED_OBJECT).where(LOADED_OBJECT.c.run_id == run_id).values(natural_keys=None))
    return True


def clear_working_data(connection: Connection, run_id: str) -> None:
    """Delete natural keys and field profiles of a complete run's pages, for pages loaded again later."""
    over = select(RUN.c.run_id).where(RUN.c.run_id == run_id, RUN.c.completed_at.is_not(None))
    obsolete = (
        LOADED_OBJECT.c.natural_keys.is_not(None) | LOADED_OBJECT.c.field_profile.is_not(None),
        LOADED_OBJECT.c.run_id.in_(over),
    )
    connection.execute(update(LOADED_OBJECT).where(*obsolete).values(natural_keys=None, field_profile=null()))


def _all_pages_loaded(connection: Connection, run_id: str) -> bool:
    return bool(connection.scalar(ALL_PAGES, {"run_id": run_id}))


def is_complete(connection: Connection, source: ObjectId, transform_version: int) -> bool:
    """Whether all batches of a bronze object are loaded."""
    identity = {
        "bucket": source.bucket,
        "key": source.key,
        "version": source.version,
        "transform_version": transform_version,
    }
    complete_object = fully_loaded_objects().where(
        *(LOADED_OBJECT.c[name] == value for name, value in identity.items())
    )
    return connection.execute(complete_object).first() is not None
