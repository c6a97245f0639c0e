-- Schema gold: one row a posting from both sources, what refreshes it, the views and functions that serve people,
-- and the history of postings. Applied by gold_001.py.

create extension if not exists pg_trgm;

create schema gold;

-- Postings with the labels of their codes; a code without a label stands for itself.
create view silver.job_label as
select job.control_number,
       coalesce(interval.value, job.rate_interval_code) as rate_interval,
       array(
           select coalesce(list.value, item.name, item.code)
           from silver.job_schedule as item
                left join silver.code as list on list.list_name = 'positionscheduletypes' and list.code = item.code
           where item.control_number = job.control_number order by item.ordinal
       ) as schedules,
       array(
           select coalesce(list.value, item.name, item.code)
           from silver.job_offering_type as item
                left join silver.code as list on list.list_name = 'positionofferingtypes' and list.code = item.code
           where item.control_number = job.control_number order by item.ordinal
       ) as offering_types,
       array(
           select coalesce(list.value, item.code)
           from silver.job_details, unnest(hiring_path) with ordinality as item (code, ordinal)
                left join silver.code as list on list.list_name = 'hiringpaths' and list.code = item.code
           where job_details.control_number = job.control_number order by item.ordinal
       ) as hiring_paths
from silver.job
     left join silver.code as interval
            on interval.list_name = 'remunerationrateintervalcodes' and interval.code = job.rate_interval_code;

-- Postgres parses "engineering/data" as a file name, one word. Words in URLs say nothing about a job.
create function gold.searchable(prose text) returns tsvector language sql immutable parallel safe
return to_tsvector('english', translate(
    regexp_replace(coalesce(prose, ''), '(https?://|www[.])[^[:space:]]+', ' ', 'g'), '/', ' '
));

-- Wide values are moved out of the row (toast_tuple_target), so that what filters and orders need stays narrow.
-- ended_on is infinity while no end is known: one comparison with today, which an index can answer.
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
) with (toast_tuple_target = 512);

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

-- 2,087 hours are a federal year of pay (5 U.S.C. 5504(b)). Pay by piece or without compensation has no annual amount.
create function gold.annual(amount numeric, pay_interval text) returns numeric
language sql immutable parallel safe return round(amount * case pay_interval
    when 'Per Year' then 1 when 'PA' then 1
    when 'Per Hour' then 2087 when 'PH' then 2087
    when 'Per Day' then 260 when 'PD' then 260
    when 'Bi-weekly' then 26 when 'BW' then 26
    when 'Per Month' then 12 when 'PM' then 12
end, 2);

-- The code lists do not promise that a code occurs once.
create function gold.label(list text, wanted text) returns text language sql stable parallel safe
return (select min(value) from silver.code where list_name = list and code = wanted);

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
      (built.search_object_id, built.historic_object_id, built.codes_object_id, built.inactive_since);

-- Rebuilds the postings with these control numbers. Search is preferred to Historic: it is newer and fuller. The
-- agency is the bureau's name in the code list where there is one, so that both sources agree.
create function gold.build(changed bigint[]) returns bigint language plpgsql
set search_path = gold, public set timezone = 'UTC' as $body$
#variable_conflict use_column
declare built bigint;
begin
    delete from gold.posting_stored where control_number = any (changed);
    
insert into gold.posting_stored (
    control_number, sources, position_id, title, agency, department, office, series, series_names, pay_plan,
    grade_low, grade_high, pay_minimum, pay_maximum, pay_interval, annual_minimum, annual_maximum, opened_on,
    closes_on, ended_on, is_remote, is_telework, schedules, offering_types, hiring_paths, who_may_apply,
    security_clearance, openings, location, places, summary, url, first_seen_at, inactive_since, search_object_id,
    historic_object_id, codes_object_id, words
)
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
;
    get diagnostics built = row_count;
    
insert into gold.posting_location
select distinct on (control_number, location_name, latitude, longitude) control_number, ordinal, location_name,
       city_name, country_sub_division_code, country_code, latitude, longitude
from silver.job_location as place
where control_number = any (changed)
      and exists (select from silver.job where job.control_number = place.control_number)
union all
select control_number, ordinal, concat_ws(', ', position_location_city, position_location_state),
       position_location_city, position_location_state, position_location_country, null, null
from silver.historic_joa_location as place
where control_number = any (changed)
      and exists (select from silver.historic_joa as joa where joa.control_number = place.control_number)
      and not exists (select from silver.job where job.control_number = place.control_number)
;
    return built;
end
$body$;

create function gold.today() returns date language sql stable parallel safe return (now() at time zone 'UTC')::date;

create view gold.posting as
select control_number, sources, position_id, title, agency, department, office, series, series_names, pay_plan,
       grade_low, grade_high, pay_minimum, pay_maximum, pay_interval, annual_minimum, annual_maximum,
       opened_on, closes_on, nullif(ended_on, 'infinity') as ended_on, ended_on >= gold.today() as is_open,
       least(nullif(ended_on, 'infinity'), gold.today()) - opened_on as days_open,
       is_remote, is_telework, schedules, offering_types, hiring_paths, who_may_apply, security_clearance, openings,
       location, places, summary, url, first_seen_at, words, title_words
from gold.posting_stored;

-- The mean radius of the Earth, 6,371.0088 km, is 3,958.7613 miles.
create function gold.miles_between(
    latitude_1 double precision, longitude_1 double precision, latitude_2 double precision, longitude_2 double precision
) returns double precision language sql immutable parallel safe
return 2 * 3958.7613 * asin(sqrt(least(1,
    sin(radians(latitude_2 - latitude_1) / 2) ^ 2
    + cos(radians(latitude_1)) * cos(radians(latitude_2)) * sin(radians(longitude_2 - longitude_1) / 2) ^ 2)));

-- Boxes that cover a circle without overlap: up to three across the date line; around a pole one that goes all the way.
create function gold.boxes_around(latitude double precision, longitude double precision, miles double precision)
returns setof box language sql immutable parallel safe rows 1 as $body$
    select box(point(west, south), point(east, north))
    from (select degrees(miles / 3958.7613) * 1.000001 + 1e-9 as tall) as radius,
         lateral (select greatest(latitude - tall, -90) as south, least(latitude + tall, 90) as north) as band,
         lateral (select case
             when tall >= 90 or south <= -90 or north >= 90 then 180
             else least(180, degrees(asin(least(1, sin(radians(tall)) / cos(radians(latitude))))) * 1.000001 + 1e-9)
         end as wide) as width,
         lateral (
             select -180 as west, 180 as east where wide >= 180
             union all select longitude - wide, longitude + wide where wide < 180
             union all select longitude - wide + 360, longitude + wide + 360
                 where wide < 180 and longitude - wide < -180
             union all select longitude - wide - 360, longitude + wide - 360
                 where wide < 180 and longitude + wide > 180
         ) as box
$body$;

create function gold.postings_near(
    latitude double precision, longitude double precision, miles double precision default 50
) returns table (control_number bigint, miles double precision)
language sql stable parallel safe rows 1000 as $body$
    select place.control_number, min(distance.miles)
    from gold.boxes_around($1, $2, $3) as area
         join gold.posting_location as place on point(place.longitude, place.latitude) <@ area
         cross join lateral (
             select gold.miles_between($1, $2, place.latitude, place.longitude) as miles
         ) as distance
    where distance.miles <= $3
    group by place.control_number
$body$;

create view gold.data_jobs_chicago as
select near.miles, control_number, title, agency, department, office, series, series_names, pay_plan, grade_low,
       grade_high, pay_minimum, pay_maximum, pay_interval, annual_minimum, annual_maximum, opened_on, closes_on,
       is_open, is_remote, is_telework, location, places, url
from gold.postings_near(
         41.8781, -87.6298,
         coalesce(nullif(current_setting('gold.chicago_miles', true), ''), '50')::double precision
     ) as near
     join gold.posting using (control_number)
where words @@ websearch_to_tsquery('english', 'data engineering');

create materialized view gold.agency_daily as
with event as (
    select coalesce(agency, '') as agency, opened_on as day, 1 as opened, 0 as closed from gold.posting_stored
    where opened_on is not null
    union all
    select coalesce(agency, ''), greatest(ended_on + 1, opened_on), 0, 1 from gold.posting_stored
    where opened_on is not null and ended_on < current_date
)
select agency, day, sum(opened)::integer as opened, sum(closed)::integer as closed,
       sum(sum(opened) - sum(closed)) over (partition by agency order by day)::integer as open
from event group by agency, day;

create materialized view gold.pay_by_series as
select item.series, max(item.name) as series_name, count(*)::integer as postings,
       percentile_cont(0.1) within group (order by middle)::numeric(14, 2) as p10,
       percentile_cont(0.25) within group (order by middle)::numeric(14, 2) as p25,
       percentile_cont(0.5) within group (order by middle)::numeric(14, 2) as median,
       percentile_cont(0.75) within group (order by middle)::numeric(14, 2) as p75,
       percentile_cont(0.9) within group (order by middle)::numeric(14, 2) as p90
from gold.posting_stored cross join lateral unnest(series, series_names) as item (series, name)
     cross join lateral (select ((annual_minimum + annual_maximum) / 2)::double precision) as pay (middle)
where middle > 0
group by item.series;

create materialized view gold.time_to_close as
select coalesce(agency, '') as agency, extract(year from opened_on)::integer as opened_year,
       count(*)::integer as postings, avg(days)::numeric(8, 1) as mean_days,
       percentile_disc(0.5) within group (order by days) as median_days,
       percentile_disc(0.9) within group (order by days) as p90_days
from gold.posting_stored cross join lateral (select ended_on - opened_on where ended_on < current_date) as open (days)
where days >= 0
group by 1, 2;

create materialized view gold.place as
select name, percentile_disc(0.5) within group (order by latitude) as latitude,
       percentile_disc(0.5) within group (order by longitude) as longitude,
       count(distinct control_number)::integer as postings
from gold.posting_location where name <> '' and latitude is not null and longitude is not null
group by name;

create function gold.grade_number(grade text) returns integer language sql immutable parallel safe
return case when grade ~ '^[0-9]{1,2}$' then grade::integer end;

create table gold.freshness (
    what text primary key,
    refreshed_at timestamptz not null,
    took interval not null,
    changed bigint not null,
    seen text not null
);

create unique index on gold.agency_daily (agency, day);

create unique index on gold.place (name);

create index on gold.place using gin (name gin_trgm_ops);

create unique index on gold.pay_by_series (series);

create unique index on gold.time_to_close (agency, opened_year);

create schema history;

-- The loader replaces a changed posting: it deletes the old row and inserts the new one. A trigger keeps the
-- deleted row with its child rows as one document. Stored uncompressed: compression would double the loader's time.
create table history.job_version (
    id bigint generated always as identity primary key,
    control_number bigint not null,
    object_id bigint not null,
    replaced_at timestamptz not null default clock_timestamp(),
    content jsonb storage external not null
);

-- Functions in a view run as the caller: without `security definer` readers of gold would need access to silver.
create function history.content(job silver.job) returns jsonb
language sql stable parallel safe security definer return (
    (to_jsonb(job) - 'control_number' - 'object_id')
    || coalesce((select to_jsonb(details) - 'control_number' from silver.job_details as details
                 where details.control_number = job.control_number), '{}')
    || jsonb_build_object(
    'job_location', (select jsonb_agg(to_jsonb(item) - 'control_number' - 'ordinal' order by ordinal)
            from silver.job_location as item where item.control_number = job.control_number)
, 
    'job_category', (select jsonb_agg(to_jsonb(item) - 'control_number' - 'ordinal' order by ordinal)
            from silver.job_category as item where item.control_number = job.control_number)
, 
    'job_grade', (select jsonb_agg(to_jsonb(item) - 'control_number' - 'ordinal' order by ordinal)
            from silver.job_grade as item where item.control_number = job.control_number)
, 
    'job_schedule', (select jsonb_agg(to_jsonb(item) - 'control_number' - 'ordinal' order by ordinal)
            from silver.job_schedule as item where item.control_number = job.control_number)
, 
    'job_offering_type', (select jsonb_agg(to_jsonb(item) - 'control_number' - 'ordinal' order by ordinal)
            from silver.job_offering_type as item where item.control_number = job.control_number)
, 
    'job_remuneration', (select jsonb_agg(to_jsonb(item) - 'control_number' - 'ordinal' order by ordinal)
            from silver.job_remuneration as item where item.control_number = job.control_number)
)
);

create function history.keep_version() returns trigger language plpgsql as $body$
begin
    insert into history.job_version (control_number, object_id, content)
    values (old.control_number, old.object_id, history.content(old));
    return old;
end
$body$;

create trigger keep_version before delete on silver.job for each row execute function history.keep_version();

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
from ordered left join ops.loaded_object as object on object.id = ordered.object_id;

create view gold.pay_raised as
select control_number, version, seen_at, title, agency,
       (changes #>> '{minimum_range,0}')::numeric(14, 2) as minimum_before,
       (content ->> 'minimum_range')::numeric(14, 2) as minimum_after,
       (changes #>> '{maximum_range,0}')::numeric(14, 2) as maximum_before,
       (content ->> 'maximum_range')::numeric(14, 2) as maximum_after
from silver.job_history left join gold.posting using (control_number)
where not changes ? 'rate_interval_code'
  and ((changes #>> '{minimum_range,0}')::numeric < (changes #>> '{minimum_range,1}')::numeric
       or (changes #>> '{maximum_range,0}')::numeric < (changes #>> '{maximum_range,1}')::numeric);

create view gold.deadline_extended as
select control_number, version, seen_at, title, agency,
       (changes #>> '{application_close_date,0}')::timestamp::date as closed_before,
       (changes #>> '{application_close_date,1}')::timestamp::date as closes_now
from silver.job_history left join gold.posting using (control_number)
where (changes #>> '{application_close_date,0}')::timestamp < (changes #>> '{application_close_date,1}')::timestamp;

create view gold.posting_history as
select control_number, version, seen_at, replaced_at, changes from silver.job_history;

create view gold.posting_lineage as
select control_number, source, object.bucket, object.key, object.version, object.silver_key, object.run_id,
       object.observed_at, object.loaded_at, first_seen_at, last_seen_at
from (
    select job.control_number, 'search' as source, job.object_id, seen.first_seen_at, seen.observed_at as last_seen_at
    from silver.job join silver.job_last_seen as seen using (control_number)
    union all
    select historic.control_number, 'historic', historic.object_id, seen.first_seen_at, seen.observed_at
    from silver.historic_joa as historic join silver.historic_joa_last_seen as seen using (control_number)
) as held join ops.loaded_object as object on object.id = held.object_id;

create index on history.job_version (control_number);

-- The role that the read API acts as. A role belongs to the whole server: it may exist, or another database may create
-- it at the same time. An owner without the right to create roles leaves that to an administrator.
create function gold.grant_read_access() returns boolean language plpgsql as $body$
begin
    begin
        if not exists (select from pg_roles where rolname = 'smelt_read') then
            create role smelt_read nologin;
            execute format('grant smelt_read to %I with inherit false, set true', current_user);
        end if;
    exception
        when duplicate_object or unique_violation then null;
        when insufficient_privilege then return false;
    end;
    grant usage on schema gold to smelt_read;
    grant select on all tables in schema gold to smelt_read;
    return pg_has_role(current_user, 'smelt_read', 'set');
end
$body$;

select gold.grant_read_access();

-- Places from Historic JOA have no coordinates; they get those that Search gives for the same city and state.
create index posting_location_unlocated on gold.posting_location (name) where latitude is null;

create function gold.locate() returns bigint language plpgsql as $body$
declare located bigint;
begin
    update gold.posting_location as location set latitude = place.latitude, longitude = place.longitude
    from gold.place where location.name = place.name and location.latitude is null;
    get diagnostics located = row_count;
    return located;
end
$body$;

comment on materialized view gold.agency_daily is
    'Postings of each agency opened, closed and open, on each day that something changed';
comment on column gold.agency_daily.agency is 'the bureau; empty where it is not known';
comment on column gold.agency_daily.day is 'the day';
comment on column gold.agency_daily.opened is 'postings whose first day it was';
comment on column gold.agency_daily.closed is 'postings whose last day was the one before';
comment on column gold.agency_daily.open is 'postings open at its end';

comment on view gold.data_jobs_chicago is
    'Data engineering jobs within 50 miles of Chicago; set gold.chicago_miles for another radius';
comment on column gold.data_jobs_chicago.miles is 'great-circle distance in miles of the nearest of its places';
comment on column gold.data_jobs_chicago.control_number is
    'USAJOBS''s number of the posting (MatchedObjectId, usajobsControlNumber)';
comment on column gold.data_jobs_chicago.title is 'title of the position';
comment on column gold.data_jobs_chicago.agency is
    'the bureau: its name in the code list, else as the source names it; the department where it has none';
comment on column gold.data_jobs_chicago.department is 'the department, or the agency itself where it belongs to none';
comment on column gold.data_jobs_chicago.office is 'the part of the agency, where it is said';
comment on column gold.data_jobs_chicago.series is 'codes of the occupational series, as the posting lists them';
comment on column gold.data_jobs_chicago.series_names is 'their names, in the same order';
comment on column gold.data_jobs_chicago.pay_plan is 'pay plan, as GS';
comment on column gold.data_jobs_chicago.grade_low is 'lowest grade, as the source writes it';
comment on column gold.data_jobs_chicago.grade_high is 'highest grade';
comment on column gold.data_jobs_chicago.pay_minimum is 'lowest pay in dollars, of what the interval says';
comment on column gold.data_jobs_chicago.pay_maximum is 'highest pay in dollars, of what the interval says';
comment on column gold.data_jobs_chicago.pay_interval is 'what the pay is for, as Per Year';
comment on column gold.data_jobs_chicago.annual_minimum is
    'lowest pay in dollars a year of full time; null where pay is by piece or none';
comment on column gold.data_jobs_chicago.annual_maximum is 'highest pay in dollars a year of full time';
comment on column gold.data_jobs_chicago.opened_on is 'first day of applications';
comment on column gold.data_jobs_chicago.closes_on is 'last day of applications, as announced';
comment on column gold.data_jobs_chicago.is_open is 'whether applications are taken today (UTC)';
comment on column gold.data_jobs_chicago.is_remote is 'whether the whole job is remote';
comment on column gold.data_jobs_chicago.is_telework is 'whether some telework is possible';
comment on column gold.data_jobs_chicago.location is 'where, in one line';
comment on column gold.data_jobs_chicago.places is 'distinct places where it may be filled';
comment on column gold.data_jobs_chicago.url is 'the announcement on usajobs.gov';

comment on view gold.deadline_extended is 'Changes of a posting that gave more time to apply';
comment on column gold.deadline_extended.control_number is 'USAJOBS''s number of the posting';
comment on column gold.deadline_extended.version is 'counts from 1';
comment on column gold.deadline_extended.seen_at is 'when the source first showed it so';
comment on column gold.deadline_extended.title is 'title now';
comment on column gold.deadline_extended.agency is 'agency now';
comment on column gold.deadline_extended.closed_before is 'last day of applications, as announced before';
comment on column gold.deadline_extended.closes_now is 'last day of applications, as announced then';

comment on table gold.freshness is 'How fresh gold is';
comment on column gold.freshness.what is 'what was refreshed';
comment on column gold.freshness.refreshed_at is 'when, at its end';
comment on column gold.freshness.took is 'how long it took';
comment on column gold.freshness.changed is 'rows built anew; of a materialised view all that it has';
comment on column gold.freshness.seen is 'how many runs were complete and uploads loaded when it began';

comment on materialized view gold.pay_by_series is
    'Pay of each occupational series: quantiles of the middle between lowest and highest';
comment on column gold.pay_by_series.series is 'code of the occupational series';
comment on column gold.pay_by_series.series_name is 'name of the series';
comment on column gold.pay_by_series.postings is 'postings counted';
comment on column gold.pay_by_series.p10 is 'the tenth in a hundred of the middles of pay, in dollars a year';
comment on column gold.pay_by_series.p25 is 'first quartile, in dollars a year';
comment on column gold.pay_by_series.median is 'median, in dollars a year';
comment on column gold.pay_by_series.p75 is 'third quartile, in dollars a year';
comment on column gold.pay_by_series.p90 is 'the ninetieth in a hundred, in dollars a year';

comment on view gold.pay_raised is 'Changes of a posting that raised its pay';
comment on column gold.pay_raised.control_number is 'USAJOBS''s number of the posting';
comment on column gold.pay_raised.version is 'counts from 1';
comment on column gold.pay_raised.seen_at is 'when the source first showed it so';
comment on column gold.pay_raised.title is 'title now';
comment on column gold.pay_raised.agency is 'agency now';
comment on column gold.pay_raised.minimum_before is 'lowest pay before; null where it did not change';
comment on column gold.pay_raised.minimum_after is 'lowest pay since';
comment on column gold.pay_raised.maximum_before is 'highest pay before; null where it did not change';
comment on column gold.pay_raised.maximum_after is 'highest pay since';

comment on materialized view gold.place is 'Places of postings, by name, with coordinates';
comment on column gold.place.name is 'the place, as city and state';
comment on column gold.place.latitude is 'degrees north';
comment on column gold.place.longitude is 'degrees east';
comment on column gold.place.postings is 'postings counted';

comment on view gold.posting is 'One row a posting, from Search and Historic united; days and state are as of today';
comment on column gold.posting.control_number is
    'USAJOBS''s number of the posting (MatchedObjectId, usajobsControlNumber)';
comment on column gold.posting.sources is 'where it is from: search, historic or both; Search is preferred';
comment on column gold.posting.position_id is 'the agency''s own number of the announcement; agencies use one again';
comment on column gold.posting.title is 'title of the position';
comment on column gold.posting.agency is
    'the bureau: its name in the code list, else as the source names it; the department where it has none';
comment on column gold.posting.department is 'the department, or the agency itself where it belongs to none';
comment on column gold.posting.office is 'the part of the agency, where it is said';
comment on column gold.posting.series is 'codes of the occupational series, as the posting lists them';
comment on column gold.posting.series_names is 'their names, in the same order';
comment on column gold.posting.pay_plan is 'pay plan, as GS';
comment on column gold.posting.grade_low is 'lowest grade, as the source writes it';
comment on column gold.posting.grade_high is 'highest grade';
comment on column gold.posting.pay_minimum is 'lowest pay in dollars, of what the interval says';
comment on column gold.posting.pay_maximum is 'highest pay in dollars, of what the interval says';
comment on column gold.posting.pay_interval is 'what the pay is for, as Per Year';
comment on column gold.posting.annual_minimum is
    'lowest pay in dollars a year of full time; null where pay is by piece or none';
comment on column gold.posting.annual_maximum is 'highest pay in dollars a year of full time';
comment on column gold.posting.opened_on is 'first day of applications';
comment on column gold.posting.closes_on is 'last day of applications, as announced';
comment on column gold.posting.ended_on is
    'last day that it was open: as announced, or earlier where cancelled or vanished; null: not known';
comment on column gold.posting.is_open is 'whether applications are taken today (UTC)';
comment on column gold.posting.days_open is 'days from the first to the last of applications, or until today (UTC)';
comment on column gold.posting.is_remote is 'whether the whole job is remote';
comment on column gold.posting.is_telework is 'whether some telework is possible';
comment on column gold.posting.schedules is 'full-time and the like, in words';
comment on column gold.posting.offering_types is 'permanent and the like, in words';
comment on column gold.posting.hiring_paths is 'who is meant, in words';
comment on column gold.posting.who_may_apply is 'the same, as the announcement words it';
comment on column gold.posting.security_clearance is 'clearance that is needed';
comment on column gold.posting.openings is 'how many are wanted: a number, or few, or many';
comment on column gold.posting.location is 'where, in one line';
comment on column gold.posting.places is 'distinct places where it may be filled';
comment on column gold.posting.summary is 'what the job is, in some lines';
comment on column gold.posting.url is 'the announcement on usajobs.gov';
comment on column gold.posting.first_seen_at is 'when we first saw it';
comment on column gold.posting.words is
    'all its words, for full-text search: A title, B agency and series, C summary, D duties';
comment on column gold.posting.title_words is 'the words of the title, for full-text search';

comment on view gold.posting_history is 'silver.job_history without the content';
comment on column gold.posting_history.control_number is 'USAJOBS''s number of the posting';
comment on column gold.posting_history.version is 'counts from 1';
comment on column gold.posting_history.seen_at is 'when the source first showed it so';
comment on column gold.posting_history.replaced_at is
    'when the next version took its place here; null: it is the current one';
comment on column gold.posting_history.changes is
    '{field: [before, after]} of what the version before had otherwise; null of the first';

comment on view gold.posting_lineage is 'Which objects the content of each posting is from, and when it was seen';
comment on column gold.posting_lineage.control_number is 'USAJOBS''s number of the posting';
comment on column gold.posting_lineage.source is 'search or historic';
comment on column gold.posting_lineage.bucket is 'bucket of the bronze object';
comment on column gold.posting_lineage.key is 'key of the bronze object';
comment on column gold.posting_lineage.version is 'version of the bronze object';
comment on column gold.posting_lineage.silver_key is 'key of the silver object made of it';
comment on column gold.posting_lineage.run_id is 'the run that fetched it; null of an upload';
comment on column gold.posting_lineage.observed_at is 'when the source showed this content';
comment on column gold.posting_lineage.loaded_at is 'when it was loaded';
comment on column gold.posting_lineage.first_seen_at is 'when the posting was first seen';
comment on column gold.posting_lineage.last_seen_at is 'when the posting was last seen';

comment on table gold.posting_location is 'The places of each posting';
comment on column gold.posting_location.control_number is
    'USAJOBS''s number of the posting (MatchedObjectId, usajobsControlNumber)';
comment on column gold.posting_location.ordinal is 'its place in the posting''s list';
comment on column gold.posting_location.name is 'the place, as city and state';
comment on column gold.posting_location.city is 'city, as the source has it';
comment on column gold.posting_location.state is 'state or territory';
comment on column gold.posting_location.country is 'country';
comment on column gold.posting_location.latitude is
    'degrees north; from Historic JOA, which has none, as Search has it for the place; null: it has not';
comment on column gold.posting_location.longitude is 'degrees east; likewise';

comment on view gold.posting_stale is 'Postings to build again: changed, new or gone since, or labels have changed';
comment on column gold.posting_stale.control_number is
    'USAJOBS''s number of the posting (MatchedObjectId, usajobsControlNumber)';

comment on table gold.posting_stored is 'What gold.posting shows, as built by gold.build; ask gold.posting';
comment on column gold.posting_stored.control_number is
    'USAJOBS''s number of the posting (MatchedObjectId, usajobsControlNumber)';
comment on column gold.posting_stored.sources is 'where it is from: search, historic or both; Search is preferred';
comment on column gold.posting_stored.position_id is
    'the agency''s own number of the announcement; agencies use one again';
comment on column gold.posting_stored.title is 'title of the position';
comment on column gold.posting_stored.agency is
    'the bureau: its name in the code list, else as the source names it; the department where it has none';
comment on column gold.posting_stored.department is 'the department, or the agency itself where it belongs to none';
comment on column gold.posting_stored.office is 'the part of the agency, where it is said';
comment on column gold.posting_stored.series is 'codes of the occupational series, as the posting lists them';
comment on column gold.posting_stored.series_names is 'their names, in the same order';
comment on column gold.posting_stored.pay_plan is 'pay plan, as GS';
comment on column gold.posting_stored.grade_low is 'lowest grade, as the source writes it';
comment on column gold.posting_stored.grade_high is 'highest grade';
comment on column gold.posting_stored.pay_minimum is 'lowest pay in dollars, of what the interval says';
comment on column gold.posting_stored.pay_maximum is 'highest pay in dollars, of what the interval says';
comment on column gold.posting_stored.pay_interval is 'what the pay is for, as Per Year';
comment on column gold.posting_stored.annual_minimum is
    'lowest pay in dollars a year of full time; null where pay is by piece or none';
comment on column gold.posting_stored.annual_maximum is 'highest pay in dollars a year of full time';
comment on column gold.posting_stored.opened_on is 'first day of applications';
comment on column gold.posting_stored.closes_on is 'last day of applications, as announced';
comment on column gold.posting_stored.ended_on is 'last day that it was open; infinity while nothing says so';
comment on column gold.posting_stored.is_remote is 'whether the whole job is remote';
comment on column gold.posting_stored.is_telework is 'whether some telework is possible';
comment on column gold.posting_stored.schedules is 'full-time and the like, in words';
comment on column gold.posting_stored.offering_types is 'permanent and the like, in words';
comment on column gold.posting_stored.hiring_paths is 'who is meant, in words';
comment on column gold.posting_stored.who_may_apply is 'the same, as the announcement words it';
comment on column gold.posting_stored.security_clearance is 'clearance that is needed';
comment on column gold.posting_stored.openings is 'how many are wanted: a number, or few, or many';
comment on column gold.posting_stored.location is 'where, in one line';
comment on column gold.posting_stored.places is 'distinct places where it may be filled';
comment on column gold.posting_stored.summary is 'what the job is, in some lines';
comment on column gold.posting_stored.url is 'the announcement on usajobs.gov';
comment on column gold.posting_stored.first_seen_at is 'when we first saw it';
comment on column gold.posting_stored.inactive_since is 'when a complete run did not bring it any more';
comment on column gold.posting_stored.search_object_id is 'the ledger''s object that its content from Search is from';
comment on column gold.posting_stored.historic_object_id is 'the same from Historic JOA';
comment on column gold.posting_stored.codes_object_id is 'the newest object of code lists when the row was built';
comment on column gold.posting_stored.words is
    'all its words, for full-text search: A title, B agency and series, C summary, D duties';
comment on column gold.posting_stored.title_words is 'the words of the title, for full-text search';

comment on materialized view gold.time_to_close is 'How long postings of each agency and year took applications';
comment on column gold.time_to_close.agency is 'the bureau; empty where it is not known';
comment on column gold.time_to_close.opened_year is 'year in which they opened';
comment on column gold.time_to_close.postings is 'postings counted';
comment on column gold.time_to_close.mean_days is
    'mean days from the first to the last of applications, of postings that have ended';
comment on column gold.time_to_close.median_days is 'median of the same';
comment on column gold.time_to_close.p90_days is 'nine in ten took no longer';

comment on table history.job_version is 'Postings as they were before they were replaced; ask silver.job_history';
comment on column history.job_version.id is 'order of replacement';
comment on column history.job_version.control_number is 'USAJOBS''s number of the posting';
comment on column history.job_version.object_id is 'the ledger''s object that it is from';
comment on column history.job_version.replaced_at is
    'when the next version took its place here; null: it is the current one';
comment on column history.job_version.content is 'all of it, as one document';

comment on view silver.job_history is
    'Versions of each posting that has changed, and what changed; also the current one';
comment on column silver.job_history.control_number is 'USAJOBS''s number of the posting';
comment on column silver.job_history.version is 'counts from 1';
comment on column silver.job_history.seen_at is 'when the source first showed it so';
comment on column silver.job_history.replaced_at is
    'when the next version took its place here; null: it is the current one';
comment on column silver.job_history.changes is
    '{field: [before, after]} of what the version before had otherwise; null of the first';
comment on column silver.job_history.object_id is 'the ledger''s object that it is from';
comment on column silver.job_history.content is 'all of it, as one document';
comment on function gold.today() is 'the day in UTC, whatever the time zone of the session';
