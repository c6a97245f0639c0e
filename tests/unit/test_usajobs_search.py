"""From raw postings to rows: shape, normaliser, gate and hash, on small hand-made postings."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from services.transformer.fingerprint import fingerprint
from services.transformer.input_limits import InputLimits
from services.transformer.transform import TransformResult, transform
from shared.datasets import registry
from shared.formats.silver import CONTENT_HASH, RECORD_INDEX

Posting = dict[str, Any]
BOUNDS = InputLimits(stored=1 << 20, expanded=1 << 20, document=1 << 20, record=100_000, nesting=64)


def posting(number: object = "1", details: dict[str, Any] | None = None, **fields: Any) -> Posting:
    """A posting with just enough in it to be valid, and `fields` of its descriptor."""
    area = {"Details": details or {}, "IsRadialSearch": False}
    return {
        "MatchedObjectId": number,
        "MatchedObjectDescriptor": {"PositionTitle": "Engineer", **fields, "UserArea": area},
        "RelevanceRank": 0,
    }


def batch(*records: object) -> TransformResult:
    """What becomes of these records."""
    return transform("usajobs_search", [json.dumps(record).encode() for record in records], 0, BOUNDS)


def row(*records: object) -> dict[str, Any]:
    """The one row of records that are valid."""
    outcome = batch(*records)
    assert outcome.problems == {}
    rows: list[dict[str, Any]] = outcome.frame.to_dicts()
    assert len(rows) == 1
    return rows[0]


def detail(name: str, value: object, column: str) -> object:
    """What one detail becomes in `job_details`."""
    return row(posting(details={name: value}))["job_details"][0][column]


def refused(record: object) -> list[tuple[str, str]]:
    """The rules and fields for which one record is rejected."""
    outcome = batch(record)
    assert len(outcome.frame) == 0
    return [(problem.rule, problem.field) for problem in outcome.problems[0]]


def hashed(record: object) -> bytes:
    """The content hash that a valid record gets."""
    found: bytes = row(record)[CONTENT_HASH]
    return found


# Values as they really come


def test_the_number_is_the_key_and_the_position_s_id_is_not() -> None:
    one, other = batch(posting("7", PositionID="A-1"), posting(8, PositionID="A-1")).frame.to_dicts()
    assert (one["control_number"], other["control_number"]) == (7, 8)
    assert one["position_id"] == other["position_id"] == "A-1"


@pytest.mark.parametrize("spelling", ["PositionSensitivitiy", "PositionSensitivity"])
def test_position_sensitivity_is_read_in_both_spellings(spelling: str) -> None:
    assert detail(spelling, "High Risk", "position_sensitivity") == "High Risk"


@pytest.mark.parametrize("spelling", ["PreviewQuestionnaireurl", "PreviewQuestionnaireUrl"])
def test_the_questionnaire_s_address_is_read_in_both_spellings(spelling: str) -> None:
    assert detail(spelling, "https://a.test", "preview_questionnaire_url") == "https://a.test"


@pytest.mark.parametrize(
    ("value", "flag"),
    [
        *((text, True) for text in ("Yes", "Y", "y", "True", "true", "1", 1, True)),
        *((text, False) for text in ("No", "N", "n", "False", "false", "0", 0, False)),
        *((text, None) for text in (None, "", "  ")),
    ],
)
def test_flags_come_in_many_spellings(value: object, flag: bool | None) -> None:  # noqa: FBT001 - the value expected
    assert detail("TeleworkEligible", value, "telework_eligible") is flag


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        ("$120,000.00", "120000.00"),
        ("120000", "120000.00"),
        ("19.51", "19.51"),
        (19.51, "19.51"),
        (120000, "120000.00"),
        (" 5.5 ", "5.50"),
        ("999999999999.99", "999999999999.99"),
    ],
)
def test_money_comes_as_text_and_as_numbers(value: object, amount: str) -> None:
    found = row(posting(PositionRemuneration=[{"MinimumRange": value}]))["minimum_range"]
    assert found == Decimal(amount)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2025-09-03T12:30:01.1230000", datetime(2025, 9, 3, 12, 30, 1, 123_000)),  # noqa: DTZ001 - the API has no zone
        ("2025-09-03T12:30:01", datetime(2025, 9, 3, 12, 30, 1)),  # noqa: DTZ001
        ("2025-09-03", datetime(2025, 9, 3)),  # noqa: DTZ001
        ("", None),
        (None, None),
    ],
)
def test_dates_come_with_and_without_a_time(value: object, moment: datetime | None) -> None:
    assert row(posting(PositionStartDate=value))["position_start_date"] == moment


@pytest.mark.parametrize(("value", "degrees"), [("38.8895", 38.8895), (-77.0365, -77.0365), (90, 90.0)])
def test_coordinates_come_as_text_and_as_numbers(value: object, degrees: float) -> None:
    assert row(posting(PositionLocation=[{"Latitude": value}]))["job_location"][0]["latitude"] == degrees


@pytest.mark.parametrize(("value", "number"), [("25", 25), (25, 25), ("0", 0), (-(2**31), -(2**31))])
def test_whole_numbers_come_as_text_and_as_numbers(value: object, number: int) -> None:
    assert detail("CommuteDistance", value, "commute_distance") == number


# pydantic applies a Field's constraints to the None that the BeforeValidator gave. They belong inside the `| None`.
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_number_that_is_blank_or_null_is_none(value: str | None) -> None:
    assert row(posting(PositionLocation=[{"Latitude": value}]))["job_location"][0]["latitude"] is None
    assert row(posting(PositionRemuneration=[{"MinimumRange": value}]))["minimum_range"] is None
    assert detail("CommuteDistance", value, "commute_distance") is None


@pytest.mark.parametrize(("value", "text"), [("  a b\n", "a b"), ("", None), (" \t", None), (None, None), (12, "12")])
def test_text_is_trimmed_and_blank_text_is_none(value: object, text: str | None) -> None:
    assert row(posting(SubAgency=value))["sub_agency"] == text
    assert detail("TotalOpenings", value, "total_openings") == text


def test_blank_entries_of_a_list_of_texts_are_left_out() -> None:
    assert row(posting(ApplyURI=["https://a.test", "", " ", None]))["apply_uri"] == ["https://a.test"]
    assert detail("MCOTags", [" one ", ""], "mco_tags") == ["one"]


# Lists


def test_repeated_locations_are_kept_in_the_order_of_the_source() -> None:
    boston, austin = {"CityName": "Boston"}, {"CityName": "Austin"}
    locations = row(posting(PositionLocation=[boston, austin, boston]))["job_location"]
    assert [(place["ordinal"], place["city_name"]) for place in locations] == [
        (1, "Boston"),
        (2, "Austin"),
        (3, "Boston"),
    ]


def test_the_first_pay_is_the_job_s_and_all_are_kept() -> None:
    yearly = {"MinimumRange": "80000", "MaximumRange": "90000.5", "RateIntervalCode": "PA", "Description": "Per Year"}
    hourly = {"MinimumRange": "40", "MaximumRange": "45", "RateIntervalCode": "PH"}
    job = row(posting(PositionRemuneration=[yearly, hourly]))
    first = (Decimal("80000.00"), Decimal("90000.50"), "PA")
    assert (job["minimum_range"], job["maximum_range"], job["rate_interval_code"]) == first
    assert [tuple(pay.values()) for pay in job["job_remuneration"]] == [
        (1, *first, "Per Year"),
        (2, Decimal("40.00"), Decimal("45.00"), "PH", None),
    ]


def test_every_list_has_its_table() -> None:
    coded = [{"Code": "0801", "Name": " General Engineering "}]
    job = row(
        posting(
            JobCategory=coded,
            JobGrade=[{"Code": "GS"}],
            PositionSchedule=coded,
            PositionOfferingType=coded,
            PositionFormattedDescription=[{"Label": "Pay", "LabelDescription": "See below"}],
        )
    )
    expected = [{"ordinal": 1, "code": "0801", "name": "General Engineering"}]
    assert job["job_category"] == job["job_schedule"] == job["job_offering_type"] == expected
    assert job["job_grade"] == [{"ordinal": 1, "code": "GS"}]
    assert job["job_formatted_description"] == [{"ordinal": 1, "label": "Pay", "label_description": "See below"}]


def test_who_may_apply_is_taken_apart() -> None:
    who = {"Code": "15514", "Name": ""}
    found = row(posting(details={"WhoMayApply": who}))["job_details"][0]
    assert (found["who_may_apply_code"], found["who_may_apply_name"]) == ("15514", None)


def test_what_is_optional_may_be_missing() -> None:
    job = row({"MatchedObjectId": "1", "MatchedObjectDescriptor": {"PositionTitle": "Engineer"}})
    assert (job["minimum_range"], job["position_uri"], job["apply_uri"]) == (None, None, [])
    assert (job["job_location"], job["job_remuneration"], len(job["job_details"])) == ([], [], 1)


def test_unknown_fields_do_not_stop_a_record() -> None:
    assert row({**posting(details={"Future": 1}, More=[{}]), "Other": None})["control_number"] == 1


# Rules


@pytest.mark.parametrize(
    ("record", "rule", "field"),
    [
        (posting(PositionTitle=" "), "position_title_present", "job.position_title"),
        (posting(PositionTitle="x" * 501), "position_title_length", "job.position_title"),
        (posting(PositionURI="ftp://a.test"), "position_uri_pattern", "job.position_uri"),
        (
            posting(PositionRemuneration=[{}, {"MinimumRange": "-0.01"}]),
            "minimum_range_range",
            "job_remuneration.minimum_range",
        ),
        (
            posting(PositionRemuneration=[{}, {"MaximumRange": "-1"}]),
            "maximum_range_range",
            "job_remuneration.maximum_range",
        ),
        (
            posting(PositionRemuneration=[{}, {"MinimumRange": "2", "MaximumRange": "1"}]),
            "minimum_range_not_above_maximum_range",
            "job_remuneration",
        ),
        (
            posting(PublicationStartDate="2025-09-04", ApplicationCloseDate="2025-09-03"),
            "publication_start_date_not_above_application_close_date",
            "job",
        ),
        (posting(PositionLocation=[{}, {"Latitude": 90.1}]), "latitude_range", "job_location.latitude"),
        (posting(PositionLocation=[{"Latitude": -90.1}]), "latitude_range", "job_location.latitude"),
        (posting(PositionLocation=[{"Longitude": 180.1}]), "longitude_range", "job_location.longitude"),
        (posting(PositionLocation=[{"Longitude": -180.1}]), "longitude_range", "job_location.longitude"),
        (posting("0"), "control_number_range", "job.control_number"),
        (posting("x"), "int_parsing", "MatchedObjectId"),
        (posting(2**63), "less_than", "MatchedObjectId"),
        ({"MatchedObjectId": 1}, "position_title_present", "job.position_title"),
        (posting(SubAgency="a\x00b"), "string_with_nul", "MatchedObjectDescriptor.SubAgency"),
        (posting(SubAgency="\ud800"), "string_unicode", "MatchedObjectDescriptor.SubAgency"),
        (
            posting(details={"CommuteDistance": 2**31}),
            "less_than",
            "MatchedObjectDescriptor.UserArea.Details.CommuteDistance",
        ),
        (
            posting(PositionLocation=[{}, {"Latitude": float("nan")}]),
            "not_finite",
            "MatchedObjectDescriptor.PositionLocation.1.Latitude",
        ),
        (
            posting(PositionRemuneration=[{"MinimumRange": "1.005"}]),
            "decimal_max_places",
            "MatchedObjectDescriptor.PositionRemuneration.0.MinimumRange",
        ),
    ],
)
def test_a_record_that_fails_a_rule_is_rejected_with_the_rule_and_the_field(
    record: Posting, rule: str, field: str
) -> None:
    assert refused(record) == [(rule, field)]


@pytest.mark.parametrize(
    "record",
    [
        posting(PositionTitle="é" * 500),
        posting(PositionURI="http://a.test"),
        posting(PositionRemuneration=[{"MinimumRange": "0", "MaximumRange": "0"}]),
        posting(PositionRemuneration=[{"MinimumRange": "5"}]),
        posting(PublicationStartDate="2025-09-03", ApplicationCloseDate="2025-09-03"),
        posting(PositionLocation=[{"Latitude": 90, "Longitude": -180}]),
        posting(2**63 - 1),
    ],
)
def test_a_record_at_the_edge_of_a_rule_passes(record: Posting) -> None:
    assert row(record)


def test_all_rules_that_a_record_fails_are_told() -> None:
    both = posting(PositionTitle="", PositionURI="x", PositionLocation=[{"Latitude": 91}, {"Latitude": 92}])
    rules = [rule for rule, _ in refused(both)]
    assert rules == ["position_title_present", "position_uri_pattern", "latitude_range"]


def test_wrong_pay_is_told_of_the_job_and_of_its_list() -> None:
    assert refused(posting(PositionRemuneration=[{"MinimumRange": "-1"}])) == [
        ("minimum_range_range", "job.minimum_range"),
        ("minimum_range_range", "job_remuneration.minimum_range"),
    ]


def warned(*records: object) -> dict[str, int]:
    """{rule: records} of what is loaded with a warning."""
    outcome = batch(*records)
    assert len(outcome.frame) == len(records)
    return {warning.rule: warning.records for warning in outcome.warnings}


def test_an_ordinary_posting_raises_no_warning() -> None:
    assert warned(posting(PositionLocation=[{}], PositionRemuneration=[{"RateIntervalCode": "PA"}])) == {}


def test_what_only_warns_is_counted_and_loaded() -> None:
    placed: dict[str, Any] = {"PositionLocation": [{}]}
    strange = [{"RateIntervalCode": "XX"}, {"RateIntervalCode": "YY"}, {"RateIntervalCode": "PH"}]
    assert warned(posting(1), posting(2), posting(3, **placed)) == {"job_location_present": 2}
    assert warned(posting(1, **placed), posting(1, **placed), posting(2, **placed)) == {"key_unique": 2}
    assert warned(posting(1, **placed, PositionRemuneration=strange)) == {"rate_interval_code_known": 1}


@pytest.mark.parametrize(
    "bad", [None, 5, "x", [], {}, posting("x"), posting(PositionTitle=""), posting(SubAgency="\x00")]
)
def test_a_bad_record_never_touches_its_neighbours(bad: object) -> None:
    outcome = batch(posting("1"), bad, posting("3"))
    assert outcome.frame[RECORD_INDEX].to_list() == [0, 2]
    assert set(outcome.problems) == {1}


# The content hash


@pytest.mark.parametrize("rank", [1, "99", None])
def test_the_hash_leaves_out_how_a_posting_was_found(rank: object) -> None:
    found_otherwise = {**posting(), "RelevanceRank": rank}
    found_otherwise["MatchedObjectDescriptor"]["UserArea"]["IsRadialSearch"] = True
    assert hashed(found_otherwise) == hashed(posting())


def test_the_hash_does_not_depend_on_the_order_of_fields() -> None:
    descriptor = posting(SubAgency="a", PositionID="b")["MatchedObjectDescriptor"]
    turned = {"MatchedObjectDescriptor": dict(reversed(descriptor.items())), "MatchedObjectId": "1"}
    assert hashed(turned) == hashed(posting(SubAgency="a", PositionID="b"))


@pytest.mark.parametrize(
    "changed",
    [
        posting("2"),
        posting(1),
        posting(SubAgency="b"),
        posting(SubAgency=""),
        posting(Future="x"),
        posting(details={"Future": "x"}),
        posting(PositionLocation=[{"CityName": "A"}]),
        {**posting(), "Other": 1},
        {**posting(), "Other": "\ud800"},
    ],
)
def test_any_other_change_changes_the_hash(changed: Posting) -> None:
    assert hashed(changed) != hashed(posting())


def test_the_order_within_a_list_counts() -> None:
    places = [{"CityName": "A"}, {"CityName": "B"}]
    assert hashed(posting(PositionLocation=places)) != hashed(posting(PositionLocation=places[::-1]))


def test_the_same_content_under_another_transform_has_another_hash() -> None:
    text, raw = json.dumps(posting()).encode(), registry.dataset("usajobs_search")
    assert fingerprint(text, raw, raw.version) == ("1", hashed(posting()))
    assert fingerprint(text, raw, raw.version + 1) != ("1", hashed(posting()))
