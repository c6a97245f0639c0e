"""JSON documents: bare, in our envelope, strict and not quite, and how the formats are told apart."""

import bz2
import gzip
import io
import json
import lzma
import zlib
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.transformer import formats
from services.transformer.content import Content, Unreadable
from services.transformer.decompress import verified
from services.transformer.formats import document
from services.transformer.formats.cutting import cut
from services.transformer.input_limits import InputLimits
from services.transformer.transform import parse
from shared.datasets.contract.field_types import Text
from shared.datasets.contract.options import CsvOptions
from shared.datasets.contract.raw_model import RawModel
from shared.datasets.dataset import Dataset
from shared.errors import PermanentError

BOUNDS = InputLimits(stored=1 << 30, expanded=1 << 30, document=1 << 20, record=1_000, nesting=64)


class Thing(RawModel):
    """What the tests' files hold."""

    id: Text
    name: Text = None


THINGS = cast(
    "Dataset",
    SimpleNamespace(
        rescues=False,
        record_model=Thing,
        records_path=("data", "items"),
        count_path=("data", "count"),
        total_path=("data", "total"),
        content_key=("id",),
        csv=CsvOptions(),
    ),
)
LIST = cast(
    "Dataset",
    SimpleNamespace(
        rescues=False,
        record_model=Thing,
        records_path=(),
        count_path=(),
        total_path=(),
        content_key=("id",),
        csv=CsvOptions(),
    ),
)
PLACE = r"a list of records at data\.items"


def read(body: bytes | str, raw: Dataset = THINGS, bounds: InputLimits = BOUNDS) -> Content:
    """The content of an upload with these bytes."""
    return formats.read_upload(verified(stream(body), bounds.expanded), raw, bounds)


def read_page(body: bytes | str, raw: Dataset = THINGS) -> Content:
    """The content of a page of a run with these bytes."""
    return formats.read_page(stream(body), raw, BOUNDS)


def stream(body: bytes | str) -> "io.BufferedReader[Any]":
    """The bytes as S3 gives them."""
    return io.BufferedReader(io.BytesIO(body if isinstance(body, bytes) else body.encode()))


def records(body: bytes | str, raw: Dataset = THINGS) -> list[object]:
    """Its records, parsed."""
    return [parse(record, BOUNDS) for record in read(body, raw).records]


def payload(*items: object, **data: object) -> dict[str, Any]:
    """A document with these records."""
    return {"data": {"items": list(items), **data}}


def enveloped(**response: Any) -> str:
    """A page as the extractor stores it, with `response` changed."""
    answer = {"status": 200, "headers": {"date": "today"}, "payload": payload(1, 2), **response}
    return json.dumps({"request": {}, "response": answer, "ingest": {"page": 1}})


# Documents


@pytest.mark.parametrize("items", [[], [1], [{"id": 1}, None, [], "x", 1.5, True], [{"items": [{"data": 1}]}]])
def test_the_records_of_a_document_are_its_list_whatever_they_are(items: list[object]) -> None:
    assert records(json.dumps(payload(*items))) == items
    assert records(json.dumps({"data": {"more": [], "items": items}, "other": {}}, indent=1)) == items


def test_records_are_kept_as_text_byte_by_byte() -> None:
    body = b'{"data": {"items": [{ "id":1.10 }, "\\u00e9\xc3\xa9" ,{"big": 12345678901234567890123}]}}'
    found = list(read(body).records)
    assert found == [b'{ "id":1.10 }', '"\\u00e9é"'.encode(), b'{"big": 12345678901234567890123}']


@pytest.mark.parametrize(
    "body",
    [
        " \n{doc}\r\n\t",
        "\ufeff{doc}",
        "\ufeff  {doc}",
        " " * 300_000 + "{doc}",
        "\n" * 300_000 + "{doc}" + " " * 300_000,
    ],
    ids=["space around", "byte order mark", "byte order mark and space", "much space before", "much space around"],
)
def test_space_and_a_byte_order_mark_do_not_matter(body: str) -> None:
    assert records(body.replace("{doc}", json.dumps(payload({"id": 1})))) == [{"id": 1}]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param("", "the object is empty", id="nothing"),
        pytest.param(" \r\n\t", "the object is empty", id="space"),
        pytest.param("\ufeff", "the object is empty", id="a byte order mark alone"),
        pytest.param(" " * 600_000, "the object is empty", id="much space"),
        pytest.param('{"data": ', "not a JSON document", id="cut short"),
        pytest.param('{"data": {"items": [1, 2', "not a JSON document", id="cut short in the records"),
        pytest.param(json.dumps(payload(1)) + " and more", "not a JSON document", id="something behind it"),
        pytest.param(json.dumps(payload(1)) * 2, "not a JSON document", id="two in a line"),
        pytest.param("{'data': 1}", "not a JSON document", id="single quotes"),
        pytest.param('{"a":' * 5_000 + "1" + "}" * 5_000, PLACE, id="objects nested too deep"),
        pytest.param("[" * 200_000, "not a JSON document", id="lists nested too deep that never end"),
        pytest.param("{}", PLACE, id="an empty object"),
        pytest.param('{"data": null}', PLACE, id="null on the way"),
        pytest.param('{"data": [{"items": []}]}', PLACE, id="a list on the way"),
        pytest.param('{"data": {"items": {"0": {}}}}', PLACE, id="an object for the list"),
        pytest.param('{"data": {"items": null}}', PLACE, id="null for the list"),
        pytest.param('{"Data": {"Items": []}}', PLACE, id="names in capitals"),
    ],
)
def test_what_has_no_records_is_refused_with_the_reason(body: str, reason: str) -> None:
    with pytest.raises(PermanentError, match=reason):
        records(body)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_documents_as_windows_writes_them_are_read(encoding: str) -> None:
    assert records(json.dumps(payload({"id": "é"}), ensure_ascii=False).encode(encoding)) == [{"id": "é"}]


def test_a_document_larger_than_the_bound_is_refused_with_a_hint() -> None:
    body = json.dumps(payload("x" * (1 << 20)))
    with pytest.raises(PermanentError, match="a JSON document of more than 1048576 bytes; JSON lines may be longer"):
        read(body)


def test_a_dataset_s_documents_may_be_plain_lists() -> None:
    assert records('[{"id": 1}, 2]', LIST) == [{"id": 1}, 2]
    assert list(read_page(enveloped(payload=[1, 2]), LIST).records) == [b"1", b"2"]
    for other in ("{}", '{"data": []}', enveloped(payload=[1, 2])):
        with pytest.raises(PermanentError, match="a list of records at its top"):
            records(other, LIST)


@pytest.mark.parametrize(
    ("count", "announced"),
    [(2, 2), (0, 0), (500, 500), (-1, None), (2**31, None), ("2", None), (1.5, None), (None, None), ([], None)],
)
def test_the_number_of_records_that_a_document_says_it_has_is_taken_if_it_is_one(
    count: object, announced: int | None
) -> None:
    assert read(json.dumps(payload(1, 2, count=count))).expected_records == announced


# What is not quite JSON


@pytest.mark.parametrize("flaw", ['"\\ud800"', "NaN", "-Infinity", '{"a": [NaN]}'])
def test_a_flaw_in_one_record_leaves_its_neighbours_as_they_were(flaw: str) -> None:
    found = records(f'{{"data": {{"count": 3, "items": [{{"id": 1}}, {flaw}, {{"id": 3}}]}}}}')
    assert (found[0], len(found), found[2]) == ({"id": 1}, 3, {"id": 3})


def test_bytes_that_are_no_text_cost_only_the_record_they_are_in() -> None:
    found = list(read(b'{"data": {"items": [{"id": 1}, {"id": "\xff"}, {"id": 3}]}}').records)
    assert [getattr(parse(record, BOUNDS), "problem", None) is None for record in found] == [True, False, True]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(items=st.lists(JSON_VALUES, max_size=4), escaped=st.booleans(), page=st.booleans())
def test_a_document_cut_strictly_and_leniently_gives_the_same_records(
    *, items: list[object], escaped: bool, page: bool
) -> None:
    inner = payload(*items)
    body = json.dumps({"response": {"payload": inner}} if page else inner, ensure_ascii=escaped).encode()
    make_layout, read_document = (
        (document._page_layout, document.read_page) if page else (document._upload_layout, document.read_upload)
    )
    leniently = cut(body, make_layout(THINGS.records_path, THINGS.count_path, THINGS.total_path).wanted)
    found = (leniently["response"]["payload"] if page else leniently)["data"]["items"]
    assert found == list(read_document(body, THINGS).records)
    assert [parse(record, BOUNDS) for record in found] == items


@given(JSON_VALUES)
def test_any_json_is_read_or_refused(value: object) -> None:
    body = json.dumps(value).encode()
    assume(body.strip()[:1] in b"{[")
    with suppress(PermanentError):
        records(body)


@pytest.mark.parametrize(
    "flaw",
    [
        b'{"id": "a\tb"}', b'{"id": "a\nb"}', b'{"id": "\\q"}', b'{"id": "\\u12"}', b'{"id": tru}', b"{'id': 1}",
        b'{"id" 2}',
    ],
    ids=["a raw tab", "a raw line end", "a bad escape", "half an escape", "half a word", "single quotes", "no colon"],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["upload", "page", "replay"])
def test_what_is_no_json_costs_only_the_record_it_is_in(flaw: bytes, kind: str) -> None:
    items = b'[{"id": 1}, %s, {"id": 3}]' % flaw
    content = {
        "upload": lambda: read(b'{"data": {"items": %s, "count": 3}}' % items),
        "page": lambda: read_page(b'{"request": {}, "response": {"payload": {"data": {"items": %s}}}}' % items),
        "replay": lambda: formats.read_replay(stream(b'{"replay": {}, "records": %s}' % items), BOUNDS),
    }[kind]()
    assert [isinstance(parse(record, BOUNDS), Unreadable) for record in content.records] == [False, True, False]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('{"data": {"items": [1, 2', "it ends where a comma|it ends where ] should be at byte 24"),
        ('{"data": {"items": [1, 2]}} x', "more follows the document at byte 28"),
        ('{"data": {"items": [1 2]}}', r"no \] at byte 22"),
        ('{"data": {"items": [{"a": [}, 2]}}', "no another bracket|at byte 27"),
        ('{"data" {"items": []}}', "no : at byte 8"),
    ],
)
def test_where_a_document_itself_is_broken_the_byte_is_named(body: str, reason: str) -> None:
    with pytest.raises(PermanentError, match=reason):
        read(body)


# Nothing, and how it is said


@pytest.mark.parametrize("items", [{"items": None}, {}])
@pytest.mark.parametrize("zero", [{"count": 0}, {"total": 0}, {"count": 0, "total": 70}])
def test_a_list_that_is_null_or_absent_is_empty_where_the_number_of_records_is_zero(
    items: dict[str, Any], zero: dict[str, int]
) -> None:
    body = {"data": {**items, **zero}}
    assert list(read(json.dumps(body)).records) == []
    assert list(read_page(json.dumps({"response": {"payload": body}})).records) == []


@pytest.mark.parametrize("other", [{}, {"count": 1}, {"count": None}, {"count": "0"}])
def test_else_it_is_a_mistake(other: dict[str, Any]) -> None:
    with pytest.raises(PermanentError, match=PLACE):
        read(json.dumps({"data": {"items": None, **other}}))


# What means something only in what is ours


@pytest.mark.parametrize("name", ["response", "records", "replay", "ingest", "request", "payload"])
@pytest.mark.parametrize(
    "other",
    [0, "x", None, [], {}, [{"id": 9}], {"payload": None}, {"payload": [9]}, {"payload": {"data": {"items": [9]}}}],
)
def test_names_of_ours_beside_the_list_of_an_upload_mean_nothing(name: str, other: object) -> None:
    body = {name: other, **payload({"id": 1}, count=1)}
    content = read(json.dumps(body))
    assert list(content.records) == [b'{"id": 1}']
    assert (content.date, content.ingest, content.replay, content.expected_records) == (None, {}, {}, 1)
    assert records(json.dumps([{"id": 1, name: other}])) == [{"id": 1, name: other}]
    assert records(json.dumps({"id": 1, name: other})) == [{"id": 1, name: other}]


@pytest.mark.parametrize("tail", ["", "\n", "\n\n"])
def test_a_page_that_somebody_uploads_is_no_page(tail: str) -> None:
    """Its list is not where a document of the dataset has it, and its clock is not the source's."""
    for body in (enveloped(), json.dumps({"response": {"headers": {"Date": "today"}, "payload": [{"id": 1}]}})):
        for raw, place in ((THINGS, PLACE), (LIST, "a list of records at its top")):
            with pytest.raises(PermanentError, match=f"^a JSON document without {place}"):
                read(body + tail, raw)


def test_what_lies_where_pages_lie_is_a_page() -> None:
    for body in (json.dumps(payload(1)), "[]", '{"response": null}'):
        with pytest.raises(PermanentError, match="not the envelope of a page or a replay"):
            read_page(body)


@pytest.mark.parametrize("end", ["\n", "\r\n\r\n", " "])
@pytest.mark.parametrize("indent", [None, 1])
def test_how_an_answer_ends_does_not_matter(end: str, indent: int | None) -> None:
    answer = json.dumps(payload({"id": 1}, {"id": 2}), indent=indent)
    body = f'{{"request": {{}}, "response": {{"status": 200, "payload": {answer}{end}}}, "ingest": {{"page": 1}}}}'
    content = read_page(body)
    assert [parse(record, BOUNDS) for record in content.records] == [{"id": 1}, {"id": 2}]
    assert content.ingest == {"page": 1}


# Envelopes


def test_an_envelope_gives_its_records_date_and_page() -> None:
    found = read_page(enveloped())
    assert (found.date, found.ingest, found.replay) == ("today", {"page": 1}, {})
    assert list(found.records) == [b"1", b"2"]


@pytest.mark.parametrize("name", ["date", "Date", "DATE"])
def test_the_date_header_is_found_in_any_case(name: str) -> None:
    assert read_page(enveloped(headers={"etag": "x", name: "today"})).date == "today"


@pytest.mark.parametrize("headers", [None, {}, {"etag": "x"}, ["date"], "date", {"date": 5}, {"date": ["today"]}])
def test_an_envelope_without_a_date_has_none(headers: object) -> None:
    assert read_page(enveloped(headers=headers)).date is None


@pytest.mark.parametrize("ingest", [None, [], "page", 5])
def test_an_ingest_that_is_no_object_is_none(ingest: object) -> None:
    body = json.dumps({"response": {"payload": payload(1)}, "ingest": ingest})
    assert read_page(body).ingest == {}


def test_a_bare_document_has_neither_date_nor_page() -> None:
    found = read(json.dumps(payload(1)))
    assert (found.date, found.ingest, found.replay, found.expected_records) == (None, {}, {}, None)


def test_a_replay_gives_its_records_and_what_it_repeats() -> None:
    found = formats.read_replay(stream(json.dumps({"replay": {"indexes": [4]}, "records": [{"id": 1}]})), BOUNDS)
    assert (list(found.records), found.replay) == ([b'{"id": 1}'], {"indexes": [4]})


# Which format it is


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param('{"id": 1}\n{"id": 2}', [{"id": 1}, {"id": 2}], id="two objects in two lines"),
        pytest.param(json.dumps(payload(1), indent=2), [1], id="a document in many lines"),
        pytest.param(json.dumps(payload(1)) + "\n\n", [1], id="a document in one line"),
        pytest.param('{"id": 1}\n', [{"id": 1}], id="one object in one line"),
        pytest.param('{"id": 1}', [{"id": 1}], id="one object"),
        pytest.param('{\n "id": 1\n}\n', [{"id": 1}], id="one object in several lines"),
        pytest.param('[{"id": 1}, {"id": 2}]', [{"id": 1}, {"id": 2}], id="a list where the API nests it"),
        pytest.param('[\n {"id": 1},\n {"id": 2}\n]\n', [{"id": 1}, {"id": 2}], id="a list, a record a line"),
        pytest.param('\n\n{"id": 1}\n\n\n{"id": 2}\n', [{"id": 1}, {"id": 2}], id="lines with empty ones"),
        pytest.param('{"id": 1, "na\n{"id": 2}\n{"id": 3}\n', ["json", {"id": 2}, {"id": 3}], id="a bad first line"),
        pytest.param('null\n{"id": 2}\n{"id": 3}\n', [None, {"id": 2}, {"id": 3}], id="a first line that is null"),
        pytest.param('hello\n{"id": 2}\n', ["json", {"id": 2}], id="a first line that is a word"),
        pytest.param('[{"id": 1\n{"id": 2}\n', ["json", {"id": 2}], id="a first line that opens a list"),
        pytest.param(
            '{"id": 1\n}\n{"id": 2}\n{"id": 3}\n',
            ["json", "json", {"id": 2}, {"id": 3}],
            id="a first record in two lines",
        ),
        pytest.param("id,name\n1,one\n", [{"id": "1", "name": "one"}], id="a header and a row"),
        pytest.param("\ufeff\r\nid\r\n1", [{"id": "1"}], id="a byte order mark, an empty line, a header and a row"),
    ],
)
def test_a_format_is_told_by_how_it_begins(body: str, expected: list[object]) -> None:
    found = [parse(record, BOUNDS) for record in read(body).records]
    assert [one.problem.rule if isinstance(one, Unreadable) else one for one in found] == expected


def test_documents_one_after_another_are_refused_with_the_place_of_the_second() -> None:
    line = json.dumps(payload(1)) + "\n"
    for body in (line * 2, json.dumps(payload(1), indent=1) * 2):
        with pytest.raises(PermanentError, match=rf"more follows the document at byte {len(body) // 2}"):
            read(body)


@pytest.mark.parametrize("first", ['{"id": "%s"}', '{"id": "%s'])
def test_the_first_line_may_be_longer_than_a_record_may_be(first: str) -> None:
    found = outcomes_of((first % ("x" * 300_000)) + '\n{"id": 2}\n{"id": 3}\n')
    assert found == ["record_size", {"id": 2}, {"id": 3}]


def outcomes_of(body: str) -> list[object]:
    """Of each record its value, or the rule by which it is none."""
    found = [parse(record, BOUNDS) for record in read(body).records]
    return [one.problem.rule if isinstance(one, Unreadable) else one for one in found]


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (bz2.compress(b"id\n1\n"), "a bzip2 file"),
        (lzma.compress(b"id\n1\n"), "an xz file"),
        (zlib.compress(b"id\n1\n"), "a zlib stream"),
        (zlib.compress(b"id\n1\n", 9), "a zlib stream"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(20), "a 7z file"),
        (b"PARE" + bytes(20), "an encrypted Parquet file"),
        (b"ORC\n" + bytes(20), "an ORC file"),
        (gzip.compress(gzip.compress(b"id\n1\n")), "a gzip file in a compressed file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_smelt_does_not_read_is_called_by_its_name(body: bytes, what: str) -> None:
    with pytest.raises(PermanentError, match=f"^this is {what}.*; smelt reads CSV, JSON, JSON lines, Parquet, Excel"):
        read(body)


@pytest.mark.parametrize("header", ["ORC,id", "BZh,id", "Obj,id", "PARENT,id", "x\u0424,id", "xylophone,id"])
def test_a_header_is_not_taken_for_another_format(header: str) -> None:
    assert records(f"{header}\n1,2\n".encode()) == [{header.partition(",")[0]: "1", "id": "2"}]


@pytest.mark.parametrize("body", [b"Dear Sir or Madam,", b"\x00\x01\x02", b"<html>", b"null", b"42"])
def test_what_is_of_no_format_is_refused_as_such(body: bytes) -> None:
    with pytest.raises(PermanentError, match=r"^neither JSON nor Parquet, and as CSV it lacks the columns id"):
        records(body)


@given(st.binary(max_size=200), st.sampled_from([b"", b"{", b"[", b"id,name\n", b'{"id": 1}\n', b"\xef\xbb\xbf"]))
def test_no_bytes_raise_anything_but_a_refusal(body: bytes, begin: bytes) -> None:
    with suppress(PermanentError):
        records(begin + body)


@settings(max_examples=5)  # each starts a process
@given(st.binary(max_size=200))
def test_no_bytes_after_the_first_ones_of_parquet_raise_anything_but_a_refusal(body: bytes) -> None:
    with suppress(PermanentError):
        records(b"PAR1" + body)


def test_an_answer_that_says_it_has_nothing_has_no_records() -> None:
    body = json.dumps(
        {"response": {"status": 204, "headers": {"date": "today"}, "payload": None}, "ingest": {"page": 1}}
    )
    content = read_page(body)
    assert list(content.records) == []
    assert (content.date, content.ingest) == ("today", {"page": 1})


def test_json_lines_may_begin_with_a_very_long_one() -> None:
    lines = json.dumps({"id": "a" * (1 << 19)}) + "\n" + json.dumps({"id": 2}) + "\n"
    bounds = InputLimits(stored=1 << 30, expanded=1 << 30, document=1 << 20, record=1 << 20, nesting=64)
    assert len(list(read(lines, bounds=bounds).records)) == 2
