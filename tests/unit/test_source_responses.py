"""An answer's text in UTF-8, and what makes it a page."""

import json

import pytest

from services.extractor import responses
from services.extractor.fetch import Response
from shared.datasets import registry
from shared.datasets.source import NO_COUNTS, UnexpectedAnswerError

SOURCE = registry.dataset("usajobs_codes").source
TEXT = '{"CodeList": [{"id": "é😀"}]}'
JSON = "application/json"


def answer(body: bytes, content_type: str = JSON, status: int = 200) -> Response:
    return Response(status, {"content-type": content_type}, body)


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"],
)
def test_unicode_is_told_by_its_bytes_whatever_is_declared(encoding: str) -> None:
    for declared in (JSON, "", f"{JSON}; charset=utf-8", f"{JSON}; charset=utf-16", f"{JSON};charset=nonsense"):
        assert responses.json_text(answer(TEXT.encode(encoding), declared)) == TEXT.encode()


@pytest.mark.parametrize("declared", ["charset=ISO-8859-1", 'Charset = "latin-1"', "charset=windows-1252; x=y"])
def test_anything_else_is_read_as_declared(declared: str) -> None:
    assert responses.json_text(answer('{"a": "é"}'.encode("latin-1"), f"{JSON}; {declared}")) == '{"a": "é"}'.encode()


@pytest.mark.parametrize("charset", ["zlib", "hex", "rot13", "undefined", "x" * 500, "utf-16-le"])
def test_a_charset_that_is_none_of_text_is_utf_8(charset: str) -> None:
    assert responses.json_text(answer(TEXT.encode(), f"{JSON}; charset={charset}")) == TEXT.encode()


@pytest.mark.parametrize("round_it", ["{}\n", "\r\n{}\r\n\r\n", " \t{}", "{}\n\n\n"])
def test_white_space_round_it_is_left_out(round_it: str) -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        text = responses.json_text(answer(round_it.format(TEXT).encode(encoding)))
        assert text == TEXT.encode()


def test_what_is_inside_is_left_alone() -> None:
    body = b'{ "a" : NaN,\n "b": "\t", "c": "\\q" }'
    assert responses.json_text(answer(body)) == body


def test_half_of_a_surrogate_pair_comes_through() -> None:
    body = '{"CodeList": [{"id": "\ud800"}]}'.encode("utf-16", "surrogatepass")
    page = responses.page(SOURCE, answer(body))
    assert page.payload == {"CodeList": [{"id": "\ud800"}]}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not JSON"),
        (b"<html>maintenance</html>", "not JSON"),
        (b'{"CodeList": [', "not JSON"),
        (b'{"CodeList": []} {"CodeList": []}', "not JSON"),
        (b"[" * 100_000, "not JSON: nested too deep"),
        (b'{"a": "\xff"}', "not JSON"),
        (b"\xff\xfe{", "not text in utf-16"),
        (b'{"Message": "An error has occurred."}', "no list of records at CodeList"),
        (b'{"CodeList": null}', "no list of records at CodeList"),
        (b"null", "null, with status 200"),
        ("null".encode("utf-16"), "null, with status 200"),
    ],
)
def test_what_is_no_page_says_why(body: bytes, why: str) -> None:
    with pytest.raises(UnexpectedAnswerError, match=why):
        responses.page(SOURCE, answer(body))


@pytest.mark.parametrize(("status", "body"), [(204, b""), (200, b"204 No Content\n")])
def test_an_answer_without_content_is_a_page_without_records(status: int, body: bytes) -> None:
    page = responses.page(SOURCE, answer(body, status=status))
    assert (page.status, page.text, page.payload, page.counts) == (204, b"null", None, NO_COUNTS)


def test_a_page_knows_its_records() -> None:
    page = responses.page(SOURCE, answer(TEXT.encode()))
    assert page.counts.records == 1
    assert page.payload == json.loads(TEXT)
