"""The read API: `/v1/…`. Every answer comes from gold, through connections that can do nothing else."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from sqlalchemy import Engine

from services.serving.api import models, statistics
from services.serving.api.search import Filters, Search, Words, cursor_of, page, similar
from services.serving.database import Kept, Refused, Statement, query, rows

Number = Annotated[int, Path(ge=0, lt=2**63, description="USAJOBS's control number")]
Some = Annotated[int, Query(ge=1, le=1_000)]
Total = Callable[[Filters, tuple[float, float] | None], Statement]

REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": models.Problem, "description": why}
    for status, why in (
        (422, "This makes no sense, and why"),
        (429, "Too many requests"),
        (503, "Too much work, or no database"),
    )
}

PLACE = "select latitude, longitude from gold.place where lower(name) = lower(:name) order by postings desc limit 1"
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
    """All of them, on one engine."""
    router = APIRouter(prefix="/v1", responses=REFUSALS)
    _add_postings(router, engine)
    _add_totals(router, engine)
    _add_views(router, engine)
    return router


def where(engine: Engine, filters: Filters) -> tuple[float, float] | None:
    """The point that `near` means. Raises Refused for a place that no posting has."""
    if not filters.near or filters.point:
        return filters.point
    found = query(engine, PLACE, {"name": filters.near})
    if not found:
        raise Refused(422, f"near: no posting is in {filters.near!r}; /v1/places?q= knows the names")
    return found[0]["latitude"], found[0]["longitude"]


def find(engine: Engine, search: Search) -> models.Page:
    """A page of postings. Where no words match, titles that look alike."""
    point = where(engine, search)
    found = _nearest(engine, search, point) if search.order == "distance" else rows(engine, page(search, point))
    if not found and search.q and not search.cursor:
        return models.Page(
            postings=[models.Found(**row) for row in rows(engine, similar(search, point))], next=None, matched="titles"
        )
    more = len(found) > search.limit
    return models.Page(
        postings=[models.Found(**row) for row in found[: search.limit]],
        next=cursor_of(found[search.limit - 1], search.order) if more else None,
        matched="words",
    )


def _nearest(engine: Engine, search: Search, point: tuple[float, float] | None) -> list[dict[str, Any]]:
    """The same as one search to the whole radius, which in a large city would sort what is far for nothing."""
    found: list[dict[str, Any]] = []
    for fraction in (64, 16, 4, 1):
        found = rows(engine, page(search.model_copy(update={"radius": search.radius / fraction}), point))
        if len(found) > search.limit:
            break
    return found


def _add_postings(router: APIRouter, engine: Engine) -> None:
    missing: dict[int | str, dict[str, Any]] = {404: {"model": models.Problem, "description": "No such posting"}}

    @router.get("/postings", tags=["postings"])
    def search_postings(search: Annotated[Search, Query()]) -> models.Page:
        """Search postings: by words, place, agency, series, grade, pay. `next` leads to the next page."""
        return find(engine, search)

    @router.get("/postings/{control_number}", tags=["postings"], responses=missing)
    def one_posting(control_number: Number) -> models.Posting:
        """All about one posting: its places, what it was before, and the objects in S3 that it is from."""
        number = {"number": control_number}
        found = query(engine, ONE, number)
        if not found:
            raise Refused(404, "no such posting")
        return models.Posting(
            **found[0],
            locations=[models.Place(**row) for row in query(engine, LOCATIONS, number)],
            history=[models.Version(**row) for row in query(engine, HISTORY, number)],
            lineage=[models.Lineage(**row) for row in query(engine, LINEAGE, number)],
        )

    @router.get("/postings/{control_number}/history", tags=["postings"], responses=missing)
    def history_of_posting(control_number: Number) -> list[models.Version]:
        """Versions of a posting that has changed, the current one last; empty where it has not."""
        if not query(engine, ONE, {"number": control_number}):
            raise Refused(404, "no such posting")
        return [models.Version(**row) for row in query(engine, HISTORY, {"number": control_number})]


def _add_totals(router: APIRouter, engine: Engine) -> None:
    kept = Kept(engine)

    def total(of: Total, filters: Filters) -> list[dict[str, Any]]:
        return kept.rows(of(filters, where(engine, filters)))

    @router.get("/stats/summary", tags=["statistics"])
    def summary(filters: Annotated[Filters, Query()]) -> models.Summary:
        """How many postings, how many of them open, of how many agencies; quartiles of pay."""
        return models.Summary(**total(statistics.summary, filters)[0])

    @router.get("/stats/pay", tags=["statistics"])
    def pay(filters: Annotated[Filters, Query()]) -> list[models.Bin]:
        """Distribution of pay in bins of 10,000 dollars a year; the last has all that pays more."""
        return [models.Bin(**row) for row in total(statistics.pay, filters)]

    @router.get("/stats/timeline", tags=["statistics"])
    def timeline(filters: Annotated[Filters, Query()]) -> list[models.Slot]:
        """Postings opened, by week, or by month where it is more than half a year."""
        return [models.Slot(**row) for row in total(statistics.timeline, filters)]

    @router.get("/stats/places", tags=["statistics"])
    def places(filters: Annotated[Filters, Query()]) -> list[models.Dot]:
        """Where postings are: points of a tenth of a degree, the busiest first."""
        return [models.Dot(**row) for row in total(statistics.places, filters)]


def _add_views(router: APIRouter, engine: Engine) -> None:
    @router.get("/places", tags=["postings"])
    def find_places(q: Annotated[Words, Query()], limit: Some = 10) -> list[models.Dot]:
        """Names of places, for `near`: those that begin so, then those that look like it."""
        starts = q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        return [models.Dot(**row) for row in query(engine, PLACES, {"q": q, "starts": starts, "limit": limit})]

    @router.get("/stats/agencies", tags=["statistics"])
    def agencies(limit: Some = 1_000) -> list[models.Agency]:
        """Agencies by their number of postings."""
        return [models.Agency(**row) for row in query(engine, AGENCIES, {"limit": limit})]

    @router.get("/stats/agency-daily", tags=["statistics"])
    def agency_daily(agency: Annotated[Words, Query()], limit: Some = 365) -> list[models.AgencyDay]:
        """Postings of an agency opened, closed and open, on days that something changed, newest first."""
        return [models.AgencyDay(**row) for row in query(engine, DAILY, {"agency": agency, "limit": limit})]

    @router.get("/stats/pay-by-series", tags=["statistics"])
    def pay_by_series(limit: Some = 100) -> list[models.SeriesPay]:
        """Quantiles of pay of each occupational series."""
        return [models.SeriesPay(**row) for row in query(engine, PAY, {"limit": limit})]

    @router.get("/stats/time-to-close", tags=["statistics"])
    def time_to_close(limit: Some = 100) -> list[models.Closing]:
        """How long postings of each agency and year took applications."""
        return [models.Closing(**row) for row in query(engine, CLOSING, {"limit": limit})]

    @router.get("/freshness", tags=["statistics"])
    def freshness() -> list[models.Fresh]:
        """When each part of gold was last brought up to date."""
        return [models.Fresh(**row) for row in query(engine, FRESHNESS)]
