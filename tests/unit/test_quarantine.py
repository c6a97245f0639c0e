"""The quarantine object."""

import gzip
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import NewerVersionError, PermanentError
from shared.formats import quarantine
from shared.formats.quarantine import Problem, Rejected, raw_text
from shared.storage.object_id import ObjectId

SOURCE = ObjectId("lake", "uploads/things/ünï.json", version_id="v", etag="e", sequencer="01")
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
    max_leaves=8,
)


def rejected(record: object, index: int = 0) -> Rejected:
    """A record that failed two rules."""
    return Rejected(
        dataset="things",
        source=SOURCE,
        transform_version=1,
        run_id=None,
        record_index=index,
        natural_key="é 1" if index else None,
        observed_at=datetime(2025, 9, 3, 12, tzinfo=UTC),
        problems=(Problem(rule="r1", field="a.b", message="bäd\n“thing”"), Problem(rule="r2", field="", message="")),
        raw=raw_text(json.dumps(record, ensure_ascii=False), 1_000_000),
    )


def test_entries_come_back_as_they_were_in_their_order() -> None:
    entries = [rejected({"a": n}, n) for n in range(3)]
    assert quarantine.read(quarantine.write(entries)) == entries


@pytest.mark.parametrize("text", ["\x00", "\ud800", "a\x00\udfffb", "\u2028line\r\n", "é日😀", '"\\'])
def test_a_record_of_any_characters_comes_back_as_it_was(text: str) -> None:
    (entry,) = quarantine.read(quarantine.write([rejected({text: text})]))
    assert json.loads(entry.raw) == {text: text}
    assert entry.raw.isascii()
    assert "\x00" not in entry.raw


@given(JSON_VALUES)
def test_any_json_value_comes_back_as_it_was(record: object) -> None:
    (entry,) = quarantine.read(quarantine.write([rejected(record)]))
    assert json.loads(entry.raw) == record


def test_each_entry_is_a_line_complete_in_itself() -> None:
    lines = gzip.decompress(quarantine.write([rejected({"a": "\u2028\n"}), rejected(None)])).split(b"\n")
    assert lines.pop() == b""
    assert [json.loads(line)["dataset"] for line in lines] == ["things", "things"]


def test_the_same_entries_give_the_same_bytes() -> None:
    assert quarantine.write([rejected(1)]) == quarantine.write([rejected(1)])
    assert quarantine.write([rejected(1)])[4:8] == bytes(4)  # no modification time


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"version": 1}', id="not gzip"),
        pytest.param(quarantine.write([rejected(list(range(500)))])[:-12], id="cut short"),
        pytest.param(quarantine.write([rejected(1)])[:-8] + bytes(8), id="wrong checksum"),
        pytest.param(gzip.compress(b"hello\n"), id="not JSON"),
        pytest.param(gzip.compress(b"\xff\n"), id="not UTF-8"),
        pytest.param(gzip.compress(b"{}\n"), id="fields missing"),
    ],
)
def test_a_damaged_object_is_refused(body: bytes) -> None:
    with pytest.raises(PermanentError, match="not a quarantine object"):
        quarantine.read(body)


def test_an_object_of_a_newer_version_waits_for_a_newer_worker() -> None:
    with pytest.raises(NewerVersionError):
        quarantine.read(gzip.compress(rejected(1).model_dump_json().replace(":1,", ":2,", 1).encode()))


@pytest.mark.parametrize(
    "body",
    [quarantine.write([rejected(1)])[:11] + b"\xff" * 30, b"", gzip.compress(b"", mtime=0)],
    ids=["rubbish", "nothing", "no entries"],
)
def test_an_object_that_gzip_does_not_call_damaged_is_refused_too(body: bytes) -> None:
    with pytest.raises(PermanentError, match="not a quarantine object"):
        quarantine.read(body)
