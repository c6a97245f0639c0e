"""From raw historic postings to rows: shape, normaliser and gate, on small hand-made postings."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from services.transformer import gate
from services.transformer.fingerprint import fingerprint
from services.transformer.invalid_values import replace_invalid
from shared.datasets import registry
from shared.formats import silver

HISTORIC = registry.dataset("usajobs_historic")

LISTS = [table.name for table in HISTORIC.tables.children]
Posting = dict[str, Any]


def posting(number: object = 1, **fields: object) -> Posting:
    """A posting with just enough in it to raise no warning, and `fields`."""
    return {"usajobsControlNumber": number, "positionTitle": "Engineer", "positionLocations": [{}], **fields}


def row(record: object) -> dict[str, Any]:
    """The row of one record."""
    return HISTORIC.normalise(HISTORIC.record_model.model_validate(replace_invalid(record)))


def frame(*records: object) -> pl.DataFrame:
    """The silver frame of valid records."""
    rows = [
        {silver.RECORD_INDEX: index, silver.CONTENT_HASH: b"", **row(record)} for index, record in enumerate(records)
    ]
    return silver.frame(rows, HISTORIC.tables)


def refused(*records: object) -> dict[int, list[str]]:
    """{index: rules} of the records that the gate rejects."""
    problems, _ = gate.run_checks(frame(*records), HISTORIC.checks, HISTORIC.tables)
    return {index: [problem.rule for problem in found] for index, found in problems.items()}


def warned(*records: object) -> dict[str, int]:
    """{rule: records} of what the gate only warns about."""
    _, warnings = gate.run_checks(frame(*records), HISTORIC.checks, HISTORIC.tables)
    return {warning.rule: warning.records for warning in warnings}


def problem(record: object) -> tuple[str, str]:
    """The kind and the place of the one problem that makes a record invalid."""
    with pytest.raises(ValidationError) as invalid:
        row(record)
    (error,) = invalid.value.errors()
    return getattr(error["input"], "rule", error["type"]), ".".join(map(str, error["loc"]))


# Values as they really come


# {field: (value, column, value in the column)}
TYPICAL: dict[str, tuple[object, str, object]] = {
    "usajobsControlNumber": (123456700, "control_number", 123456700),
    "hiringAgencyCode": ("XX01", "hiring_agency_code", "XX01"),
    "hiringAgencyName": ("Bureau of Examples", "hiring_agency_name", "Bureau of Examples"),
    "hiringDepartmentCode": ("XX", "hiring_department_code", "XX"),
    "hiringDepartmentName": ("Department of Examples", "hiring_department_name", "Department of Examples"),
    "agencyLevel": (2, "agency_level", 2),
    "agencyLevelSort": ("Department\\Bureau", "agency_level_sort", "Department\\Bureau"),
    "appointmentType": ("Permanent", "appointment_type", "Permanent"),
    "workSchedule": ("Full-time", "work_schedule", "Full-time"),
    "payScale": ("GS", "pay_scale", "GS"),
    "salaryType": ("Per Year", "salary_type", "Per Year"),
    "vendor": ("USASTAFFING", "vendor", "USASTAFFING"),
    "travelRequirement": ("Occasional travel", "travel_requirement", "Occasional travel"),
    "teleworkEligible": ("Y", "telework_eligible", True),
    "serviceType": ("Competitive", "service_type", "Competitive"),
    "securityClearanceRequired": ("N", "security_clearance_required", False),
    "securityClearance": ("Not Required", "security_clearance", "Not Required"),
    "whoMayApply": ("United States Citizens", "who_may_apply", "United States Citizens"),
    "announcementClosingTypeCode": ("01", "announcement_closing_type_code", "01"),
    "announcementClosingTypeDescription": ("Closing Date", "announcement_closing_type_description", "Closing Date"),
    "positionOpenDate": ("2020-02-03", "position_open_date", date(2020, 2, 3)),
    "positionCloseDate": ("2020-02-29", "position_close_date", date(2020, 2, 29)),
    "positionExpireDate": ("2021-10-01", "position_expire_date", date(2021, 10, 1)),
    "announcementNumber": ("EX-20-001", "announcement_number", "EX-20-001"),
    "hiringSubelementName": ("Field Office", "hiring_subelement_name", "Field Office"),
    "positionTitle": ("Engineer", "position_title", "Engineer"),
    "minimumGrade": ("07", "minimum_grade", "07"),
    "maximumGrade": ("09", "maximum_grade", "09"),
    "promotionPotential": ("12", "promotion_potential", "12"),
    "minimumSalary": (40371.0, "minimum_salary", Decimal(40371)),
    "maximumSalary": (93101.5, "maximum_salary", Decimal("93101.5")),
    "supervisoryStatus": ("N", "supervisory_status", False),
    "drugTestRequired": ("Y", "drug_test_required", True),
    "relocationExpensesReimbursed": ("N", "relocation_expenses_reimbursed", False),
    "totalOpenings": ("5", "total_openings", "5"),
    "disableApplyOnline": ("N", "disable_apply_online", False),
    "positionOpeningStatus": ("Job closed", "position_opening_status", "Job closed"),
}


def test_every_value_of_a_typical_posting_has_its_column() -> None:
    found = row({field: value for field, (value, _, _) in TYPICAL.items()})
    scalars = {name: value for name, value in found.items() if name not in LISTS}
    assert scalars == {column: expected for _, column, expected in TYPICAL.values()}


def test_every_list_has_its_table() -> None:
    place = {"positionLocationCity": "Oslo", "positionLocationState": None, "positionLocationCountry": "Norway"}
    paths = [{"hiringPath": "The public"}, {"hiringPath": "Veterans"}]
    found = row(posting(hiringPaths=paths, jobCategories=[{"series": "0801"}], positionLocations=[place]))
    assert found["historic_joa_hiring_path"] == [
        {"ordinal": 1, "hiring_path": "The public"},
        {"ordinal": 2, "hiring_path": "Veterans"},
    ]
    assert found["historic_joa_category"] == [{"ordinal": 1, "series": "0801"}]
    assert [tuple(location.values()) for location in found["historic_joa_location"]] == [(1, "Oslo", None, "Norway")]


def test_a_row_has_exactly_the_columns_of_the_tables() -> None:
    columns = set(silver.schema(HISTORIC.tables))
    assert {silver.RECORD_INDEX, silver.CONTENT_HASH, silver.HASH_ONLY, silver.RAW, *row(posting())} == columns
    full = row(posting(hiringPaths=[{}], jobCategories=[{}]))
    for child in HISTORIC.tables.children:
        assert set(full[child.name][0]) == set(silver.child_schema(child))


NULLS = {field.alias: None for name, field in HISTORIC.record_model.model_fields.items() if name != "control_number"}


@pytest.mark.parametrize("optional", [{}, NULLS])
def test_what_is_optional_may_be_missing_or_null(optional: Posting) -> None:
    found = row({"usajobsControlNumber": 1, **optional})
    assert {value for name, value in found.items() if name not in {"control_number", *LISTS}} == {None}
    assert [found[table] for table in LISTS] == [[], [], []]


@pytest.mark.parametrize(
    ("field", "value", "column", "expected"),
    [
        ("teleworkEligible", "Y", "telework_eligible", True),
        ("teleworkEligible", "n", "telework_eligible", False),
        ("teleworkEligible", " ", "telework_eligible", None),
        ("minimumSalary", 17.35, "minimum_salary", Decimal("17.35")),
        ("minimumSalary", "$120,000.00", "minimum_salary", Decimal("120000.00")),
        ("minimumSalary", 0, "minimum_salary", Decimal(0)),
        ("minimumSalary", "", "minimum_salary", None),
        ("minimumGrade", "07", "minimum_grade", "07"),
        ("minimumGrade", 7, "minimum_grade", "7"),
        ("agencyLevel", "2", "agency_level", 2),
        ("totalOpenings", 3, "total_openings", "3"),
        ("totalOpenings", "FEW", "total_openings", "FEW"),
        ("hiringSubelementName", "-\tCentral  Region \n", "hiring_subelement_name", "-\tCentral  Region"),
        ("vendor", "  ", "vendor", None),
        ("positionExpireDate", "", "position_expire_date", None),
        ("positionOpenDate", "2020-02-03T00:00:00", "position_open_date", date(2020, 2, 3)),
        ("usajobsControlNumber", "123456700", "control_number", 123456700),
    ],
)
def test_a_value_is_read_in_any_of_its_spellings(field: str, value: object, column: str, expected: object) -> None:
    assert frame(posting(**{field: value}))[column].item() == expected


@pytest.mark.parametrize(
    ("spelling", "table"),
    [
        ("hiringPaths", "historic_joa_hiring_path"),
        ("HiringPaths", "historic_joa_hiring_path"),
        ("hiringpaths", "historic_joa_hiring_path"),
        ("jobCategories", "historic_joa_category"),
        ("JobCategories", "historic_joa_category"),
        ("jobcategories", "historic_joa_category"),
        ("positionLocations", "historic_joa_location"),
        ("PositionLocations", "historic_joa_location"),
        ("positionlocations", "historic_joa_location"),
    ],
)
def test_the_api_has_spelled_its_lists_in_three_ways(spelling: str, table: str) -> None:
    assert len(row({"usajobsControlNumber": 1, spelling: [{}, {}]})[table]) == 2


@pytest.mark.parametrize("spelling", ["disableApplyOnline", "disableAppyOnline"])
def test_the_api_has_misspelled_disable_apply_online(spelling: str) -> None:
    assert row(posting(**{spelling: "Y"}))["disable_apply_online"] is True


def test_repeated_locations_are_kept_in_the_order_of_the_source() -> None:
    boston, austin = {"positionLocationCity": "Boston"}, {"positionLocationCity": "Austin"}
    places = row(posting(positionLocations=[boston, austin, boston]))["historic_joa_location"]
    assert [(place["ordinal"], place["position_location_city"]) for place in places] == [
        (1, "Boston"),
        (2, "Austin"),
        (3, "Boston"),
    ]


def test_a_record_without_a_control_number_is_rejected() -> None:
    assert refused(posting(None), posting(0)) == {0: ["control_number_present"], 1: ["control_number_range"]}


def test_unknown_fields_do_not_stop_a_record() -> None:
    assert row({**posting(), "future": [{}]})["control_number"] == 1


@pytest.mark.parametrize(
    ("record", "kind", "place"),
    [
        ({"positionTitle": "Engineer"}, "missing", "usajobsControlNumber"),
        (posting(2**63), "less_than", "usajobsControlNumber"),
        (posting(teleworkEligible="perhaps"), "bool_parsing", "teleworkEligible"),
        (posting(minimumSalary=10.005), "decimal_max_places", "minimumSalary"),
        (posting(minimumSalary="a lot"), "decimal_type", "minimumSalary"),
        (posting(agencyLevel=2**31), "less_than", "agencyLevel"),
        (posting(positionOpenDate=20200203), "datetime_type", "positionOpenDate"),
        (posting(positionOpenDate="2020-02-30"), "date_from_datetime_parsing", "positionOpenDate"),
        (posting(vendor="a\x00b"), "string_with_nul", "vendor"),
        (posting(hiringPaths=[{}, None]), "model_type", "hiringPaths.1"),
        (posting(hiringPaths={}), "list_type", "hiringPaths"),
    ],
)
def test_a_value_that_cannot_be_read_is_told_with_its_place(record: Posting, kind: str, place: str) -> None:
    assert problem(record) == (kind, place)


def test_all_of_a_record_counts_when_asking_whether_it_changed() -> None:
    records = (posting(), posting(future=1), posting(future=2))
    hashes = {fingerprint(json.dumps(record).encode(), HISTORIC, HISTORIC.version) for record in records}
    assert len(hashes) == 3


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
SPECIAL = ["", " ", None, "1E5", "$1,0", "NaN", "2025-09-03T00:00:00Z", "0001-01-01", "9999-12-31", "Y", "1e400", 2**64]
VALUES = st.sampled_from(SPECIAL) | JSON_VALUES
ITEMS = st.dictionaries(
    st.sampled_from(["hiringPath", "series", "positionLocationCity", "positionLocationState"]), VALUES, max_size=3
)
NAMES = st.sampled_from([field.alias or name for name, field in HISTORIC.record_model.model_fields.items()])
LIST_NAMES = st.sampled_from(["hiringPaths", "jobcategories", "PositionLocations", "positionLocations"])
RECORDS = JSON_VALUES | st.builds(
    lambda number, fields, lists: posting(number, **{**fields, **lists}),
    st.integers(1, 9) | VALUES,
    st.dictionaries(NAMES, VALUES, max_size=4),
    st.dictionaries(LIST_NAMES, VALUES | st.lists(ITEMS, max_size=3), max_size=2),
)


@settings(max_examples=200)
@given(RECORDS)
def test_any_record_gives_rows_that_the_gate_can_judge_or_is_invalid(record: object) -> None:
    try:
        found = frame(record)
    except ValidationError:
        return
    problems, _ = gate.run_checks(found, HISTORIC.checks, HISTORIC.tables)
    assert set(problems) <= {0}


# Rules


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"positionTitle": " "}, "position_title_present"),
        ({"positionTitle": "x" * 501}, "position_title_length"),
        ({"minimumSalary": -0.01}, "minimum_salary_range"),
        ({"maximumSalary": -1}, "maximum_salary_range"),
        ({"minimumSalary": 2, "maximumSalary": 1}, "minimum_salary_not_above_maximum_salary"),
        (
            {"positionOpenDate": "2020-02-03", "positionCloseDate": "2020-02-02"},
            "position_open_date_not_above_position_close_date",
        ),
    ],
)
def test_a_record_that_fails_a_rule_is_rejected_and_its_neighbours_are_not(fields: Posting, rule: str) -> None:
    assert refused(posting(1), posting(2, **fields), posting(3)) == {1: [rule]}


@pytest.mark.parametrize(
    "fields",
    [
        {"positionTitle": "é" * 500},
        {"minimumSalary": 0, "maximumSalary": 0.0},
        {"minimumSalary": 5},
        {"maximumSalary": 5},
        {"positionOpenDate": "2020-02-03", "positionCloseDate": "2020-02-03"},
        {"positionOpenDate": "2020-02-03"},
    ],
)
def test_a_record_at_the_edge_of_a_rule_passes(fields: Posting) -> None:
    assert refused(posting(**fields)) == {}


def test_a_record_without_a_control_number_is_rejected_should_it_ever_come_so_far() -> None:
    without = frame(posting()).with_columns(control_number=pl.lit(None, pl.Int64))
    problems, _ = gate.run_checks(without, HISTORIC.checks, HISTORIC.tables)
    assert [problem.rule for problem in problems[0]] == ["control_number_present"]


def test_a_record_without_a_location_is_warned_about_and_passes() -> None:
    records = posting(1), posting(2, positionLocations=[]), posting(3, positionLocations=None)
    assert warned(*records) == {"historic_joa_location_present": 2}
    assert refused(*records) == {}


def test_records_with_the_same_number_are_warned_about_and_pass() -> None:
    records = posting(1), posting(2), posting("1")
    assert warned(*records) == {"key_unique": 2}
    assert refused(*records) == {}


def test_ordinary_records_raise_no_warning() -> None:
    assert warned(posting(1), posting(2)) == {}
