"""Schema `gold`: a row a posting, its places, what of it is out of date, and how it is built again."""

from alembic import op

revision = "gold_0001"
down_revision = None
branch_labels = ("gold",)
depends_on = ("ops_0002", "usajobs_search_0003", "usajobs_historic_0002")

# Wide values leave the row, so that what filters and orders need is narrow; the words of a title stay. `ended_on` is
# infinity while nothing says when it ends: one comparison with today, and an index can answer it.
POSTING = """
create table gold.posting_stored (
    control_number bigint primary key,
    sources text[] not null,
    position_id text,
    title text not null,
    agency text,
    department text,
    office text,
    series text[] not null,
    series_names text[] not null,
    pay_plan text,
    grade_low text,
    grade_high text,
    pay_minimum numeric(14, 2),
    pay_maximum numeric(14, 2),
    pay_interval text,
    annual_minimum numeric(14, 2),
    annual_maximum numeric(14, 2),
    opened_on date,
    closes_on date,
    ended_on date not null,
    is_remote boolean,
    is_telework boolean,
    schedules text[] not null,
    offering_types text[] not null,
    hiring_paths text[] not null,
    who_may_apply text,
    security_clearance text,
    openings text,
    location text,
    places integer not null,
    summary text,
    url text,
    first_seen_at timestamptz not null,
    inactive_since timestamptz,
    search_object_id bigint,
    historic_object_id bigint,
    codes_object_id bigint not null,
    words tsvector not null,
    title_words tsvector generated always as (gold.searchable(title)) stored
) with (toast_tuple_target = 512)
"""
INDEXES = """
alter table gold.posting_stored alter title_words set storage main;
create index on gold.posting_stored using gin (words);
create index on gold.posting_stored using gin (title_words);
create index on gold.posting_stored using gin (title gin_trgm_ops);
create index on gold.posting_stored using gin (series);
create index on gold.posting_stored ((coalesce(opened_on, '-infinity'::date)), control_number);
create index on gold.posting_stored (ended_on);
create index on gold.posting_stored ((coalesce(nullif(ended_on, 'infinity'::date), 'infinity'::date)), control_number);
create index on gold.posting_stored ((coalesce(annual_maximum, -1)), control_number);
create index on gold.posting_stored (agency, control_number);
create table gold.posting_location (
    control_number bigint references gold.posting_stored on delete cascade,
    ordinal integer,
    name text,
    city text,
    state text,
    country text,
    latitude double precision,
    longitude double precision,
    primary key (control_number, ordinal)
);
create index on gold.posting_location using gist (point(longitude, latitude));
"""
# 2,087 hours are a federal year of pay (5 U.S.C. 5504(b)). What is paid otherwise (by piece, not at all) has no annual
# amount. A code without a label stands for itself.
ANNUAL = """
create function gold.annual(amount numeric, pay_interval text) returns numeric
language sql immutable parallel safe return round(amount * case pay_interval
    when 'Per Year' then 1 when 'PA' then 1
    when 'Per Hour' then 2087 when 'PH' then 2087
    when 'Per Day' then 260 when 'PD' then 260
    when 'Bi-weekly' then 26 when 'BW' then 26
    when 'Per Month' then 12 when 'PM' then 12
end, 2)
"""
# The lists do not promise that a code is in them once.
LABEL = """
create function gold.label(list text, wanted text) returns text language sql stable parallel safe
return (select min(value) from silver.code where list_name = list and code = wanted)
"""
# Postgres takes "engineering/data" for the name of a file, one word. Words in addresses say nothing about a job.
SEARCHABLE = """
create function gold.searchable(prose text) returns tsvector language sql immutable parallel safe
return to_tsvector('english', translate(
    regexp_replace(coalesce(prose, ''), '(https?://|www[.])[^[:space:]]+', ' ', 'g'), '/', ' '
))
"""
STALE = """
create view gold.posting_stale as
select coalesce(held.control_number, built.control_number) as control_number
from (
    select control_number, job.object_id as search_object_id, historic.object_id as historic_object_id,
           (select coalesce(max(object_id), 0) from silver.code_list) as codes_object_id,
           case when job.object_id is null then historic_seen.inactive_since else seen.inactive_since end
               as inactive_since
    from (silver.job left join silver.job_last_seen as seen using (control_number)) full join (
        silver.historic_joa as historic left join silver.historic_joa_last_seen as historic_seen using (control_number)
    ) using (control_number)
) as held full join gold.posting_stored as built on built.control_number = held.control_number
where (held.search_object_id, held.historic_object_id, held.codes_object_id, held.inactive_since)
      is distinct from
      (built.search_object_id, built.historic_object_id, built.codes_object_id, built.inactive_since)
"""
# Search is preferred: it is newer and fuller. The agency is the bureau's name in the code list where there is one, so
# that both sources agree.
BUILD_POSTINGS = """
insert into gold.posting_stored
select wanted.control_number,
       array_remove(array[case when job.control_number is not null then 'search' end,
                          case when historic.control_number is not null then 'historic' end], null),
       coalesce(job.position_id, historic.announcement_number),
       coalesce(job.position_title, historic.position_title),
       name.agency,
       coalesce(job.department_name, historic.hiring_department_name),
       coalesce(job.sub_agency, details.sub_agency_name, historic.hiring_subelement_name),
       coalesce(category.codes, '{}'),
       coalesce(category.names, '{}'),
       coalesce((
           select code from silver.job_grade as grade where grade.control_number = wanted.control_number and ordinal = 1
       ), historic.pay_scale),
       coalesce(details.low_grade, historic.minimum_grade),
       coalesce(details.high_grade, historic.maximum_grade),
       pay.low, pay.high, pay.period, gold.annual(pay.low, pay.period), gold.annual(pay.high, pay.period),
       coalesce(job.publication_start_date::date, historic.position_open_date),
       ends.closes_on,
       coalesce(least(ends.closes_on, ends.inactive_since::date, ends.cancelled_at::date), 'infinity'),
       details.remote_indicator,
       coalesce(details.telework_eligible, historic.telework_eligible),
       coalesce(nullif(label.schedules, '{}'), array_remove(array[historic.work_schedule], null)),
       coalesce(nullif(label.offering_types, '{}'), array_remove(array[historic.appointment_type], null)),
       coalesce(nullif(label.hiring_paths, '{}'), array(
           select hiring_path from silver.historic_joa_hiring_path as path
           where path.control_number = wanted.control_number and hiring_path is not null order by ordinal
       )),
       coalesce(details.who_may_apply_name, historic.who_may_apply),
       coalesce(details.security_clearance, historic.security_clearance),
       coalesce(details.total_openings, historic.total_openings),
       coalesce(job.position_location_display, place.name),
       coalesce(place.places, 0),
       coalesce(details.job_summary, job.qualification_summary),
       coalesce(job.position_uri, 'https://www.usajobs.gov/job/' || wanted.control_number),
       least(seen.first_seen_at, historic_seen.first_seen_at), ends.inactive_since,
       job.object_id, historic.object_id, (select coalesce(max(object_id), 0) from silver.code_list),
       setweight(gold.searchable(coalesce(job.position_title, historic.position_title)), 'A')
       || setweight(gold.searchable(concat_ws(' ', name.agency, category.codes, category.names)), 'B')
       || setweight(gold.searchable(concat_ws(' ', details.job_summary, job.qualification_summary)), 'C')
       || setweight(gold.searchable(array_to_string(details.major_duties, ' ')), 'D')
from unnest(changed) as wanted (control_number)
     left join silver.job using (control_number)
     left join silver.job_details as details using (control_number)
     left join lateral (
         select rate_interval, schedules, offering_types, hiring_paths from silver.job_label as own
         where own.control_number = wanted.control_number limit 1
     ) as label on true
     left join silver.job_last_seen as seen using (control_number)
     left join silver.historic_joa as historic using (control_number)
     left join silver.historic_joa_last_seen as historic_seen using (control_number)
     cross join lateral (select coalesce(
         nullif(split_part(details.organization_codes, '/', 2), ''), historic.hiring_agency_code
     )) as bureau (code)
     cross join lateral (select coalesce(
         case when length(bureau.code) > 2 then gold.label('agencysubelements', bureau.code) end,
         job.organization_name, historic.hiring_agency_name, job.department_name, historic.hiring_department_name
     )) as name (agency)
     cross join lateral (select
         case when job.minimum_range is null then historic.minimum_salary else job.minimum_range end,
         case when job.minimum_range is null then historic.maximum_salary else job.maximum_range end,
         case when job.minimum_range is null then historic.salary_type else label.rate_interval end
     ) as pay (low, high, period)
     cross join lateral (select
         coalesce(job.application_close_date::date, historic.position_close_date),
         case when job.control_number is null then historic_seen.inactive_since else seen.inactive_since end,
         case when historic.position_opening_status <> 'Accepting applications' then historic_seen.observed_at end
     ) as ends (closes_on, inactive_since, cancelled_at)
     left join lateral (
         select array_agg(code order by ordinal) as codes,
                array_agg(coalesce(gold.label('occupationalseries', code), name, code) order by ordinal) as names
         from (
             select code, name, ordinal from silver.job_category as own
             where own.control_number = job.control_number and code is not null
             union all
             select series, null, ordinal from silver.historic_joa_category as own
             where own.control_number = historic.control_number and job.control_number is null and series is not null
         ) as item
     ) as category on true
     left join lateral (
         select count(distinct item.name) as places, min(item.name) as name from (
             select location_name as name from silver.job_location as own
             where own.control_number = job.control_number
             union all
             select concat_ws(', ', position_location_city, position_location_state)
             from silver.historic_joa_location as own
             where own.control_number = historic.control_number and job.control_number is null
         ) as item
     ) as place on true
where job.control_number is not null or historic.control_number is not null
"""
# Two vacancies in one town are two entries in silver, and one place here.
BUILD_LOCATIONS = """
insert into gold.posting_location
select distinct on (control_number, location_name, latitude, longitude) control_number, ordinal, location_name,
       city_name, country_sub_division_code, country_code, latitude, longitude
from silver.job_location where control_number = any (changed)
union all
select control_number, ordinal, concat_ws(', ', position_location_city, position_location_state),
       position_location_city, position_location_state, position_location_country, null, null
from silver.historic_joa_location as place
where control_number = any (changed)
      and not exists (select from silver.job where job.control_number = place.control_number)
"""
BUILD = f"""
create function gold.build(changed bigint[]) returns bigint language plpgsql set search_path = gold, public as $body$
#variable_conflict use_column
declare built bigint;
begin
    delete from gold.posting_stored where control_number = any (changed);
    {BUILD_POSTINGS};
    get diagnostics built = row_count;
    {BUILD_LOCATIONS};
    return built;
end
$body$
"""  # noqa: S608 - our own text


def upgrade() -> None:
    op.execute("create extension if not exists pg_trgm")
    op.execute("create schema gold")
    for statement in (SEARCHABLE, POSTING, *filter(str.strip, INDEXES.split(";")), ANNUAL, LABEL, STALE, BUILD):
        op.execute(statement)
