"""Single records among good ones: identities, dates, money, places, flags."""

from functools import partial

from tests.contract.poison.case import (
    NEIGHBOURS,
    POISON,
    Case,
    Lands,
    posting,
    records,
    response,
    rows,
    verbatim,
    written,
)
from tests.contract.poison.makers import (
    identified,
    just,
    paid,
    placed,
    titled,
    with_detail,
    with_field,
    with_raw,
    without,
)

HUGE = verbatim("9" * 5_000)  # more digits than Python converts
TIMES_PAST_THE_CALENDAR = ("9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00+23:00")


def _same_twice(first: int) -> bytes:
    same = posting(first + POISON, "Same")
    changed = [posting(first + POISON + 1, title) for title in ("Early", "Late")]
    return written(response(posting(first + 1), same, same, *changed, posting(first + 2)))


IDENTITIES = (
    records(
        "ids that are no whole numbers",
        "int_|control_number_present",
        *map(identified, ("abc", "", 5.5, "0x10", "1e5", "٣", [1], {}, None, [])),
    ),
    records(
        "ids that are out of range",
        "control_number_range|greater_than_equal|less_than|int_parsing_size",
        *map(identified, (0, -1, "-7", 2**63, 10**30, 10**400)),
    ),
    records(
        "ids that are not finite",
        "finite",
        *map(identified, (verbatim("NaN"), verbatim("Infinity"), verbatim("-1e400"))),
    ),
    records("ids that are booleans", "int_|bool", *map(identified, (True, False))),
    records("ids with underscores", "int_", *map(identified, ("1_000", "1_0_0"))),
    records("an id of 5,000 digits", "not_finite", identified(HUGE)),
    records(
        "records that are no objects",
        "model_type|not_finite",
        *map(just, (None, 1, 1.5, "x", True, [], [[]], verbatim("NaN"))),
    ),
    records(
        "records without their keys",
        "missing|control_number_present|position_title_present",
        lambda _: {},
        without("MatchedObjectId"),
        without("MatchedObjectDescriptor"),
        lambda number: {"matchedobjectid": number},
    ),
    records(
        "records of nulls",
        "control_number_present|position_title_present|model_type",
        lambda _: {"MatchedObjectId": None, "MatchedObjectDescriptor": None},
        with_raw("MatchedObjectDescriptor", None),
        with_raw("MatchedObjectDescriptor", []),
        with_raw("MatchedObjectDescriptor", "x"),
    ),
    records(
        "postings without a title",
        "position_title_present",
        *map(titled, (None, "", " \t", "\u00a0\u2003")),
        with_raw("MatchedObjectDescriptor", {}),
    ),
    Case(
        "the same posting twice on a page",
        _same_twice,
        Lands({POISON: "Same", POISON + 1: "Late"}),
        neighbours=NEIGHBOURS,
    ),
    Case(
        "a key twice in an object",
        lambda first: written(response(posting(verbatim(f'1, "MatchedObjectId": {first + POISON}')))),
        Lands({POISON: "Smelter"}),
    ),
)

VALUES = (
    records(
        "dates that are none",
        "datetime_|not_finite|string_with_nul",
        *(
            with_field("PositionEndDate", date)
            for date in (
                "2025-13-45",
                "0000-00-00",
                "10000-01-01",
                "2025-02-30",
                "soon",
                "01/02/2025",
                "2025-01-01T24:00:00",
                "-1-01-01",
                verbatim("NaN"),
                10**400,
                "\x00",
            )
        ),
    ),
    records(
        "numbers where dates are expected",
        "datetime_|date",
        *(with_field("PositionStartDate", date) for date in (0, 20250101, "20250101", -1, 1.5, "1735689600")),
    ),
    *(
        records(
            f"a date that its time zone moves past the calendar, {date}",
            "datetime|date|value_error",
            with_field("PositionStartDate", date),
        )
        for date in TIMES_PAST_THE_CALENDAR
    ),
    records(
        "an end before its beginning",
        "publication_start_date_not_above",
        lambda number: posting(number, PublicationStartDate="2026-02-02", ApplicationCloseDate="2026-02-01"),
    ),
    rows(
        "dates at the ends of the calendar",
        *(
            with_field("PositionEndDate", date)
            for date in (
                "9999-12-31",
                "0001-01-01",
                "9999-12-31T23:59:59.999999",
                "2024-02-29",
                "",
                "  ",
                None,
                "2025-01-01T00:00:00.0000000",
                "2025-01-01T00:00:00Z",
                "2025-01-01T00:00:00+05:45",
            )
        ),
    ),
    records(
        "money that is none",
        "decimal_|finite",
        *map(
            paid,
            (
                "free",
                "1 000",
                "12.345",
                1e20,
                1e-7,
                True,
                verbatim("NaN"),
                "NaN",
                "inf",
                verbatim("1e400"),
                10**400,
                "--5",
            ),
        ),
    ),
    records(
        "money with commas in the wrong places", "decimal_|value_error", *map(paid, ("$1,2,3", "1,50", "1_000", ",5"))
    ),
    records("negative pay", "minimum_range_range", *map(paid, (-5, "$-5", "-0.01"))),
    records("least pay above most pay", "minimum_range_not_above", paid(2, 1), paid("100,000", "99,999.99")),
    rows(
        "money as people write it", *map(paid, ("$1,234.50", "1,234,567", "0", " ", "$", "1e2", "-0", 999999999999.99))
    ),
    records(
        "places that are not on Earth",
        "latitude_range|longitude_range",
        placed(91),
        placed(-90.001),
        placed(0, 181),
        placed("1e300"),
    ),
    records(
        "coordinates in words",
        "float_|finite",
        *map(placed, ("N 41", "41° 52'", "41,9", [], {}, verbatim("NaN"), "nan", verbatim("Infinity"), 10**400)),
    ),
    records("coordinates that are booleans", "float_|bool", *map(placed, (True, False))),
    records(
        "flags that are neither",
        "bool_|not_finite",
        *map(partial(with_detail, "Relocation"), ("maybe", 2, "2", [], verbatim("NaN"), 10**400)),
    ),
    records(
        "distances that are no whole numbers",
        "int_|less_than|greater|finite",
        *map(
            partial(with_detail, "CommuteDistance"),
            ("x", 1.5, 2**31, -(2**31) - 1, 10**400, verbatim("NaN"), []),
        ),
    ),
    records("a distance that is a boolean", "int_|bool", with_detail("CommuteDistance", value=True)),
    records(
        "numbers that are none where text is expected",
        "not_finite",
        *(with_field("OrganizationName", verbatim(text)) for text in ("NaN", "Infinity", "-Infinity", "1e400")),
    ),
    records("a number of 5,000 digits where text is expected", "not_finite", titled(HUGE)),
    rows(
        "not a number where nobody looks",
        with_raw("Unknown", verbatim("NaN")),
        with_raw("Unknown", [verbatim("-Infinity"), verbatim("1e400")]),
    ),
    rows("a number of 5,000 digits where nobody looks", with_raw("Unknown", HUGE)),
    rows(
        "numbers where text is expected",
        titled(5),
        titled(1.5),
        titled(10**30),
        titles={POISON: "5", POISON + 1: "1.5"},
    ),
)

CASES = (*IDENTITIES, *VALUES)
