"""What the simulated Search API finds, without a server."""

import orjson
import pytest

from infra.embedded.simulator import codes, places, search
from infra.embedded.simulator.market import Market
from infra.embedded.simulator.parameters import BadParameterError, Parameters
from tests.unit.market import DAY, MARKET, found, open_descriptors, searched


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
    posting = open_descriptors()[0]
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
