"""Postings and statistics under `/v1/`, from gold."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from sqlalchemy import Engine

from services.serving.api import models, statistics
from services.serving.api.search import Filters, QueryText, Search, make_cursor, page, similar
from services.serving.database import ApiError, ResultCache, Statement, query, rows

Number = Annotated[int, Path(ge=0, lt=2**63, description="USAJOBS's control number")]
RowLimit = Annotated[int, Query(ge=1, le=1_000)]
Total = Callable[[Filters, tuple[float, float] | None], Statement]

ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": models.ErrorResponse, "description": why}
    for status, why in (
        (422, "Invalid request"),
        (429, "Too many requests"),
        (503, "Overloaded, or the database is unavailable"),
    )
}

# A place by its whole name, else by its city.
PLACE = """
    select name, latitude, longitude, postings from gold.place
    where lower(:name) in (lower(name), lower(split_part(name, ',', 1)))
    order by lower(name) = lower(:name) desc, postings desc, name limit 1
"""
KNOWN_STATE = "select exists (select from gold.posting_location where lower(state) = lower(:state)) as is_known"
PLACES = """
    select name, latitude, longitude, postings from gold.place where name ilike :starts or :q <% name
    order by name ilike :starts desc, postings desc limit :limit
"""
AGENCIES = """
    select agency, count(*) as postings from gold.posting where agency is not null
    group by agency order by postings desc, agency limit :limit
"""
DAILY = "select * from gold.agency_daily where agency = :agency order by day desc limit :limit"
PAY = "select * from gold.pay_by_series order by postings desc, series limit :limit"
CLOSING = "select * from gold.time_to_close order by postings desc, agency, opened_year limit :limit"
FRESHNESS = "select what, refreshed_at, extract(epoch from took) as took_seconds, changed, seen from gold.freshness"
ONE = "select * from gold.posting where control_number = :number"
LOCATIONS = "select * from gold.posting_location where control_number = :number order by ordinal limit 2000"
HISTORY = "select * from gold.posting_history where control_number = :number order by version"
LINEAGE = "select * from gold.posting_lineage where control_number = :number order by source"


def routes(engine: Engine) -> APIRouter:
    """All routes, on one engine."""
    router = APIRouter(prefix="/v1", responses=ERROR_RESPONSES)
    _add_postings(router, engine)
    _add_totals(router, engine)
    _add_views(router, engine)
    return router


def resolve_near(engine: Engine, filters: Filters) -> tuple[float, float] | None:
    """The coordinates of `near`. Raises ApiError for an unknown place or state."""
    _check_states(engine, filters)
    place = place_of(engine, filters)
    return (place.latitude, place.longitude) if place else filters.point


def _check_states(engine: Engine, filters: Filters) -> None:
    for state in filters.state:
        if not query(engine, KNOWN_STATE, {"state": state})[0]["is_known"]:
            raise ApiError(422, f"state: no posting is in {state!r}; give a name or a postal abbreviation")


def place_of(engine: Engine, filters: Filters) -> models.MapPoint | None:
    """The place that `near` names; None if it has coordinates. Raises ApiError for an unknown place."""
    if not filters.near or filters.point:
        return None
    places = query(engine, PLACE, {"name": filters.near})
    if not places:
        raise ApiError(422, f"near: no posting is in {filters.near!r}; /v1/places?q= lists place names")
    return models.MapPoint(**places[0])


def find(engine: Engine, search: Search) -> models.PostingPage:
    """A page of postings. If no posting has the words, postings with similar titles."""
    _check_states(engine, search)
    place = place_of(engine, search)
    point = (place.latitude, place.longitude) if place else search.point
    postings = _nearest(engine, search, point) if search.order == "distance" else rows(engine, page(search, point))
    if not postings and search.q and not search.cursor:
        return models.PostingPage(
            postings=[models.PostingSummary(**row) for row in rows(engine, similar(search, point))],
            next=None,
            near=place,
            matched="titles",
        )
    more = len(postings) > search.limit
    return models.PostingPage(
        postings=[models.PostingSummary(**row) for row in postings[: search.limit]],
        next=make_cursor(postings[search.limit - 1], search.order) if more else None,
        near=place,
        matched="words",
    )


def _nearest(engine: Engine, search: Search, point: tuple[float, float] | None) -> list[dict[str, Any]]:
    """Search in growing radii: in a large city, sorting the whole radius would be slow."""
    postings: list[dict[str, Any]] = []
    for fraction in (64, 16, 4, 1):
        postings = rows(engine, page(search.model_copy(update={"radius": search.radius / fraction}), point))
        if len(postings) > search.limit:
            break
    return postings


def _add_postings(router: APIRouter, engine: Engine) -> None:
    missing: dict[int | str, dict[str, Any]] = {404: {"model": models.ErrorResponse, "description": "No such posting"}}

    @router.get("/postings", tags=["postings"])
    def search_postings(search: Annotated[Search, Query()]) -> models.PostingPage:
        """Search postings by words, place, agency, series, grade and pay. `next` is the cursor of the next page."""
        return find(engine, search)

    @router.get("/postings/{control_number}", tags=["postings"], responses=missing)
    def one_posting(control_number: Number) -> models.Posting:
        """A posting with its locations, history, and the S3 objects from which it was loaded."""
        number = {"number": control_number}
        postings = query(engine, ONE, number)
        if not postings:
            raise ApiError(404, "no such posting")
        return models.Posting(
            **postings[0],
            locations=[models.Place(**row) for row in query(engine, LOCATIONS, number)],
            history=[models.PostingVersion(**row) for row in query(engine, HISTORY, number)],
            lineage=[models.Lineage(**row) for row in query(engine, LINEAGE, number)],
        )

    @router.get("/postings/{control_number}/history", tags=["postings"], responses=missing)
    def history_of_posting(control_number: Number) -> list[models.PostingVersion]:
        """Versions of a posting, the current one last; empty if it has never changed."""
        if not query(engine, ONE, {"number": control_number}):
            raise ApiError(404, "no such posting")
        return [models.PostingVersion(**row) for row in query(engine, HISTORY, {"number": control_number})]


def _add_totals(router: APIRouter, engine: Engine) -> None:
    cache = ResultCache(engine)

    def total(of: Total, filters: Filters) -> list[dict[str, Any]]:
        return cache.rows(of(filters, resolve_near(engine, filters)))

    @router.get("/stats/summary", tags=["statistics"])
    def summary(filters: Annotated[Filters, Query()]) -> models.PostingTotals:
        """Number of postings, open ones and agencies; quartiles of pay."""
        return models.PostingTotals(**total(statistics.summary, filters)[0])

    @router.get("/stats/pay", tags=["statistics"])
    def pay(filters: Annotated[Filters, Query()]) -> list[models.PayBin]:
        """Distribution of pay in bins of 10,000 dollars a year; the last bin is open-ended."""
        return [models.PayBin(**row) for row in total(statistics.pay, filters)]

    @router.get("/stats/timeline", tags=["statistics"])
    def timeline(filters: Annotated[Filters, Query()]) -> list[models.TimelineBucket]:
        """Postings opened by week, or by month if the range exceeds half a year."""
        return [models.TimelineBucket(**row) for row in total(statistics.timeline, filters)]

    @router.get("/stats/places", tags=["statistics"])
    def places(filters: Annotated[Filters, Query()]) -> list[models.MapPoint]:
        """Locations of postings rounded to a tenth of a degree, most postings first."""
        return [models.MapPoint(**row) for row in total(statistics.places, filters)]


def _add_views(router: APIRouter, engine: Engine) -> None:
    @router.get("/places", tags=["postings"])
    def find_places(q: Annotated[QueryText, Query()], limit: RowLimit = 10) -> list[models.MapPoint]:
        """Place names for `near`: those with this prefix, then similar ones."""
        starts = q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        return [models.MapPoint(**row) for row in query(engine, PLACES, {"q": q, "starts": starts, "limit": limit})]

    @router.get("/stats/agencies", tags=["statistics"])
    def agencies(limit: RowLimit = 1_000) -> list[models.Agency]:
        """Agencies by number of postings."""
        return [models.Agency(**row) for row in query(engine, AGENCIES, {"limit": limit})]

    @router.get("/stats/agency-daily", tags=["statistics"])
    def agency_daily(agency: Annotated[QueryText, Query()], limit: RowLimit = 365) -> list[models.AgencyDay]:
        """Postings of an agency opened, closed and open on days with changes, newest first."""
        return [models.AgencyDay(**row) for row in query(engine, DAILY, {"agency": agency, "limit": limit})]

    @router.get("/stats/pay-by-series", tags=["statistics"])
    def pay_by_series(limit: RowLimit = 100) -> list[models.SeriesPay]:
        """Quantiles of pay by occupational series."""
        return [models.SeriesPay(**row) for row in query(engine, PAY, {"limit": limit})]

    @router.get("/stats/time-to-close", tags=["statistics"])
    def time_to_close(limit: RowLimit = 100) -> list[models.TimeToClose]:
        """How long postings accepted applications, by agency and year."""
        return [models.TimeToClose(**row) for row in query(engine, CLOSING, {"limit": limit})]

    @router.get("/freshness", tags=["statistics"])
    def freshness() -> list[models.Freshness]:
        """The last refresh of each gold table and view."""
        return [models.Freshness(**row) for row in query(engine, FRESHNESS)]
