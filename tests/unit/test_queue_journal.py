"""Messages of the emulator's queues survive in a file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.embedded.emulator import journal
from infra.embedded.emulator.journal import QueueJournal

OPEN: list[QueueJournal] = []


@pytest.fixture(autouse=True)
def closed_journals() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().close()


class Emulator:
    """Queues as ministack holds them, and a journal of them."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.queues: dict[str, dict[str, Any]] = {}
        self.file = folder / "queues.jsonl"
        self.create(*names)
        self.journal = QueueJournal(self.file, lambda: list(self.queues.values()))
        OPEN.append(self.journal)
        self.journal.record()

    def create(self, *names: str) -> None:
        for name in names:
            self.queues[name] = {"name": name, "messages": []}

    def send(self, queue: str, *ids: str) -> None:
        self.queues[queue]["messages"] += [{"id": name, "body": f"body of {name}"} for name in ids]
        self.journal.record()

    def delete(self, queue: str, *ids: str) -> None:
        messages = self.queues[queue]["messages"]
        self.queues[queue]["messages"] = [message for message in messages if message["id"] not in ids]
        self.journal.record()

    def ids(self, queue: str) -> list[str]:
        return [message["id"] for message in self.queues[queue]["messages"]]


def test_messages_are_there_again_once_their_queue_is(tmp_path: Path) -> None:
    before = Emulator(tmp_path, "work", "work-dlq")
    before.send("work", "a", "b", "c")
    before.send("work-dlq", "x")
    before.delete("work", "b")
    after = Emulator(tmp_path)
    after.create("work", "work-dlq")
    after.journal.record()
    assert after.ids("work") == ["a", "c"]
    assert after.queues["work-dlq"]["messages"] == [{"id": "x", "body": "body of x"}]


def test_a_message_sent_while_another_is_deleted_is_recorded(tmp_path: Path) -> None:
    before = Emulator(tmp_path, "work")
    before.send("work", "a")
    before.queues["work"]["messages"] = [{"id": "b", "body": ""}]
    before.journal.record()
    assert Emulator(tmp_path, "work").ids("work") == ["b"]


def test_messages_of_a_queue_that_nobody_has_created_again_are_kept(tmp_path: Path) -> None:
    Emulator(tmp_path, "work").send("work", "a")
    Emulator(tmp_path, "other").send("other", "b")
    last = Emulator(tmp_path, "work", "other")
    assert (last.ids("work"), last.ids("other")) == (["a"], ["b"])


def test_of_what_the_emulator_saved_itself_only_that_counts_which_the_journal_has(tmp_path: Path) -> None:
    before = Emulator(tmp_path, "work")
    before.send("work", "a", "b")
    before.delete("work", "a")
    received = {"id": "b", "body": "", "receive_count": 2}
    after = Emulator(tmp_path)
    after.queues["work"] = {"name": "work", "messages": [{"id": "a", "body": ""}, received]}
    after.journal.record()
    assert after.queues["work"]["messages"] == [received]


def test_what_the_emulator_saved_before_there_was_a_journal_is_kept(tmp_path: Path) -> None:
    first = Emulator(tmp_path)
    first.queues["work"] = {"name": "work", "messages": [{"id": "a", "body": ""}]}
    first.journal.record()
    assert Emulator(tmp_path, "work").ids("work") == ["a"]


def test_the_messages_of_a_deleted_queue_do_not_come_back(tmp_path: Path) -> None:
    before = Emulator(tmp_path, "work")
    before.send("work", "a")
    del before.queues["work"]
    before.journal.record()
    assert Emulator(tmp_path, "work").ids("work") == []


def test_a_line_that_a_kill_cut_short_costs_no_other(tmp_path: Path) -> None:
    before = Emulator(tmp_path, "work")
    before.send("work", "a", "b")
    before.file.write_text(before.file.read_text()[:-10])
    after = Emulator(tmp_path, "work")
    assert after.ids("work") == ["a"]
    after.send("work", "c")
    assert Emulator(tmp_path, "work").ids("work") == ["a", "c"]


def test_the_file_does_not_grow_with_what_went_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MIN_LINES", 10)
    emulator = Emulator(tmp_path, "work", "idle")
    emulator.send("idle", "kept")
    for number in range(100):
        emulator.send("work", f"{number}")
        emulator.delete("work", f"{number}")
    assert len(emulator.file.read_text().splitlines()) <= 12
    assert Emulator(tmp_path, "work", "idle").ids("idle") == ["kept"]


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    assert Emulator(tmp_path, "work").file.stat().st_mode & 0o777 == 0o600


def test_without_room_the_queues_go_on_and_the_file_is_right_once_there_is_room(tmp_path: Path) -> None:
    before = Emulator(tmp_path, "work")
    before.send("work", "a")
    assert before.journal._file
    before.journal._file.close()
    before.journal._file = Path("/dev/full").open("a")  # noqa: SIM115 - as the journal has it
    (draft := tmp_path / "queues.draft").symlink_to("/dev/full")
    before.send("work", "b")
    draft.unlink()
    before.send("work", "c")
    after = Emulator(tmp_path)
    after.create("work")
    after.journal.record()
    assert after.ids("work") == ["a", "b", "c"]
