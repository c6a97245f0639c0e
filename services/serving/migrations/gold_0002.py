"""What is asked of gold: postings, those near a place, data jobs around Chicago, and what postings add up to."""

from alembic import op

revision = "gold_0002"
down_revision = "gold_0001"
branch_labels = None
depends_on = None

POSTING = """
create view gold.posting as
select control_number, sources, position_id, title, agency, department, office, series, series_names, pay_plan,
       grade_low, grade_high, pay_minimum, pay_maximum, pay_interval, annual_minimum, annual_maximum,
       opened_on, closes_on, nullif(ended_on, 'infinity') as ended_on, ended_on >= current_date as is_open,
       least(nullif(ended_on, 'infinity'), current_date) - opened_on as days_open,
       is_remote, is_telework, schedules, offering_types, hiring_paths, who_may_apply, security_clearance, openings,
       location, places, summary, url, first_seen_at, words, title_words
from gold.posting_stored
"""
# The mean radius of the Earth, 6,371.0088 km, is 3,958.7613 miles.
MILES_BETWEEN = """
create function gold.miles_between(
    latitude_1 double precision, longitude_1 double precision, latitude_2 double precision, longitude_2 double precision
) returns double precision language sql immutable parallel safe
return 2 * 3958.7613 * asin(sqrt(least(1,
    sin(radians(latitude_2 - latitude_1) / 2) ^ 2
    + cos(radians(latitude_1)) * cos(radians(latitude_2)) * sin(radians(longitude_2 - longitude_1) / 2) ^ 2)))
"""
# Every point of the circle is in one of the boxes, and none in two: three cover a circle across the date line. Around a
# pole there is no widest longitude, so that the box goes all the way round.
BOXES_AROUND = """
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
$body$
"""
POSTINGS_NEAR = """
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
$body$
"""
DATA_JOBS_CHICAGO = """
create view gold.data_jobs_chicago as
select near.miles, control_number, title, agency, department, office, series, series_names, pay_plan, grade_low,
       grade_high, pay_minimum, pay_maximum, pay_interval, annual_minimum, annual_maximum, opened_on, closes_on,
       is_open, is_remote, is_telework, location, places, url
from gold.postings_near(
         41.8781, -87.6298,
         coalesce(nullif(current_setting('gold.chicago_miles', true), ''), '50')::double precision
     ) as near
     join gold.posting using (control_number)
where words @@ websearch_to_tsquery('english', 'data engineering')
"""
AGENCY_DAILY = """
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
from event group by agency, day
"""
PAY_BY_SERIES = """
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
group by item.series
"""
TIME_TO_CLOSE = """
create materialized view gold.time_to_close as
select coalesce(agency, '') as agency, extract(year from opened_on)::integer as opened_year,
       count(*)::integer as postings, avg(days)::numeric(8, 1) as mean_days,
       percentile_disc(0.5) within group (order by days) as median_days,
       percentile_disc(0.9) within group (order by days) as p90_days
from gold.posting_stored cross join lateral (select ended_on - opened_on where ended_on < current_date) as open (days)
where days >= 0
group by 1, 2
"""
PLACE = """
create materialized view gold.place as
select name, percentile_disc(0.5) within group (order by latitude) as latitude,
       percentile_disc(0.5) within group (order by longitude) as longitude,
       count(distinct control_number)::integer as postings
from gold.posting_location where name <> '' and latitude is not null and longitude is not null
group by name
"""
GRADE = """
create function gold.grade_number(grade text) returns integer language sql immutable parallel safe
return case when grade ~ '^[0-9]{1,2}$' then grade::integer end
"""
FRESHNESS = """
create table gold.freshness (
    what text primary key,
    refreshed_at timestamptz not null,
    took interval not null,
    changed bigint not null,
    seen text not null
)
"""
INDEXES = (
    "create unique index on gold.agency_daily (agency, day)",
    "create unique index on gold.place (name)",
    "create index on gold.place using gin (name gin_trgm_ops)",
    "create unique index on gold.pay_by_series (series)",
    "create unique index on gold.time_to_close (agency, opened_year)",
)
MONEY = "in dollars, of what the interval says"
NAMES = {
    "control_number": "USAJOBS's number of the posting (MatchedObjectId, usajobsControlNumber)",
    "sources": "where it is from: search, historic or both; Search is preferred",
    "position_id": "the agency's own number of the announcement; agencies use one again",
    "title": "title of the position",
    "agency": "the bureau: its name in the code list, else as the source names it; the department where it has none",
    "department": "the department, or the agency itself where it belongs to none",
    "office": "the part of the agency, where it is said",
    "series": "codes of the occupational series, as the posting lists them",
    "series_names": "their names, in the same order",
    "pay_plan": "pay plan, as GS",
    "grade_low": "lowest grade, as the source writes it",
    "grade_high": "highest grade",
    "pay_minimum": f"lowest pay {MONEY}",
    "pay_maximum": f"highest pay {MONEY}",
    "pay_interval": "what the pay is for, as Per Year",
    "annual_minimum": "lowest pay in dollars a year of full time; null where pay is by piece or none",
    "annual_maximum": "highest pay in dollars a year of full time",
    "opened_on": "first day of applications",
    "closes_on": "last day of applications, as announced",
    "ended_on": "last day that it was open: as announced, or earlier where cancelled or vanished; null: not known",
    "is_open": "whether applications are taken today (UTC)",
    "days_open": "days from the first to the last of applications, or until today",
    "is_remote": "whether the whole job is remote",
    "is_telework": "whether some telework is possible",
    "schedules": "full-time and the like, in words",
    "offering_types": "permanent and the like, in words",
    "hiring_paths": "who is meant, in words",
    "who_may_apply": "the same, as the announcement words it",
    "security_clearance": "clearance that is needed",
    "openings": "how many are wanted: a number, or few, or many",
    "location": "where, in one line",
    "places": "distinct places where it may be filled",
    "summary": "what the job is, in some lines",
    "url": "the announcement on usajobs.gov",
    "first_seen_at": "when we first saw it",
    "inactive_since": "when a complete run did not bring it any more",
    "words": "all its words, for full-text search: A title, B agency and series, C summary, D duties",
    "title_words": "the words of the title, for full-text search",
    "search_object_id": "the ledger's object that its content from Search is from",
    "historic_object_id": "the same from Historic JOA",
    "codes_object_id": "the newest object of code lists when the row was built",
    "ordinal": "its place in the posting's list",
    "name": "the place, as city and state",
    "city": "city, as the source has it",
    "state": "state or territory",
    "country": "country",
    "latitude": "degrees north; null from Historic JOA, which has none",
    "longitude": "degrees east; null from Historic JOA",
    "miles": "great-circle distance in miles of the nearest of its places",
    "day": "the day",
    "opened": "postings whose first day it was",
    "closed": "postings whose last day was the one before",
    "open": "postings open at its end",
    "series_name": "name of the series",
    "postings": "postings counted",
    "p10": "the tenth in a hundred of the middles of pay, in dollars a year",
    "p25": "first quartile, in dollars a year",
    "median": "median, in dollars a year",
    "p75": "third quartile, in dollars a year",
    "p90": "the ninetieth in a hundred, in dollars a year",
    "opened_year": "year in which they opened",
    "mean_days": "mean days from the first to the last of applications, of postings that have ended",
    "median_days": "median of the same",
    "p90_days": "nine in ten took no longer",
    "what": "what was refreshed",
    "refreshed_at": "when, at its end",
    "took": "how long it took",
    "changed": "rows built anew; of a materialised view all that it has",
    "seen": "how many runs were complete and uploads loaded when it began",
}
OWN = {  # where a name means something else
    "posting_stored.ended_on": "last day that it was open; infinity while nothing says so",
    "agency_daily.agency": "the bureau; empty where it is not known",
    "time_to_close.agency": "the bureau; empty where it is not known",
    "place.latitude": "degrees north",
    "place.longitude": "degrees east",
    "pay_by_series.series": "code of the occupational series",
}
RELATIONS = {
    "posting": "One row a posting, from Search and Historic united; days and state are as of today",
    "posting_stored": "What gold.posting shows, as built by gold.build; ask gold.posting",
    "posting_location": "The places of each posting",
    "posting_stale": "Postings to build again: changed, new or gone since, or labels have changed",
    "data_jobs_chicago": "Data engineering jobs within 50 miles of Chicago; set gold.chicago_miles for another radius",
    "agency_daily": "Postings of each agency opened, closed and open, on each day that something changed",
    "pay_by_series": "Pay of each occupational series: quantiles of the middle between lowest and highest",
    "time_to_close": "How long postings of each agency and year took applications",
    "place": "Places of postings, by name, with coordinates",
    "freshness": "How fresh gold is",
}
KINDS = {"posting": "view", "posting_stale": "view", "data_jobs_chicago": "view"} | dict.fromkeys(
    ("agency_daily", "pay_by_series", "time_to_close", "place"), "materialized view"
)
COLUMNS = """
    select relname, attname from pg_attribute join pg_class on pg_class.oid = attrelid
    where relnamespace = 'gold'::regnamespace and relkind in ('r', 'v', 'm') and attnum > 0 and not attisdropped
"""


def upgrade() -> None:
    parts = (POSTING, MILES_BETWEEN, BOXES_AROUND, POSTINGS_NEAR, DATA_JOBS_CHICAGO)
    for statement in (*parts, AGENCY_DAILY, PAY_BY_SERIES, TIME_TO_CLOSE, PLACE, GRADE, FRESHNESS, *INDEXES):
        op.execute(statement)
    for relation, comment in RELATIONS.items():
        op.execute(f"comment on {KINDS.get(relation, 'table')} gold.{relation} is $${comment}$$")
    for relation, column in op.get_bind().exec_driver_sql(COLUMNS).all():
        comment = OWN.get(f"{relation}.{column}", NAMES[column])
        op.execute(f"comment on column gold.{relation}.{column} is $${comment}$$")
