"""What the simulated HistoricJoa answers, without a server."""

from datetime import timedelta

import pytest

from infra.embedded.simulator.market import Market
from infra.embedded.simulator.parameters import BadParameterError
from tests.unit.market import DAY, MARKET, history, open_descriptors, open_items


def test_a_closed_posting_is_in_the_history_as_closed() -> None:
    closed = (set(MARKET.open_postings(DAY - timedelta(days=1))) - set(MARKET.open_postings(DAY))).pop()
    [record] = history({"USAJOBSControlNumbers": closed})["data"]
    assert record["usajobsControlNumber"] == int(closed)
    assert record["positionOpeningStatus"] != "Accepting applications"
    assert record["positionCloseDate"] < DAY.isoformat()


def test_an_open_posting_reads_the_same_in_both_endpoints() -> None:
    descriptor = open_descriptors()[0]
    [record] = history({"USAJOBSControlNumbers": open_items()[0]["MatchedObjectId"]})["data"]
    assert record["positionOpeningStatus"] == "Accepting applications"
    assert record["positionTitle"] == descriptor["PositionTitle"]
    assert record["announcementNumber"] == descriptor["PositionID"]
    assert record["minimumSalary"] == float(descriptor["PositionRemuneration"][0]["MinimumRange"])
    assert record["positionCloseDate"] == descriptor["ApplicationCloseDate"][:10]
    assert len(record["positionLocations"]) == len(descriptor["PositionLocation"])


def test_following_the_tokens_gives_every_record_once() -> None:
    small, token, pages = Market(seed=1, size=40), "", []
    while token is not None:
        page = history(
            {"PageSize": "700", "StartPositionOpenDate": "2024-01-01", "continuationtoken": token}, market=small
        )
        pages.append(page)
        token = page["paging"]["metadata"]["continuationToken"]
    numbers = [record["usajobsControlNumber"] for page in pages for record in page["data"]]
    assert len(pages) > 1
    assert len(set(numbers)) == len(numbers) == pages[0]["paging"]["metadata"]["totalCount"]
    assert pages[-1]["paging"]["next"] is None


def test_both_date_formats_mean_the_same() -> None:
    american = history({"StartPositionOpenDate": "09-01-2025", "EndPositionOpenDate": "09-02-2025"})
    iso = history({"StartPositionOpenDate": "2025-09-01", "EndPositionOpenDate": "2025-09-02"})
    assert american["data"] == iso["data"]
    assert {record["positionOpenDate"] for record in iso["data"]} == {"2025-09-01", "2025-09-02"}


def test_close_dates_are_searched_as_announced() -> None:
    page = history({"StartPositionCloseDate": "2025-08-01", "EndPositionCloseDate": "2025-08-02"})
    opened = history({"StartPositionOpenDate": "2025-06-28", "EndPositionOpenDate": "2025-07-05"})
    closing = [record for record in opened["data"] if record["positionCloseDate"] in {"2025-08-01", "2025-08-02"}]
    assert {record["positionCloseDate"] for record in page["data"]} == {"2025-08-01", "2025-08-02"}
    assert closing
    assert all(record in page["data"] for record in closing)


def test_history_holds_nothing_from_the_future() -> None:
    assert history({"StartPositionOpenDate": "09-04-2025", "EndPositionOpenDate": "12-31-2025"})["data"] == []


@pytest.mark.parametrize(
    ("parameter", "value", "field"),
    [
        ("HiringAgencyCodes", "TD03", "hiringAgencyCode"),
        ("HiringDepartmentCodes", "TD", "hiringDepartmentCode"),
        ("AnnouncementNumbers", open_descriptors()[0]["PositionID"], "announcementNumber"),
    ],
)
def test_history_is_filtered_by_code(parameter: str, value: str, field: str) -> None:
    records = history({parameter: value, "StartPositionOpenDate": "2025-08-01"})["data"]
    assert {record[field] for record in records} == {value}


def test_history_is_filtered_by_series() -> None:
    records = history({"PositionSeries": "2210", "StartPositionOpenDate": "2025-08-01"})["data"]
    assert records
    assert all({"series": "2210"} in record["jobCategories"] for record in records)


@pytest.mark.parametrize("token", ["xx", "YWZ0ZXI6", "YmVmb3JlOjE=", "é"])
def test_a_token_of_another_make_is_refused(token: str) -> None:
    with pytest.raises(BadParameterError, match="continuationtoken"):
        history({"continuationtoken": token})
