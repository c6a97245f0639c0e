"""SQL for statistics of postings. No I/O."""

from services.serving.api.search import Filters, filter_clause
from services.serving.database import Statement

BIN_DOLLARS = 10_000  # dollars a year
HIGHEST_BIN = 40  # higher pay is in the last bin
MAX_PLACES = 2_000  # points on a map


def summary(filters: Filters, point: tuple[float, float] | None) -> Statement:
    """Number of postings, open ones and agencies; quartiles of the midpoints of pay."""
    clause = filter_clause(filters, point)
    sql = f"""
        with found as materialized (
            select agency, is_open, annual_maximum > 0 as paid,
                   (annual_minimum + annual_maximum)::double precision / 2 as middle {clause.sql}
        )
        select count(*) as postings, count(*) filter (where is_open) as open,
               (select count(*) from (select agency from found group by agency) as one where agency <> '') as agencies,
               (select array_agg(round(quartile::numeric, 2) order by ordinal) from unnest(
                   percentile_cont(array[0.25, 0.5, 0.75]) within group (order by middle) filter (where paid)
               ) with ordinality as item (quartile, ordinal)) as pay
        from found
    """  # noqa: S608 - our own names and expressions; values are bound
    return Statement(sql, clause.values)


def pay(filters: Filters, point: tuple[float, float] | None) -> Statement:
    """Postings by the midpoint of their pay, in bins of BIN_DOLLARS."""
    clause = filter_clause(filters, point)
    sql = f"""
        select bin * {BIN_DOLLARS} as dollars, count(*) as postings
        from (
            select least(floor((annual_minimum + annual_maximum) / 2 / {BIN_DOLLARS}), {HIGHEST_BIN})::integer as bin
            {clause.sql} and annual_maximum > 0
        ) as binned group by bin order by bin
    """  # noqa: S608 - likewise
    return Statement(sql, clause.values)


def timeline(filters: Filters, point: tuple[float, float] | None) -> Statement:
    """Postings opened by week up to half a year, by month for longer; gaps are zero."""
    clause = filter_clause(filters, point)
    sql = f"""
        with opened as (
            select opened_on as day, count(*) as postings {clause.sql} and opened_on is not null group by opened_on
        ),
        span as (
            select min(day) as first, max(day) as last,
                   case when max(day) - min(day) > 183 then 'month' else 'week' end as step from opened
        )
        select step, slot::date as from_day, coalesce(sum(postings), 0)::integer as postings
        from span cross join lateral generate_series(
                 date_trunc(step, greatest(first, last - 3660)), last, ('1 ' || step)::interval
             ) as slot
             left join opened on day >= slot and day < slot + ('1 ' || step)::interval
        group by step, slot order by slot
    """  # noqa: S608 - likewise
    return Statement(sql, clause.values)


def places(filters: Filters, point: tuple[float, float] | None) -> Statement:
    """Locations rounded to a tenth of a degree, most postings first; with `near`, only those in the radius."""
    clause = filter_clause(filters, point)
    within = "gold.miles_between(:latitude, :longitude, latitude, longitude) <= :radius" if point else "true"
    sql = f"""
        select round(latitude * 10) / 10 as latitude, round(longitude * 10) / 10 as longitude,
               min(name) as name, count(*) as postings
        from (select control_number {clause.sql} offset 0) as found join gold.posting_location using (control_number)
        where latitude is not null and longitude is not null and {within}
        group by 1, 2 order by postings desc, 1, 2 limit {MAX_PLACES}
    """  # noqa: S608 - likewise
    return Statement(sql, clause.values)
