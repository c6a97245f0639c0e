"""SQL for runs as one query, fast for a few runs among many."""

from sqlalchemy import Connection, literal_column, select, text

from shared.database.ops_tables import LOADED_OBJECT, NEEDED_PAGES, fully_loaded_objects, pages_of_parts

RATE_SECONDS = 120  # window of the rate

# A page fetched or transformed again has several ledger rows, each of which adds up.
RUNS = f"""
    select run.run_id, run.dataset, run.params, run.planned_at, run.completed_at, parts.planned as planned_pages,
           run.expected_records, run.distinct_records, parts.loaded as pages, loaded.read, loaded.inserted,
           loaded.updated, loaded.unchanged, loaded.stale, loaded.quarantined,
           (select count(*) from ops.quarantine where quarantine.run_id = run.run_id) as in_quarantine,
           jsonb_array_length(run.warnings) + loaded.warnings as warnings, loaded.recent, loaded.last_at,
           clock_timestamp() as at, run.trigger, run.rejected_reason
    from (
        select * from ops.run where {{which}} order by planned_at desc, run_id desc limit :most
    ) as run cross join lateral (
        with {pages_of_parts(str(fully_loaded_objects().where(LOADED_OBJECT.c.run_id == literal_column("run.run_id"))))}
        select coalesce(sum(part.pages), 0)::bigint as loaded,
               coalesce(sum({NEEDED_PAGES}), 0)::bigint as planned
        from jsonb_array_elements(run.parts) with ordinality as plan (part, number)
             left join part on part.part = plan.number
    ) as parts cross join lateral (
        select coalesce(sum(read), 0) as read, coalesce(sum(inserted), 0) as inserted,
               coalesce(sum(updated), 0) as updated, coalesce(sum(unchanged), 0) as unchanged,
               coalesce(sum(stale), 0) as stale, coalesce(sum(quarantined), 0) as quarantined,
               coalesce(sum(jsonb_array_length(warnings)), 0) as warnings, max(loaded_at) as last_at,
               count(distinct (part, page)) filter (
                   where is_last_batch and loaded_at > clock_timestamp() - make_interval(secs => {RATE_SECONDS})
               ) as recent
        from ops.loaded_object as object where object.run_id = run.run_id
    ) as loaded
    order by run.planned_at desc, run.run_id desc
"""  # noqa: S608 - our own tables
ONE = text(RUNS.format(which="run_id = :run_id"))
LATEST = text(
    RUNS.format(
        which="(cast(:dataset as text) is null or dataset = :dataset)"
        " and (cast(:since as interval) is null or planned_at > now() - cast(:since as interval))"
    )
)


def loaded_pages(connection: Connection, run_id: str) -> dict[tuple[int, int], int | None]:
    """{(part, page): pages of the part according to that page}; a page fetched again counts in its newer version."""
    whole = fully_loaded_objects().where(LOADED_OBJECT.c.run_id == run_id).subquery()
    query = select(whole.c.part, whole.c.page, whole.c.part_pages).order_by(whole.c.observed_at)
    return {(part, page): of for part, page, of in connection.execute(query)}
