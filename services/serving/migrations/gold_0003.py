"""What postings were before they changed: kept by a trigger, compared when read."""

from alembic import op

revision = "gold_0003"
down_revision = "gold_0002"
branch_labels = None
depends_on = None

# The loader replaces a changed posting: it deletes the old one and inserts the new. Before the row goes, and with it
# what belongs to it, all of it is kept as one document; an unchanged posting is not touched and costs nothing.
# Documents are stored as they are: compressing them would take the loader twice the time.
KEPT = """
create table history.job_version (
    id bigint generated always as identity primary key,
    control_number bigint not null,
    object_id bigint not null,
    replaced_at timestamptz not null default clock_timestamp(),
    content jsonb storage external not null
)
"""
CHILDREN = ("job_location", "job_category", "job_grade", "job_schedule", "job_offering_type", "job_remuneration")
LIST = """
    '{0}', (select jsonb_agg(to_jsonb(item) - 'control_number' - 'ordinal' order by ordinal)
            from silver.{0} as item where item.control_number = job.control_number)
"""
# A function in a view acts as who asks, so that without `security definer` readers of gold would need silver.
CONTENT = f"""
create function history.content(job silver.job) returns jsonb
language sql stable parallel safe security definer return (
    (to_jsonb(job) - 'control_number' - 'object_id')
    || coalesce((select to_jsonb(details) - 'control_number' from silver.job_details as details
                 where details.control_number = job.control_number), '{{}}')
    || jsonb_build_object({", ".join(LIST.format(child) for child in CHILDREN)})
)
"""  # noqa: S608 - likewise
KEEP = """
create function history.keep_version() returns trigger language plpgsql as $body$
begin
    insert into history.job_version (control_number, object_id, content)
    values (old.control_number, old.object_id, history.content(old));
    return old;
end
$body$
"""
TRIGGER = """
create trigger keep_version before delete on silver.job for each row execute function history.keep_version()
"""
HISTORY = """
create view silver.job_history as
with version as (
    select control_number, id, object_id, replaced_at, content from history.job_version
    union all
    select control_number, null, object_id, null, history.content(job) from silver.job
    where exists (select from history.job_version as old where old.control_number = job.control_number)
),
ordered as (
    select *, row_number() over placed as version, lag(content) over placed as before
    from version window placed as (partition by control_number order by id nulls last)
)
select ordered.control_number, ordered.version::integer as version, object.observed_at as seen_at, ordered.replaced_at,
       case when before is not null then (
           select coalesce(jsonb_object_agg(key, jsonb_build_array(before -> key, content -> key)), '{}')
           from jsonb_object_keys(before || content) as key
           where (before -> key) is distinct from (content -> key)
       ) end as changes,
       ordered.object_id, content
from ordered left join ops.object as object on object.id = ordered.object_id
"""
PAY_RAISED = """
create view gold.pay_raised as
select control_number, version, seen_at, title, agency,
       (changes #>> '{minimum_range,0}')::numeric(14, 2) as minimum_before,
       (content ->> 'minimum_range')::numeric(14, 2) as minimum_after,
       (changes #>> '{maximum_range,0}')::numeric(14, 2) as maximum_before,
       (content ->> 'maximum_range')::numeric(14, 2) as maximum_after
from silver.job_history left join gold.posting using (control_number)
where not changes ? 'rate_interval_code'
  and ((changes #>> '{minimum_range,0}')::numeric < (changes #>> '{minimum_range,1}')::numeric
       or (changes #>> '{maximum_range,0}')::numeric < (changes #>> '{maximum_range,1}')::numeric)
"""
DEADLINE_EXTENDED = """
create view gold.deadline_extended as
select control_number, version, seen_at, title, agency,
       (changes #>> '{application_close_date,0}')::timestamp::date as closed_before,
       (changes #>> '{application_close_date,1}')::timestamp::date as closes_now
from silver.job_history left join gold.posting using (control_number)
where (changes #>> '{application_close_date,0}')::timestamp < (changes #>> '{application_close_date,1}')::timestamp
"""
POSTING_HISTORY = """
create view gold.posting_history as
select control_number, version, seen_at, replaced_at, changes from silver.job_history
"""
LINEAGE = """
create view gold.posting_lineage as
select control_number, source, object.bucket, object.key, object.version, object.silver_key, object.run_id,
       object.observed_at, object.loaded_at, first_seen_at, last_seen_at
from (
    select job.control_number, 'search' as source, job.object_id, seen.first_seen_at, seen.observed_at as last_seen_at
    from silver.job join silver.job_last_seen as seen using (control_number)
    union all
    select historic.control_number, 'historic', historic.object_id, seen.first_seen_at, seen.observed_at
    from silver.historic_joa as historic join silver.historic_joa_last_seen as seen using (control_number)
) as held join ops.object as object on object.id = held.object_id
"""
NAMES = {
    "control_number": "USAJOBS's number of the posting",
    "version": "counts from 1",
    "seen_at": "when the source first showed it so",
    "replaced_at": "when the next version took its place here; null: it is the current one",
    "changes": "{field: [before, after]} of what the version before had otherwise; null of the first",
    "object_id": "the ledger's object that it is from",
    "content": "all of it, as one document",
    "title": "title now",
    "agency": "agency now",
    "minimum_before": "lowest pay before; null where it did not change",
    "minimum_after": "lowest pay since",
    "maximum_before": "highest pay before; null where it did not change",
    "maximum_after": "highest pay since",
    "closed_before": "last day of applications, as announced before",
    "closes_now": "last day of applications, as announced then",
    "source": "search or historic",
    "bucket": "bucket of the bronze object",
    "key": "key of the bronze object",
    "silver_key": "key of the silver object made of it",
    "run_id": "the run that fetched it; null of an upload",
    "observed_at": "when the source showed this content",
    "loaded_at": "when it was loaded",
    "first_seen_at": "when the posting was first seen",
    "last_seen_at": "when the posting was last seen",
    "id": "order of replacement",
}
OWN = {"gold.posting_lineage.version": "version of the bronze object", "gold.posting_history.version": "counts from 1"}
RELATIONS = {
    "history.job_version": ("table", "Postings as they were before they were replaced; ask silver.job_history"),
    "silver.job_history": ("view", "Versions of each posting that has changed, and what changed; also the current one"),
    "gold.posting_history": ("view", "silver.job_history without the content"),
    "gold.pay_raised": ("view", "Changes of a posting that raised its pay"),
    "gold.deadline_extended": ("view", "Changes of a posting that gave more time to apply"),
    "gold.posting_lineage": ("view", "Which objects the content of each posting is from, and when it was seen"),
}
COLUMNS = "select attname from pg_attribute where attrelid = '{}'::regclass and attnum > 0"


def upgrade() -> None:
    op.execute("create schema history")
    parts = (KEPT, CONTENT, KEEP, TRIGGER, HISTORY, PAY_RAISED, DEADLINE_EXTENDED, POSTING_HISTORY, LINEAGE)
    for statement in (*parts, "create index on history.job_version (control_number)"):
        op.execute(statement)
    for relation, (kind, comment) in RELATIONS.items():
        op.execute(f"comment on {kind} {relation} is $${comment}$$")
        for column in op.get_bind().exec_driver_sql(COLUMNS.format(relation)).scalars():
            text = OWN.get(f"{relation}.{column}", NAMES[column])
            op.execute(f"comment on column {relation}.{column} is $${text}$$")
