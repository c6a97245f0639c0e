"""A journal of the emulator's queues in a file: `ministack` itself saves them only when it stops in an orderly way.

Each line is a message that came, or the id of one that went. What is on disk is compared with the queues after every
request and at short intervals, before the answer leaves. The file survives a kill of the process, not of the machine:
nothing is synced to the disk.
"""

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any, Final, TextIO

MIN_LINES: Final = 10_000  # before the file is written anew; about 10 MB

Message = dict[str, Any]
Queue = dict[str, Any]  # of ministack: "name" and "messages", each with an "id"


class QueueJournal:
    """`queues` gives the emulator's queues as they are now."""

    def __init__(self, file: Path, queues: Callable[[], Iterable[Queue]]) -> None:
        self._path, self._queues = file, queues
        self._lock = threading.Lock()
        self._restored = _read(file)  # of queues that were not created again yet
        self._is_new = not file.exists()
        self._known: dict[str, set[str]] = {}
        self._lines = 0
        self._is_damaged = False  # a line may be incomplete, or missing: the file is written anew as soon as it can be
        self._file: TextIO | None = None
        self._write_anew()

    def record(self) -> None:
        """Bring the file up to date, and fill queues that were created since."""
        with self._lock:
            queues = {queue["name"]: queue for queue in self._queues()}
            for name in queues.keys() - self._known.keys():
                self._restore(queues[name])
            came = [line for name, queue in queues.items() for line in self._additions(name, queue)]
            went = [line for name in list(self._known) for line in self._removals(name, queues.get(name))]
            if came or went:
                self._lines += len(came) + len(went)
                self._append([*came, *went])  # at once: a message that moves to another queue is not lost in between
            if self._is_damaged or self._lines > max(MIN_LINES, 4 * sum(map(len, self._known.values()))):
                self._replace()

    def _append(self, lines: list[str]) -> None:
        """If the disk is full, messages stay in memory: the request that caused them has already succeeded."""
        if self._file and not self._is_damaged:
            try:
                self._file.writelines(lines)
                self._file.flush()
            except OSError:
                self._is_damaged = True

    def _replace(self) -> None:
        try:
            self._write_anew()
        except OSError:
            self._is_damaged = True
        else:
            self._is_damaged = False

    def close(self) -> None:
        """Write no more."""
        if self._file:
            with suppress(OSError):  # what could not be written before cannot be now
                self._file.close()

    def _restore(self, queue: Queue) -> None:
        """Put the messages back. The file is right where the emulator has loaded older ones."""
        present: dict[str, Message] = {message["id"]: message for message in queue["messages"]}
        restored = self._restored.pop(queue["name"], {})
        self._known[queue["name"]] = set(restored)
        if not self._is_new:
            queue["messages"] = [present.get(name, message) for name, message in restored.items()]

    def _additions(self, name: str, queue: Queue) -> Iterator[str]:
        messages, known = list(queue["messages"]), self._known[name]
        if len(messages) == len(known) and (not messages or messages[-1]["id"] in known):
            return
        for message in messages:
            if message["id"] not in known:
                known.add(message["id"])
                yield _line({"queue": name, "message": message})

    def _removals(self, name: str, queue: Queue | None) -> Iterator[str]:
        messages, known = (list(queue["messages"]) if queue else []), self._known[name]
        if len(messages) == len(known):
            return
        for gone in known - {message["id"] for message in messages}:
            known.discard(gone)
            yield _line({"queue": name, "gone": gone})

    def _write_anew(self) -> None:
        present = ((queue["name"], message) for queue in self._queues() for message in list(queue["messages"]))
        restored = ((name, message) for name, messages in self._restored.items() for message in messages.values())
        known = ((name, message) for name, message in present if message["id"] in self._known.get(name, ()))
        draft = self._path.with_suffix(".draft")
        draft.touch(mode=0o600)
        with draft.open("w") as file:
            file.writelines(_line({"queue": name, "message": message}) for name, message in chain(known, restored))
        draft.replace(self._path)
        self.close()
        self._file = self._path.open("a")
        self._lines = 0


def _read(file: Path) -> dict[str, dict[str, Message]]:
    """The messages by queue and id. A last line that a kill cut short is left out."""
    queues: dict[str, dict[str, Message]] = {}
    for text in file.read_text().splitlines() if file.exists() else ():
        try:
            line = json.loads(text)
        except ValueError:
            break
        messages = queues.setdefault(line["queue"], {})
        if "gone" in line:
            messages.pop(line["gone"], None)
        else:
            messages[line["message"]["id"]] = line["message"]
    return queues


def _line(content: dict[str, Any]) -> str:
    return json.dumps(content) + "\n"
