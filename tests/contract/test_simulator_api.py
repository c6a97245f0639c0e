"""The simulator over a socket, as the extractor meets it."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

DAY = "2025-09-03"
HEADERS = {"Authorization-Key": "a-key", "User-Agent": "someone@example.com"}
ITEM_FIELDS = {"MatchedObjectId", "MatchedObjectDescriptor", "RelevanceRank"}
DESCRIPTOR_FIELDS = {
    "PositionID", "PositionTitle", "PositionURI", "ApplyURI", "PositionLocationDisplay", "PositionLocation",
    "OrganizationName", "DepartmentName", "SubAgency", "JobCategory", "JobGrade", "PositionSchedule",
    "PositionOfferingType", "QualificationSummary", "PositionRemuneration", "PositionStartDate", "PositionEndDate",
    "PublicationStartDate", "ApplicationCloseDate", "PositionFormattedDescription", "UserArea",
}  # fmt: skip
DETAIL_FIELDS = {
    "JobSummary", "WhoMayApply", "LowGrade", "HighGrade", "PromotionPotential", "SubAgencyName", "OrganizationCodes",
    "Relocation", "HiringPath", "MCOTags", "TotalOpenings", "AgencyMarketingStatement", "TravelCode", "ApplyOnlineUrl",
    "DetailStatusUrl", "MajorDuties", "Education", "Requirements", "Evaluations", "HowToApply", "WhatToExpectNext",
    "RequiredDocuments", "Benefits", "BenefitsUrl", "BenefitsDisplayDefaultText", "OtherInformation", "KeyRequirements",
    "WithinArea", "CommuteDistance", "ServiceType", "AnnouncementClosingType", "AgencyContactEmail",
    "AgencyContactPhone", "AgencyContactWebsite", "PreviewQuestionnaireurl", "SecurityClearance", "DrugTestRequired",
    "AdjudicationType", "TeleworkEligible", "RemoteIndicator", "PositionSensitivitiy", "PositionSensitivity",
    "FinancialDisclosure", "BargainingUnitStatus", "BargainingUnitStatusAdditionalText",
}  # fmt: skip
HISTORIC_FIELDS = {
    "usajobsControlNumber", "hiringAgencyCode", "hiringAgencyName", "hiringDepartmentCode", "hiringDepartmentName",
    "agencyLevel", "agencyLevelSort", "appointmentType", "workSchedule", "payScale", "salaryType", "vendor",
    "travelRequirement", "teleworkEligible", "serviceType", "securityClearanceRequired", "securityClearance",
    "whoMayApply", "announcementClosingTypeCode", "announcementClosingTypeDescription", "positionOpenDate",
    "positionCloseDate", "positionExpireDate", "announcementNumber", "hiringSubelementName", "positionTitle",
    "minimumGrade", "maximumGrade", "promotionPotential", "minimumSalary", "maximumSalary", "supervisoryStatus",
    "drugTestRequired", "relocationExpensesReimbursed", "totalOpenings", "positionOpeningStatus", "disableApplyOnline",
    "hiringPaths", "jobCategories", "positionLocations",
}  # fmt: skip
CODE_LISTS = (
    "occupationalseries", "agencysubelements", "positionscheduletypes", "positionofferingtypes", "hiringpaths",
    "remunerationrateintervalcodes", "securityclearances", "travelpercentages", "countries",
)  # fmt: skip


def start(*arguments: str) -> "subprocess.Popen[str]":
    """A simulator of its own."""
    command = [sys.executable, "-m", "infra.embedded.simulator", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def address(server: "subprocess.Popen[str]") -> str:
    """Where it serves, once it does."""
    assert server.stdout
    return server.stdout.readline().split()[-1]


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with start("--port", "0", "--postings", "600", "--api-key", "a-key", "--day", DAY) as server:
        yield address(server)
        server.terminate()


@pytest.fixture
def api(base_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=base_url, headers=HEADERS, timeout=30) as client:
        client.post("/_simulator", json={"day": DAY, "postings": 600, "faults": {}}).raise_for_status()
        yield client


def result(response: httpx.Response) -> dict[str, Any]:
    """The SearchResult of an answer that succeeded."""
    assert response.status_code == 200, response.text
    return dict(response.json()["SearchResult"])


# Search


@pytest.mark.parametrize("path", ["/api/Search", "/api/search", "/API/SEARCH"])
def test_search_is_found_in_any_case(api: httpx.Client, path: str) -> None:
    response = api.get(path, params={"ResultsPerPage": 1})
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/hr+json; charset=utf-8"
    assert parsedate_to_datetime(response.headers["Date"])


def test_a_search_page_has_the_shape_of_the_real_one(api: httpx.Client) -> None:
    body = api.get("/api/Search").json()
    assert body.keys() == {"LanguageCode", "SearchParameters", "SearchResult"}
    page = body["SearchResult"]
    assert page.keys() == {"SearchResultCount", "SearchResultCountAll", "SearchResultItems", "UserArea"}
    assert page["SearchResultCount"] == len(page["SearchResultItems"]) == 25
    assert page["UserArea"] == {"NumberOfPages": str(-(-page["SearchResultCountAll"] // 25)), "IsRadialSearch": False}


def test_every_field_of_the_real_page_occurs(api: httpx.Client) -> None:
    pages = [result(api.get("/api/Search", params={"ResultsPerPage": 500, "Page": n})) for n in (1, 2)]
    items = [item for page in pages for item in page["SearchResultItems"]]
    descriptors = [item["MatchedObjectDescriptor"] for item in items]
    assert {name for item in items for name in item} == ITEM_FIELDS
    assert {name for descriptor in descriptors for name in descriptor} == DESCRIPTOR_FIELDS
    assert {name for descriptor in descriptors for name in descriptor["UserArea"]["Details"]} == DETAIL_FIELDS


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization-Key": "another-key", "User-Agent": "someone@example.com"},
        {"Authorization-Key": "", "User-Agent": "someone@example.com"},
        {"Authorization-Key": "a-key", "User-Agent": "python"},
    ],
)
def test_search_without_key_or_address_is_unauthorized(api: httpx.Client, headers: dict[str, str]) -> None:
    response = api.get("/api/Search", headers=headers)
    assert response.status_code == 401
    assert response.json()["Message"]


def test_a_bad_value_is_a_bad_request(api: httpx.Client) -> None:
    response = api.get("/api/Search", params={"Page": 0})
    assert response.status_code == 400
    assert "Page" in response.json()["Message"]


def test_an_unknown_path_is_answered_in_json(api: httpx.Client) -> None:
    response = api.get("/api/nothing")
    assert response.status_code == 404
    assert response.json()["Message"]


# HistoricJoa and code lists


def test_history_needs_no_key_and_has_the_shape_of_the_real_one(base_url: str) -> None:
    body = httpx.get(f"{base_url}/api/HistoricJoa", params={"StartPositionOpenDate": "08-01-2025"}).json()
    assert body.keys() == {"paging", "data"}
    assert body["paging"]["metadata"].keys() == {"totalCount", "pageSize", "continuationToken"}
    assert body["paging"]["metadata"]["pageSize"] == 1000
    assert all(record.keys() == HISTORIC_FIELDS for record in body["data"])


def test_the_next_link_leads_to_the_rest(api: httpx.Client) -> None:
    first = api.get("/api/historicjoa", params={"StartPositionOpenDate": "08-01-2025", "PageSize": 400}).json()
    following = api.get(first["paging"]["next"]).json()
    assert len(first["data"]) == 400
    assert len(first["data"]) + len(following["data"]) == first["paging"]["metadata"]["totalCount"]
    assert following["paging"] == {"metadata": first["paging"]["metadata"] | {"continuationToken": None}, "next": None}


def test_a_broken_token_is_a_bad_request(api: httpx.Client) -> None:
    assert api.get("/api/HistoricJoa", params={"continuationtoken": "broken"}).status_code == 400


@pytest.mark.parametrize("name", CODE_LISTS)
def test_a_code_list_has_the_shape_of_the_real_one(api: httpx.Client, name: str) -> None:
    body = api.get(f"/api/codelist/{name}").json()
    [code_list] = body["CodeList"]
    assert body["DateGenerated"]
    assert code_list["id"] == name
    assert all(entry.keys() >= {"Code", "Value", "LastModified", "IsDisabled"} for entry in code_list["ValidValue"])


def test_an_agency_in_the_code_list_names_its_department(api: httpx.Client) -> None:
    [code_list] = api.get("/api/codelist/agencysubelements").json()["CodeList"]
    parents = {entry["Code"]: entry["ParentCode"] for entry in code_list["ValidValue"]}
    assert parents["AF1M"] == "AF"
    assert {parent for parent in parents.values() if parent} <= parents.keys()


def test_an_unknown_code_list_is_not_found(api: httpx.Client) -> None:
    response = api.get("/api/codelist/postalcodes")
    assert response.status_code == 404
    assert response.json()["Message"]


# Control


def test_the_state_tells_seed_day_open_postings_requests_and_faults(api: httpx.Client) -> None:
    before = api.get("/_simulator").json()
    total = result(api.get("/api/Search"))["SearchResultCountAll"]
    after = api.get("/_simulator").json()
    assert (after["seed"], after["day"], after["open"]) == (1, DAY, total)
    assert after["requests"] == before["requests"] + 1
    assert after["faults"]["429"] == 0


def test_advancing_the_day_brings_new_postings(api: httpx.Client) -> None:
    assert api.post("/_simulator", json={"advance_days": 2}).json()["day"] == "2025-09-05"
    [newest] = result(api.get("/api/Search", params={"ResultsPerPage": 1}))["SearchResultItems"]
    assert newest["MatchedObjectDescriptor"]["PublicationStartDate"] == "2025-09-05T00:00:00.0000"


def test_the_market_can_be_resized(api: httpx.Client) -> None:
    assert api.post("/_simulator", json={"postings": 50}).json()["open"] < 100


@pytest.mark.parametrize(
    "body",
    [
        "nonsense", "[]", '{"day": "tomorrow"}', '{"day": "1999-01-01"}', '{"advance_days": -1}', '{"postings": 0}',
        '{"faults": {"429": -1}}', '{"faults": {"teapot": 1}}', '{"hours": 1}', '{"faults": {"429": true}}',
    ],
)  # fmt: skip
def test_a_control_body_that_makes_no_sense_changes_nothing(api: httpx.Client, body: str) -> None:
    before = api.get("/_simulator").json()
    response = api.post("/_simulator", content=body)
    assert response.status_code == 400
    assert response.json()["Message"]
    assert api.get("/_simulator").json() == before


# Faults


@pytest.mark.parametrize(
    ("fault", "status", "media_type"),
    [
        ("429", 429, "application/json; charset=utf-8"),
        ("500", 500, "text/html; charset=utf-8"),
        ("401", 401, "application/json; charset=utf-8"),
        ("html200", 200, "text/html; charset=utf-8"),
    ],
)
def test_a_fault_is_answered_as_often_as_asked(api: httpx.Client, fault: str, status: int, media_type: str) -> None:
    api.post("/_simulator", json={"faults": {fault: 2}})
    answers = [api.get("/api/Search") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [status, status, 200]
    assert answers[0].headers["Content-Type"] == media_type
    assert answers[2].headers["Content-Type"] == "application/hr+json; charset=utf-8"
    assert api.get("/_simulator").json()["faults"][fault] == 0


def test_too_many_requests_say_when_to_come_back(api: httpx.Client) -> None:
    api.post("/_simulator", json={"faults": {"429": 1, "retry_after": 7}})
    assert api.get("/api/HistoricJoa").headers["Retry-After"] == "7"


def test_a_truncated_body_ends_before_its_promised_length(api: httpx.Client) -> None:
    api.post("/_simulator", json={"faults": {"truncate": 1}})
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        api.get("/api/Search")
    assert result(api.get("/api/Search"))["SearchResultCount"] == 25


def test_a_slow_answer_outlasts_an_impatient_client(api: httpx.Client) -> None:
    api.post("/_simulator", json={"faults": {"slow": 1, "slow_seconds": 60}})
    with pytest.raises(httpx.ReadTimeout):
        api.get("/api/Search", timeout=0.2)
    assert api.get("/api/Search").status_code == 200


def test_every_third_request_can_be_made_to_fail(api: httpx.Client) -> None:
    api.post("/_simulator", json={"faults": {"500": 2, "every": 3}})
    statuses = [api.get("/api/codelist/countries").status_code for _ in range(7)]
    assert statuses == [200, 200, 500, 200, 200, 500, 200]


# The process


def test_it_stops_cleanly_when_asked() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        with start("--port", "0", "--postings", "10") as server:
            assert httpx.get(f"{address(server)}/_simulator").json()["open"] > 0
            server.send_signal(number)
            _, errors = server.communicate(timeout=20)
        assert (server.returncode, errors) == (0, "")


def test_it_stops_cleanly_while_an_answer_is_slow() -> None:
    with start("--port", "0", "--postings", "10") as server:
        url = address(server)
        httpx.post(f"{url}/_simulator", json={"faults": {"slow": 1, "slow_seconds": 60}})
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{url}/api/codelist/countries", timeout=0.2)
        server.terminate()
        assert server.wait(timeout=20) == 0


def test_a_taken_port_is_one_line_on_standard_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with start("--port", str(port)) as server:
            output, errors = server.communicate(timeout=20)
    assert (server.returncode, output) == (1, "")
    assert errors.startswith(f"simulator: port {port} cannot be used")
    assert errors.count("\n") == 1


@pytest.mark.parametrize("arguments", [("--postings", "0"), ("--day", "1999-01-01"), ("--port", "70000")])
def test_what_cannot_be_simulated_is_one_line_on_standard_error(arguments: tuple[str, str]) -> None:
    with start("--port", "0", *arguments) as server:
        _, errors = server.communicate(timeout=20)
    assert server.returncode == 1
    assert errors.startswith("simulator: ")
    assert errors.count("\n") == 1


def test_without_a_key_of_its_own_it_accepts_any() -> None:
    with start("--port", "0", "--postings", "10", "--day", DAY) as server:
        url = f"{address(server)}/api/Search"
        statuses = [
            httpx.get(url, headers={"Authorization-Key": key, "User-Agent": "a@b.c"}).status_code for key in ("x", "")
        ]
        server.terminate()
    assert statuses == [200, 401]
