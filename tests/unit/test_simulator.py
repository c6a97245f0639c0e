"""The simulated job market, without a server."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

import orjson
import pytest

from infra.embedded.simulator import codes, historic, places, search
from infra.embedded.simulator.market import LARGEST, Market
from infra.embedded.simulator.parameters import BadParameterError, Parameters

DAY = date(2025, 9, 3)
NEXT_DAY = DAY + timedelta(days=1)
MARKET = Market(seed=1, size=3000)
ITEMS = [orjson.loads(MARKET.encoded(posting, DAY)) for posting in MARKET.open_on(DAY)]
DESCRIPTORS = [item["MatchedObjectDescriptor"] for item in ITEMS]
BY_NUMBER = {item["MatchedObjectId"]: item["MatchedObjectDescriptor"] for item in ITEMS}
DETAILS = [descriptor["UserArea"]["Details"] for descriptor in DESCRIPTORS]


def found(**parameters: str) -> list[dict[str, Any]]:
    """The descriptors that a search finds, all pages at once."""
    query = search.parse(Parameters(parameters.items()))
    return [BY_NUMBER[posting.control_number] for posting in search.matches(MARKET, DAY, query)]


def searched(**parameters: str) -> dict[str, Any]:
    """The SearchResult of one page."""
    result: dict[str, Any] = orjson.loads(search.answer(MARKET, DAY, search.parse(Parameters(parameters.items()))))
    return dict(result["SearchResult"])


def history(parameters: dict[str, str], market: Market = MARKET) -> dict[str, Any]:
    """One page of HistoricJoa."""
    body: dict[str, Any] = orjson.loads(historic.answer(market, DAY, Parameters(parameters.items())))
    return body


# The market from day to day


def test_the_same_seed_and_day_give_the_same_bytes() -> None:
    again = Market(seed=1, size=3000)
    assert [again.encoded(p, DAY) for p in again.open_on(DAY)[:50]] == [
        MARKET.encoded(p, DAY) for p in MARKET.open_on(DAY)[:50]
    ]


def test_another_seed_gives_other_postings() -> None:
    assert Market(seed=2, size=3000).open_postings(DAY) != MARKET.open_postings(DAY)
    assert Market(seed=2, size=3000).read(100_000) != MARKET.read(100_000)


def test_the_independent_reading_is_what_search_returns() -> None:
    assert {item["MatchedObjectId"]: item for item in ITEMS} == {
        number: MARKET.posting(number, DAY) for number in MARKET.open_postings(DAY)
    }


@pytest.mark.parametrize("size", [1, 40, 3000])
def test_about_as_many_are_open_as_asked_for(size: int) -> None:
    market = Market(seed=1, size=size)
    days = [len(market.open_postings(DAY + timedelta(days=n))) for n in range(30)]
    assert abs(sum(days) / len(days) - size) <= max(1, size * 0.1)


def test_control_numbers_are_nine_digits_and_unique() -> None:
    numbers = [item["MatchedObjectId"] for item in ITEMS]
    assert all(len(number) == 9 and number.isdigit() for number in numbers)
    assert len(set(numbers)) == len(numbers)
    assert MARKET.open_postings(DAY) == sorted(numbers)


def test_a_few_percent_close_open_and_change_overnight() -> None:
    today, tomorrow = set(MARKET.open_postings(DAY)), set(MARKET.open_postings(NEXT_DAY))
    stayed = today & tomorrow
    changed = [number for number in stayed if MARKET.posting(number, DAY) != MARKET.posting(number, NEXT_DAY)]
    for count in (len(today - tomorrow), len(tomorrow - today), len(changed)):
        assert 0.02 <= count / len(today) <= 0.045


def test_what_changes_overnight_is_pay_close_date_or_title() -> None:
    changed = Counter[str]()
    for number in set(MARKET.open_postings(DAY)) & set(MARKET.open_postings(NEXT_DAY)):
        before, after = (MARKET.posting(number, day)["MatchedObjectDescriptor"] for day in (DAY, NEXT_DAY))
        changed.update(field for field in before if before[field] != after[field])
    assert set(changed) == {"PositionTitle", "PositionRemuneration", "PositionEndDate", "ApplicationCloseDate"}


def test_no_posting_is_open_after_the_close_date_it_announces() -> None:
    assert all(descriptor["ApplicationCloseDate"][:10] >= DAY.isoformat() for descriptor in DESCRIPTORS)


def test_a_closed_posting_cannot_be_read_as_open() -> None:
    closed = (set(MARKET.open_postings(DAY)) - set(MARKET.open_postings(NEXT_DAY))).pop()
    assert MARKET.posting(closed, DAY)["MatchedObjectId"] == closed
    with pytest.raises(KeyError):
        MARKET.posting(closed, NEXT_DAY)


@pytest.mark.parametrize("number", ["500000001", "100000000"])
def test_a_control_number_that_was_never_given_is_unknown(number: str) -> None:
    with pytest.raises(KeyError):
        MARKET.posting(number, DAY)


@pytest.mark.parametrize("size", [0, LARGEST + 1])
def test_a_market_too_small_or_too_large_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="a market has"):
        Market(seed=1, size=size)


# The postings and their oddities


def test_postings_have_the_size_of_real_ones() -> None:
    mean = sum(len(MARKET.encoded(posting, DAY)) for posting in MARKET.open_on(DAY)) / len(ITEMS)
    assert 21_000 <= mean <= 24_000


def test_most_postings_have_one_duty_station_and_a_few_have_over_a_thousand() -> None:
    counts = [len(descriptor["PositionLocation"]) for descriptor in DESCRIPTORS]
    assert 0.8 <= counts.count(1) / len(counts) <= 0.86
    assert 2.8 <= sum(counts) / len(counts) <= 4.2
    assert max(counts) >= 1_176


def test_no_two_postings_share_a_long_text() -> None:
    texts = [descriptor["QualificationSummary"] for descriptor in DESCRIPTORS]
    texts += [details[name] for details in DETAILS for name in ("HowToApply", "Evaluations", "RequiredDocuments")]
    assert len(set(texts)) == len(texts)


def test_a_few_postings_share_their_position_id() -> None:
    shared = [count for count in Counter(d["PositionID"] for d in DESCRIPTORS).values() if count > 1]
    assert 1 <= len(shared) <= 100


def test_both_spellings_of_sensitivity_occur() -> None:
    spelled = Counter(name for details in DETAILS for name in details if name.startswith("PositionSensitiv"))
    assert spelled["PositionSensitivitiy"] > spelled["PositionSensitivity"] > 0


def test_some_booleans_are_strings_and_some_are_not() -> None:
    assert {details["Relocation"] for details in DETAILS} == {"True", "False"}
    assert {details["DrugTestRequired"] for details in DETAILS} == {"True", "False"}
    assert {details["TeleworkEligible"] for details in DETAILS} == {True, False}


def test_money_is_a_string_whole_with_a_decimal_or_by_the_hour() -> None:
    paid = [pay for descriptor in DESCRIPTORS for pay in descriptor["PositionRemuneration"]]
    annual = [pay["MinimumRange"] for pay in paid if pay["RateIntervalCode"] == "PA"]
    hourly = [float(pay["MaximumRange"]) for pay in paid if pay["RateIntervalCode"] == "PH"]
    assert any(value.isdigit() for value in annual)
    assert any(value.endswith(".0") for value in annual)
    assert hourly
    assert max(hourly) < 500
    assert all(float(pay["MinimumRange"]) <= float(pay["MaximumRange"]) for pay in paid)


def test_some_postings_pay_in_two_ways_and_some_have_no_grade() -> None:
    assert any(len(descriptor["PositionRemuneration"]) > 1 for descriptor in DESCRIPTORS)
    assert any(descriptor["JobGrade"] == [] for descriptor in DESCRIPTORS)


def test_coordinates_are_mostly_numbers_and_sometimes_strings() -> None:
    types = Counter(type(place["Latitude"]) for descriptor in DESCRIPTORS for place in descriptor["PositionLocation"])
    assert types.keys() == {float, str}
    assert types[float] > types[str]


def test_some_postings_name_a_duty_station_twice() -> None:
    names = [[place["LocationName"] for place in descriptor["PositionLocation"]] for descriptor in DESCRIPTORS]
    assert any(len(set(of_one)) < len(of_one) for of_one in names)


def test_a_duty_station_abroad_has_no_state() -> None:
    stations = [place for descriptor in DESCRIPTORS for place in descriptor["PositionLocation"]]
    assert {place["CountryCode"] == "United States" for place in stations} == {True, False}
    assert all(("CountrySubDivisionCode" in place) == (place["CountryCode"] == "United States") for place in stations)


def test_some_category_names_end_in_white_space() -> None:
    names = {category["Name"] for descriptor in DESCRIPTORS for category in descriptor["JobCategory"]}
    assert any(name != name.strip() for name in names)


def test_dates_are_written_as_the_api_writes_them() -> None:
    assert DESCRIPTORS[0]["PublicationStartDate"] == f"{DAY}T00:00:00.0000"
    assert DESCRIPTORS[0]["ApplicationCloseDate"].endswith("T23:59:59.9970")


def test_every_code_in_a_posting_is_in_the_code_lists() -> None:
    assert {c["Code"] for d in DESCRIPTORS for c in d["JobCategory"]} <= {series.code for series in codes.SERIES}
    assert {d["PositionSchedule"][0]["Code"] for d in DESCRIPTORS} <= codes.SCHEDULES.keys()
    assert {d["PositionOfferingType"][0]["Code"] for d in DESCRIPTORS} <= codes.OFFERINGS.keys()
    assert {pay["RateIntervalCode"] for d in DESCRIPTORS for pay in d["PositionRemuneration"]} <= set(
        codes.RATE_INTERVALS
    )
    assert {path for details in DETAILS for path in details["HiringPath"]} <= codes.HIRING_PATHS.keys()
    assert {details["TravelCode"] for details in DETAILS} <= codes.TRAVEL.keys()
    assert {details["SecurityClearance"] for details in DETAILS} <= set(codes.CLEARANCES.values())
    assert {details["OrganizationCodes"] for details in DETAILS} <= {agency.path for agency in codes.AGENCIES}
    stations = [place for d in DESCRIPTORS for place in d["PositionLocation"]]
    assert {place["CountryCode"] for place in stations} <= set(codes.COUNTRIES.values())


def test_every_agency_code_begins_with_its_department() -> None:
    assert all(agency.code.startswith(agency.department) for agency in codes.AGENCIES)


# Search


def test_results_come_newest_first_then_by_control_number() -> None:
    keys = [(-posting.life.opens.toordinal(), posting.control_number) for posting in MARKET.open_on(DAY)]
    assert keys == sorted(keys)


def test_pages_together_hold_every_posting_once() -> None:
    pages = [searched(ResultsPerPage="500", Page=str(page)) for page in range(1, 9)]
    numbers = [item["MatchedObjectId"] for page in pages for item in page["SearchResultItems"]]
    assert sorted(numbers) == MARKET.open_postings(DAY)
    assert pages[0]["UserArea"]["NumberOfPages"] == str(-(-len(numbers) // 500))


def test_more_than_500_a_page_are_never_given() -> None:
    assert searched(ResultsPerPage="501")["SearchResultCount"] == 500


def test_rows_beyond_the_cap_are_counted_but_not_given() -> None:
    market = Market(seed=1, size=10_800)
    total = len(market.open_postings(DAY))
    rows = {
        page: orjson.loads(
            search.answer(market, DAY, search.parse(Parameters([("ResultsPerPage", "300"), ("Page", page)])))
        )
        for page in ("34", "35")
    }
    assert total > search.MOST_ROWS
    assert [rows[page]["SearchResult"]["SearchResultCount"] for page in ("34", "35")] == [100, 0]
    assert rows["35"]["SearchResult"]["SearchResultCountAll"] == total


def test_all_keywords_must_occur() -> None:
    both = {d["PositionID"] for d in found(Keyword="Data SCIENTIST")}
    assert both
    assert both <= {d["PositionID"] for d in found(Keyword="data")} & {
        d["PositionID"] for d in found(Keyword="scientist")
    }
    assert found(Keyword="data nosuchword") == []


def test_keywords_are_looked_for_in_title_summary_and_organization() -> None:
    posting = DESCRIPTORS[0]
    for text in (posting["PositionTitle"], posting["UserArea"]["Details"]["JobSummary"], posting["OrganizationName"]):
        assert posting in found(Keyword=text)
    assert posting not in found(Keyword=posting["QualificationSummary"])


def test_a_state_finds_its_cities_and_a_city_only_itself() -> None:
    in_state, in_city = found(LocationName="Illinois"), found(LocationName="chicago, illinois")
    assert 0 < len(in_city) < len(in_state)
    assert all(any(p["LocationName"] == "Chicago, Illinois" for p in d["PositionLocation"]) for d in in_city)


def test_several_locations_are_joined() -> None:
    both = found(LocationName="Illinois; Chicago, Illinois; Germany")
    ids = [{d["PositionURI"] for d in found(LocationName=name)} for name in ("Illinois", "Germany")]
    assert {d["PositionURI"] for d in both} == ids[0] | ids[1]


def test_a_radius_adds_the_postings_around_a_city() -> None:
    near = {d["PositionURI"] for d in found(LocationName="Washington, District of Columbia", Radius="50")}
    assert near > {d["PositionURI"] for d in found(LocationName="Washington, District of Columbia")}
    assert near >= {d["PositionURI"] for d in found(LocationName="Baltimore, Maryland")}
    assert not near & {
        d["PositionURI"] for d in found(LocationName="Denver, Colorado") if len(d["PositionLocation"]) == 1
    }


def test_only_a_search_around_a_known_city_is_radial() -> None:
    for name, radial in (("Chicago, Illinois", True), ("Illinois", False), ("Nowhere, Illinois", False)):
        assert searched(LocationName=name, Radius="25", ResultsPerPage="1")["UserArea"]["IsRadialSearch"] is radial


def test_distance_is_measured_on_the_globe() -> None:
    by_name = {place.name: place for place in places.GAZETTEER}
    distance = places.miles(by_name["New York, New York"], by_name["Los Angeles, California"])
    assert distance == pytest.approx(2445, abs=10)


def test_series_are_alternatives_and_match_any_category() -> None:
    both = found(JobCategoryCode="2210;1560")
    assert {c["Code"] for d in both for c in d["JobCategory"]} >= {"2210", "1560"}
    assert all({"2210", "1560"} & {c["Code"] for c in d["JobCategory"]} for d in both)
    assert len(both) < len(found(JobCategoryCode="2210")) + len(found(JobCategoryCode="1560")) + 1


def test_a_department_code_finds_its_agencies() -> None:
    assert {d["OrganizationName"] for d in found(Organization="af")} == {
        agency.name for agency in codes.AGENCIES if agency.department == "AF"
    }
    assert {d["OrganizationName"] for d in found(Organization="AF1M;TD03")} == {
        "Air Force Materiel Command",
        "Federal Aviation Administration",
    }


def test_date_posted_counts_days_back_from_the_simulated_day() -> None:
    assert {d["PublicationStartDate"][:10] for d in found(DatePosted="0")} == {DAY.isoformat()}
    assert min(d["PublicationStartDate"][:10] for d in found(DatePosted="7")) == "2025-08-27"


def test_names_of_parameters_may_be_in_any_case_and_unknown_ones_are_ignored() -> None:
    assert found(jobcategorycode="2210", Colour="red") == found(JobCategoryCode="2210")


@pytest.mark.parametrize(
    ("name", "value"),
    [("Page", "0"), ("Page", "-1"), ("ResultsPerPage", "abc"), ("DatePosted", "61"), ("Radius", "far"), ("Page", "²")],
)
def test_a_value_that_makes_no_sense_is_refused(name: str, value: str) -> None:
    with pytest.raises(BadParameterError, match=name):
        searched(**{name: value})


# HistoricJoa


def test_a_closed_posting_is_in_the_history_as_closed() -> None:
    closed = (set(MARKET.open_postings(DAY - timedelta(days=1))) - set(MARKET.open_postings(DAY))).pop()
    [record] = history({"USAJOBSControlNumbers": closed})["data"]
    assert record["usajobsControlNumber"] == int(closed)
    assert record["positionOpeningStatus"] != "Accepting applications"
    assert record["positionCloseDate"] < DAY.isoformat()


def test_an_open_posting_reads_the_same_in_both_endpoints() -> None:
    descriptor = DESCRIPTORS[0]
    [record] = history({"USAJOBSControlNumbers": ITEMS[0]["MatchedObjectId"]})["data"]
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
        ("AnnouncementNumbers", DESCRIPTORS[0]["PositionID"], "announcementNumber"),
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
