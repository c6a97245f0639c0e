"""The simulated job market from day to day, and the oddities of its postings; without a server."""

from collections import Counter
from datetime import timedelta

import pytest

from infra.embedded.simulator import codes
from infra.embedded.simulator.market import LARGEST, Market
from tests.unit.market import DAY, MARKET, NEXT_DAY, SIZE, open_descriptors, open_details, open_items


def test_the_same_seed_and_day_give_the_same_bytes() -> None:
    again = Market(seed=1, size=SIZE)
    assert [again.encoded(p, DAY) for p in again.open_on(DAY)[:50]] == [
        MARKET.encoded(p, DAY) for p in MARKET.open_on(DAY)[:50]
    ]


def test_another_seed_gives_other_postings() -> None:
    assert Market(seed=2, size=SIZE).open_postings(DAY) != MARKET.open_postings(DAY)
    assert Market(seed=2, size=SIZE).read(100_000) != MARKET.read(100_000)


def test_the_independent_reading_is_what_search_returns() -> None:
    assert {item["MatchedObjectId"]: item for item in open_items()} == {
        number: MARKET.posting(number, DAY) for number in MARKET.open_postings(DAY)
    }


@pytest.mark.parametrize("size", [1, 40, SIZE])
def test_about_as_many_are_open_as_asked_for(size: int) -> None:
    market = Market(seed=1, size=size)
    days = [len(market.open_postings(DAY + timedelta(days=n))) for n in range(30)]
    assert abs(sum(days) / len(days) - size) <= max(1, size * 0.1)


def test_control_numbers_are_nine_digits_and_unique() -> None:
    numbers = [item["MatchedObjectId"] for item in open_items()]
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
    assert all(descriptor["ApplicationCloseDate"][:10] >= DAY.isoformat() for descriptor in open_descriptors())


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


def test_postings_have_the_size_of_real_ones() -> None:
    mean = sum(len(MARKET.encoded(posting, DAY)) for posting in MARKET.open_on(DAY)) / len(open_items())
    assert 21_000 <= mean <= 24_000


def test_most_postings_have_one_duty_station_and_a_few_have_over_a_thousand() -> None:
    counts = [len(descriptor["PositionLocation"]) for descriptor in open_descriptors()]
    assert 0.8 <= counts.count(1) / len(counts) <= 0.86
    assert 2.8 <= sum(counts) / len(counts) <= 4.2
    assert max(counts) >= 1_176


def test_no_two_postings_share_a_long_text() -> None:
    texts = [descriptor["QualificationSummary"] for descriptor in open_descriptors()]
    texts += [
        details[name] for details in open_details() for name in ("HowToApply", "Evaluations", "RequiredDocuments")
    ]
    assert len(set(texts)) == len(texts)


def test_a_few_postings_share_their_position_id() -> None:
    shared = [count for count in Counter(d["PositionID"] for d in open_descriptors()).values() if count > 1]
    assert 1 <= len(shared) <= 100


def test_both_spellings_of_sensitivity_occur() -> None:
    spelled = Counter(name for details in open_details() for name in details if name.startswith("PositionSensitiv"))
    assert spelled["PositionSensitivitiy"] > spelled["PositionSensitivity"] > 0


def test_some_booleans_are_strings_and_some_are_not() -> None:
    assert {details["Relocation"] for details in open_details()} == {"True", "False"}
    assert {details["DrugTestRequired"] for details in open_details()} == {"True", "False"}
    assert {details["TeleworkEligible"] for details in open_details()} == {True, False}


def test_money_is_a_string_whole_with_a_decimal_or_by_the_hour() -> None:
    paid = [pay for descriptor in open_descriptors() for pay in descriptor["PositionRemuneration"]]
    annual = [pay["MinimumRange"] for pay in paid if pay["RateIntervalCode"] == "PA"]
    hourly = [float(pay["MaximumRange"]) for pay in paid if pay["RateIntervalCode"] == "PH"]
    assert any(value.isdigit() for value in annual)
    assert any(value.endswith(".0") for value in annual)
    assert hourly
    assert max(hourly) < 500
    assert all(float(pay["MinimumRange"]) <= float(pay["MaximumRange"]) for pay in paid)


def test_some_postings_pay_in_two_ways_and_some_have_no_grade() -> None:
    assert any(len(descriptor["PositionRemuneration"]) > 1 for descriptor in open_descriptors())
    assert any(descriptor["JobGrade"] == [] for descriptor in open_descriptors())


def test_coordinates_are_mostly_numbers_and_sometimes_strings() -> None:
    types = Counter(
        type(place["Latitude"]) for descriptor in open_descriptors() for place in descriptor["PositionLocation"]
    )
    assert types.keys() == {float, str}
    assert types[float] > types[str]


def test_some_postings_name_a_duty_station_twice() -> None:
    names = [[place["LocationName"] for place in descriptor["PositionLocation"]] for descriptor in open_descriptors()]
    assert any(len(set(of_one)) < len(of_one) for of_one in names)


def test_a_duty_station_abroad_has_no_state() -> None:
    stations = [place for descriptor in open_descriptors() for place in descriptor["PositionLocation"]]
    assert {place["CountryCode"] == "United States" for place in stations} == {True, False}
    assert all(("CountrySubDivisionCode" in place) == (place["CountryCode"] == "United States") for place in stations)


def test_some_category_names_end_in_white_space() -> None:
    names = {category["Name"] for descriptor in open_descriptors() for category in descriptor["JobCategory"]}
    assert any(name != name.strip() for name in names)


def test_dates_are_written_as_the_api_writes_them() -> None:
    assert open_descriptors()[0]["PublicationStartDate"] == f"{DAY}T00:00:00.0000"
    assert open_descriptors()[0]["ApplicationCloseDate"].endswith("T23:59:59.9970")


def test_every_code_in_a_posting_is_in_the_code_lists() -> None:
    assert {c["Code"] for d in open_descriptors() for c in d["JobCategory"]} <= {series.code for series in codes.SERIES}
    assert {d["PositionSchedule"][0]["Code"] for d in open_descriptors()} <= codes.SCHEDULES.keys()
    assert {d["PositionOfferingType"][0]["Code"] for d in open_descriptors()} <= codes.OFFERINGS.keys()
    assert {pay["RateIntervalCode"] for d in open_descriptors() for pay in d["PositionRemuneration"]} <= set(
        codes.RATE_INTERVALS
    )
    assert {path for details in open_details() for path in details["HiringPath"]} <= codes.HIRING_PATHS.keys()
    assert {details["TravelCode"] for details in open_details()} <= codes.TRAVEL.keys()
    assert {details["SecurityClearance"] for details in open_details()} <= set(codes.CLEARANCES.values())
    assert {details["OrganizationCodes"] for details in open_details()} <= {agency.path for agency in codes.AGENCIES}
    stations = [place for d in open_descriptors() for place in d["PositionLocation"]]
    assert {place["CountryCode"] for place in stations} <= set(codes.COUNTRIES.values())


def test_every_agency_code_begins_with_its_department() -> None:
    assert all(agency.code.startswith(agency.department) for agency in codes.AGENCIES)
