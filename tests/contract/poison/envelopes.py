"""The extractor's envelope, forged or wrong: it may come with any upload, and under the keys of a run."""

from hashlib import sha256

from tests.contract.poison.case import (
    BRONZE,
    GOOD,
    POISON,
    UPLOADS,
    Body,
    Case,
    DeadLetter,
    envelope,
    good,
    posting,
    written,
)

RUN = "20260101T000000Z-0123abcd"
DATES = (
    "yesterday",
    "",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "Fri, 31 Dec 9999 23:59:59 -2359",
    "Mon, 01 Jan 0100 00:00:00 +2359",
    "Mon, 32 Foo 2024 99:99:99 +9999",
    "Mon, 01 Jan 99999999999999999999 GMT",
    "Thu, 01 Jan 2026 00:00:00 " + "9" * 5_000,
    "\x00",
    "\ud800",
    5,
    None,
    ["Mon"],
    {"a": 1},
)
INGEST = {"run_id": RUN, "part": 1, "page": 1, "of": 1}
INGESTS: dict[str, dict[str, object]] = {
    "run id is a number": {"run_id": 5},
    "run id is a path": {"run_id": "../../x"},
    "run id holds NUL": {"run_id": f"{RUN}\0"},
    "run id holds a lone surrogate": {"run_id": "\ud800"},
    "run id is longer than an index takes": {"run_id": "".join(sha256(bytes([n])).hexdigest() for n in range(200))},
    "part is a text": {"part": "x"},
    "page is a list": {"page": [1]},
    "page is beyond an integer": {"page": 10**12},
    "page is negative": {"page": -1},
    "part has a page less than one": {"of": 0},
    "part has pages beyond an integer": {"of": 2**31},
    "part has nobody knows how many pages": {"of": None},
}


def _enveloped(**parts: object) -> Body:
    return lambda first: written(envelope([posting(first + POISON)], **parts))


def _dated(date: object) -> Body:
    def body(first: int) -> bytes:
        content = envelope([posting(first + POISON)])
        content["response"]["headers"] = {"DATE": date}
        return written(content)

    return body


def _with_headers(headers: object) -> Body:
    def body(first: int) -> bytes:
        content = envelope([posting(first + POISON)])
        content["response"]["headers"] = headers
        return written(content)

    return body


CASES = (
    *(
        Case(f"an envelope with the date {date!r:.40}", _dated(date), GOOD, key=f"{UPLOADS}poison/date {n}")
        for n, date in enumerate(DATES)
    ),
    Case("an envelope whose headers are a list", _with_headers(["Date"]), GOOD),
    Case("an envelope whose headers are a number", _with_headers(1), GOOD),
    Case("an envelope with two dates", _with_headers({"Date": "x", "date": "y"}), GOOD),
    Case("an uploaded envelope whose ingest is a text", _enveloped(ingest="none"), GOOD),
    Case(
        "an uploaded envelope whose ingest is rubbish", _enveloped(ingest={"run_id": [], "part": "x", "page": {}}), GOOD
    ),
    Case("an uploaded envelope that claims a run", _enveloped(ingest=INGEST), GOOD),
    Case(
        "a page of a run without an envelope",
        good,
        DeadLetter("not the envelope of a page or a replay", BRONZE),
        key=f"bronze/usajobs_search/date=2026-01-01/run={RUN}/bare.json",
    ),
    *(
        Case(
            f"a page of a run whose {what}",
            _enveloped(ingest=INGEST | ingest),
            DeadLetter("not the envelope of a page or a replay|not a run id", BRONZE),
            key=f"bronze/usajobs_search/date=2026-01-01/run={RUN}/{what}.json",
        )
        for what, ingest in INGESTS.items()
    ),
)
