"""Texts of every kind in single records, and records of every size."""

from hashlib import sha256

from tests.contract.poison.case import NEIGHBOURS, POISON, Case, Quarantined, beside, posting, records, rows, verbatim
from tests.contract.poison.makers import nested, titled, with_detail, with_field, with_raw

MARKUP = "'; drop table silver.job; -- <script>alert(1)</script> {{7*7}} ${jndi:ldap://x} %s %(x)s"
TERMINAL = "\x1b[2J\x1b]0;owned\x07\x9b31m\r\b"
BIDI = (
    "\u202e\u05d8\u05e7\u05e1\u05d8 \u0639\u0631\u0628\u064a \u2066\U0001f469\u200d\U0001f469\u200d\U0001f467"
    " Z\u0338\u031b\u0317a\u0334l\u0337g\u0336o \ufeff\u200b\U0001d54amelter \U0010ffff"
)


def noise(characters: int) -> str:
    """Text that does not compress."""
    return "".join(sha256(str(n).encode()).hexdigest() for n in range(characters // 64 + 1))[:characters]


TEXTS = (
    records(
        "NUL in texts",
        "string_with_nul",
        titled("a\x00b"),
        titled("\x00"),
        with_field("ApplyURI", ["ok", "a\x00"]),
        with_detail("MajorDuties", ["\x00"]),
        with_field("JobGrade", [{"Code": "G\x00"}]),
    ),
    rows("NUL in names of fields", with_raw("a\x00b", 1), lambda number: posting(number, **{"x\x00": "\x00"})),
    records(
        "NUL in the name of the title",
        "position_title_present",
        with_raw("MatchedObjectDescriptor", {"PositionTitle\x00": "Smelter"}),
    ),
    records(
        "lone surrogates in texts",
        "string_unicode",
        titled("a\ud800b"),
        titled("\udfff"),
        with_field("ApplyURI", ["\udc80"]),
        with_detail("MajorDuties", ["\ud83d"]),
        with_field("JobGrade", [{"Code": "\ude00"}]),
    ),
    rows(
        "lone surrogates in names of fields",
        with_raw("\ud800", 1),
        lambda number: posting(number, **{"x\udfff": "\ud800"}),
        with_field("PositionLocation", [{"\ud800": 1}]),
    ),
    rows(
        "SQL and HTML and templates in texts",
        titled(MARKUP),
        with_field("OrganizationName", MARKUP),
        with_field("ApplyURI", [MARKUP]),
        titles={POISON: MARKUP},
    ),
    rows("escapes of terminals in texts", titled(f"a{TERMINAL}b"), titles={POISON: f"a{TERMINAL}b"}),
    rows("right to left, emoji and combining characters", titled(BIDI), titles={POISON: BIDI}),
    rows(
        "what COPY and arrays take for their own",
        titled("\\."),
        titled("\\N"),
        titled('a"b\nc\r\n,d'),
        titled("NULL"),
        with_field("ApplyURI", ['{"x"}', "\\", "NULL", '"', ","]),
        with_detail("MajorDuties", ["\\N", "\\.", "a\nb"]),
        titles={POISON: "\\.", POISON + 1: "\\N", POISON + 2: 'a"b\nc\r\n,d', POISON + 3: "NULL"},
    ),
    records("a title of 10,000 characters", "position_title_length", titled("x" * 10_000), titled("é" * 501)),
    records(
        "addresses that are not of the web",
        "position_uri_pattern",
        *(with_field("PositionURI", uri) for uri in ("javascript:alert(1)", "file:///etc/passwd", "//x", "http:/x")),
    ),
    rows(
        "texts of a megabyte",
        with_field("QualificationSummary", "x" * 1_000_000),
        with_detail("JobSummary", "\u20ac" * 333_333),
        with_detail("MajorDuties", [noise(1_000_000)]),
    ),
    records("an announcement number longer than an index takes", "position_id", with_field("PositionID", noise(9_000))),
)

SIZES = (
    rows("nested 60 levels deep", with_raw("Unknown", nested(60))),
    records(
        "nested deeper than the bound", "nesting", *(with_raw("Unknown", nested(levels)) for levels in (70, 300, 900))
    ),
    rows(
        "a posting with 100,000 locations",
        with_field("PositionLocation", verbatim("[" + ",".join(["{}"] * 100_000) + "]")),
    ),
    records("a record larger than the bound", "record_size", with_raw("Unknown", "x" * (4 << 20))),
    records("a posting with 100,000 wrong locations", "model_type", with_field("PositionLocation", [0] * 100_000)),
    rows("an object with 100,000 unknown fields", with_raw("Unknown", {str(n): n for n in range(100_000)})),
    Case(
        "a record nested 100,000 levels deep",
        beside(with_raw("Unknown", nested(100_000))),
        Quarantined({1: "json|nesting"}),
        neighbours=NEIGHBOURS,
    ),
)

CASES = (*TEXTS, *SIZES)
