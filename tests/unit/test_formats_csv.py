"""CSV as it really comes: headers of every kind, and quotes that are out of place."""

import json
import re

import pytest

from services.transformer.content import Unreadable
from shared.errors import PermanentError
from tests.unit.test_formats import BOUNDS, read

Outcome = tuple[str, str] | str


def outcomes(body: bytes | str) -> list[Outcome]:
    """Of each record its id and name, or where its line or lines stand in the file."""
    return [_outcome(record) for record in read(body).records]


def _outcome(record: bytes | Unreadable) -> Outcome:
    if isinstance(record, Unreadable):
        return record.problem.message.partition(":")[0]
    return tuple(json.loads(record)[name] for name in ("id", "name"))


def entries(body: bytes | str) -> list[Unreadable]:
    """What is in no row."""
    return [record for record in read(body).records if isinstance(record, Unreadable)]


ONE, TWO = ("1", "one"), ("2", "two")

# Headers


@pytest.mark.parametrize(
    "body",
    [
        "id;name\n1;one\n2;two\n",
        "id\tname\n1\tone\n2\ttwo\n",
        "id|name\n1|one\n2|two\n",
        "sep=;\r\nid;name\r\n1;one\r\n2;two\r\n",
        '"sep=;"\r\nid;name\r\n1;one\r\n2;two\r\n',
        "ID,Name\n1,one\n2,two\n",
        " id , name \n1,one\n2,two\n",
        "id\u00a0,\u200bname\n1,one\n2,two\n",
        "\ufeff\ufeffid,name\n1,one\n2,two\n",
        "Report of May,\n,\n\nid,name\n1,one\n2,two\n",
        "\n\n\nid,name\n1,one\n2,two\n",
        '"id","name"\n1,one\n2,two\n',
        "name,id\none,1\ntwo,2\n",
        "\tid\tname\n0\t1\tone\n1\t2\ttwo\n",
        "id,name,\n1,one,\n2,two,\n",
    ],
    ids=[
        "semicolons", "tabs", "bars", "a line for Excel", "the same in quotes", "capitals", "blanks",
        "invisible characters", "two byte order marks", "titles above", "empty lines above", "quotes", "another order",
        "a column without a name first", "a column without a name last",
    ],
)  # fmt: skip
def test_a_header_is_recognised_by_the_columns_of_the_key(body: str) -> None:
    assert outcomes(body) == [ONE, TWO]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_csv_may_be_of_any_encoding_of_unicode(encoding: str) -> None:
    assert outcomes("id\tname\n1\téé\n".encode(encoding)) == [("1", "éé")]


def test_what_is_cut_in_the_middle_of_a_character_costs_its_own_line() -> None:
    body = "id,name\n1,one\n2,two".encode("utf-16")[:-1]
    assert outcomes(body) == [ONE, "line 3"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("id,name,name\n1,one,uno\n", r"more than one column name: 'id,name,name'"),
        ("id,name,NAME\n1,one,uno\n", r"more than one column name: 'id,name,NAME'"),
        ("id,name, name \n1,one,uno\n", r"more than one column name: 'id,name, name '"),
        ("key,name\n1,one\n", r"as CSV it lacks the columns id; its first line is 'key,name'$"),
        ("1,one\n2,two\n", r"as CSV it lacks the columns id; its first line is '1,one'$"),
        (b"\xff\xfa\x00,name\n1,one\n", r"as CSV it lacks the columns id; its first line is "),
    ],
)
def test_a_header_that_is_not_clear_is_refused_and_shown(body: bytes | str, message: str) -> None:
    with pytest.raises(PermanentError, match=message):
        read(body)


def test_a_header_with_two_readings_is_refused() -> None:
    with pytest.raises(PermanentError, match="can be read in several ways: 'id,a;id'"):
        read("id,a;id\n1,2;3\n")


# Rows


def test_an_entry_has_the_text_of_its_lines_and_says_where_they_are() -> None:
    (entry,) = entries(b'id,name\n1,one\n2,"see list:\ncaf\xe9\n9,phantom\nend"\n3,three\n')
    assert entry.problem.message == "lines 3 to 6: not UTF-8"
    assert entry.text == b'2,"see list:\ncaf\xe9\n9,phantom\nend"'


def test_lines_are_counted_from_the_beginning_of_the_file() -> None:
    assert outcomes("\n \nA title\nid,name\n\n1,one\n2\n") == [ONE, "line 7"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(
            ["1,one", '2,"screen 5 inch', "3,three", "4,four"],
            [ONE, "line 3", "line 4", "line 5"],
            id="a quote that nothing closes: the other lines may be text of a file cut short",
        ),
        pytest.param(
            ['2,"he said "hi" and listed', "98,phantom", 'end"', "3,three"],
            ["line 2", "line 3", "line 4", ("3", "three")],
            id="a quote that is not doubled: the field goes on",
        ),
        pytest.param(
            ['2,"he said "hi" and listed', '98,"phantom"', 'end"', "3,three"],
            ["line 2", "line 3", "line 4", ("3", "three")],
            id="the same with quotes further on",
        ),
        pytest.param(
            ['2,"listed:', "98,phantom", 'he said "hi" and', 'end"', "3,three"],
            ["line 2", "line 3", "line 4", "line 5", ("3", "three")],
            id="a quote that is not doubled further on",
        ),
        pytest.param(
            ['2,"listed:', "98,phantom", "end", '3,"three"', "4,four"],
            ["line 2", "line 3", "line 4", "line 5", ("4", "four")],
            id="a closing quote that is missing: the next quote may be it",
        ),
        pytest.param(
            ["2,listed:", "98,phantom", 'end",', "3,three"],
            [("2", "listed:"), ("98", "phantom"), ('end"', ""), ("3", "three")],
            id="an opening quote that is missing: the lines are what they say",
        ),
        pytest.param(['2,"tw"o', "3,three", "4,four"], ["line 2", ("3", "three"), ("4", "four")], id="in mid-value"),
        pytest.param(
            ['2,"tw"o', "3,three", '4,"fo"ur', "5,five"],
            ["line 2", ("3", "three"), "line 4", ("5", "five")],
            id="in mid-value twice",
        ),
        pytest.param(['2,5" screen', "3,three"], [("2", '5" screen'), ("3", "three")], id="inside of a value"),
        pytest.param(["2", "3,three,3", "4,four"], ["line 2", "line 3", ("4", "four")], id="too few, and too many"),
        pytest.param(['2,"a', 'b"', "3,three"], [("2", "a\nb"), ("3", "three")], id="a value of two lines"),
        pytest.param(["2,a\rb", "3,three"], ["line 2", ("3", "three")], id="a carriage return inside"),
    ],
)  # fmt: skip
def test_after_a_quote_that_is_out_of_place_no_line_is_lost_and_none_becomes_a_row_that_may_be_text(
    lines: list[str], expected: list[Outcome]
) -> None:
    assert outcomes("\n".join(["id,name", *lines, ""])) == expected


def test_every_line_of_what_may_be_text_is_kept_as_it_was() -> None:
    found = entries('id,name\n2,"screen 5 inch\n3,three\n4,four\n')
    assert [entry.text for entry in found] == [b'2,"screen 5 inch', b"3,three", b"4,four"]
    assert found[2].problem.message == "line 4: may be inside of a quoted field, after what is wrong in line 2"


def test_lines_beyond_the_largest_record_cannot_be_text_of_it() -> None:
    rows = [f"{n},name {n}" for n in range(1_000)]
    found = outcomes("\n".join(["id,name", '0,"open', *rows, ""]))
    near = [one for one in found if isinstance(one, str)]
    assert len(found) == 1_001
    assert len("\n".join(rows[: len(near)])) < BOUNDS.record + 50
    assert found[len(near) :] == [tuple(row.split(",")) for row in rows[len(near) - 1 :]]


def test_a_row_over_lines_that_is_too_long_is_one_record() -> None:
    long = "x" * (BOUNDS.record // 2 + 50)
    assert outcomes(f'id,name\n1,one\n2,"{long}\n{long}"\n3,three\n') == [ONE, "lines 3 to 4", ("3", "three")]


def test_quotes_without_end_are_read_in_bounded_time_and_memory() -> None:
    body = "id,name\n" + "".join(f'{n},"open {n}\n' for n in range(20_000))
    found = outcomes(body)
    assert [one for one in found if not re.fullmatch(r"line \d+", str(one))] == []
    assert len(found) == 20_000
