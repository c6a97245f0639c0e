"""The extractor's envelope, forged or wrong, under the keys of a run; and as an upload, where it is none."""

from hashlib import sha256

from tests.contract.poison.case import (
    BRONZE,
    GOOD,
    POISON,
    Body,
    Case,
    DeadLetter,
    Ending,
    envelope,
    good,
    posting,
    written,
)

RUN = "20260101T000000Z-0123abcd"
PAGES = f"bronze/usajobs_search/date=2026-01-01/run={RUN}/"
REFUSED = DeadLetter("not the envelope of a page or a replay", BRONZE)
NO_PLACE = DeadLetter(f"{REFUSED.reason}: ingest|not a run id", BRONZE)
NO_LIST = DeadLetter("a JSON document without a list of records at SearchResult.SearchResultItems")
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


def _with_headers(headers: object) -> Body:
    def body(first: int) -> bytes:
        content = envelope([posting(first + POISON)], ingest=INGEST)
        content["response"]["headers"] = headers
        return written(content)

    return body


def _round(payload: object) -> Body:
    return lambda _: written({"response": {"status": 200, "payload": payload}, "ingest": INGEST})


def _page(name: str, body: Body, ends: Ending) -> Case:
    return Case(f"a page of a run {name}", body, ends, key=f"{PAGES}{name}.json")


CASES = (
    *(
        Case(f"a page of a run with the date {date!r:.40}", _with_headers({"DATE": date}), GOOD, key=f"{PAGES}date {n}")
        for n, date in enumerate(DATES)
    ),
    _page("whose headers are a list", _with_headers(["Date"]), GOOD),
    _page("whose headers are a number", _with_headers(1), GOOD),
    _page("with two dates", _with_headers({"Date": "x", "date": "y"}), GOOD),
    _page("without an envelope", good, REFUSED),
    _page("that does not say which", _enveloped(), REFUSED),
    _page("whose ingest is a text", _enveloped(ingest="none"), REFUSED),
    *(_page(f"whose {what}", _enveloped(ingest=INGEST | ingest), NO_PLACE) for what, ingest in INGESTS.items()),
    _page("round nothing", _round(None), DeadLetter(NO_LIST.reason, BRONZE)),
    _page("round an envelope", _round(envelope([])), DeadLetter(NO_LIST.reason, BRONZE)),
    Case("an uploaded envelope", _enveloped(), NO_LIST),
    Case("an uploaded envelope that claims a run", _enveloped(ingest=INGEST), NO_LIST),
    Case("an uploaded envelope with a date", _with_headers({"Date": "Mon, 05 Jan 2026 00:00:00 GMT"}), NO_LIST),
)
