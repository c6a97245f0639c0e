"""Actions of operators: planned, shown, confirmed, then run in the background while a page shows the progress.

Only what was shown is done, and only once. A console that ends in between loses nothing: what is on record in
`ops.operator_action` as `interrupted` or `under way` is planned and confirmed again.
"""

import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any, Final, Literal

import structlog

from services.ops import operator_log
from services.ops.operator_log import Work
from services.ops.probe import reason_of
from shared.errors import PermanentError

KEPT: Final = 20  # actions, the newest; what became of older ones is on record
PATIENCE: Final = 3.0  # s that a console which stops waits for actions to stop in order

State = Literal["planned", "running", "done", "interrupted", "failed"]
log = structlog.get_logger()


@dataclass(eq=False)
class Action:
    """`title` says what is done, `preview` is the template that shows `shown`, `total` how many there are to do."""

    title: str
    preview: str
    shown: Mapping[str, Any]
    total: int
    work: Work | None  # None once it has begun
    back: str  # the page that it was planned on
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    state: State = "planned"
    done: int = 0
    record: int | None = None  # the row in ops.operator_action
    stays: Mapping[str, int] = field(default_factory=dict)  # {why: how many}
    error: str = ""
    stopped: Event = field(default_factory=Event)

    def advance(self, number: int) -> None:
        """So many more are done. Raises KeyboardInterrupt where somebody has stopped it, as at a terminal."""
        self.done += number
        if self.stopped.is_set():
            raise KeyboardInterrupt


class Actions:
    """Those of this process."""

    def __init__(self) -> None:
        self._held: dict[str, Action] = {}
        self._threads: list[Thread] = []
        self._lock = Lock()

    def plan(self, action: Action) -> Action:
        """Keep it until it is confirmed, or others have taken its place.

        Raises PermanentError where all that are kept are running.
        """
        with self._lock:
            idle = [held.id for held in self._held.values() if held.state != "running"]
            for identity in idle[: len(self._held) - KEPT + 1]:
                del self._held[identity]
            if len(self._held) >= KEPT:
                message = f"{KEPT} actions are under way: wait for one of them, or stop it"
                raise PermanentError(message)
            self._held[action.id] = action
        return action

    def find(self, identity: str) -> Action | None:
        """The one of that id."""
        return self._held.get(identity)

    def start(self, action: Action, who: str) -> None:
        """Do it, in the background; again and again asked for, it is done once."""
        with self._lock:
            work, action.work = action.work, None
            if work is None:
                return
            action.state = "running"
            thread = Thread(target=_run, args=(action, work, who), name=f"action-{action.id}", daemon=True)
            self._threads = [*filter(Thread.is_alive, self._threads), thread]
            thread.start()

    def stop(self) -> None:
        """Let all that is under way end after the message that it is at."""
        deadline = monotonic() + PATIENCE
        for action in list(self._held.values()):
            action.stopped.set()
        for thread in self._threads:
            thread.join(max(0.0, deadline - monotonic()))


def _run(action: Action, work: Work, who: str) -> None:
    try:
        with operator_log.as_operator(who):
            tally = work(action.advance)
    except KeyboardInterrupt:
        action.state = "interrupted"
    except Exception as error:  # noqa: BLE001 - whatever it is, the page says so, and the record is closed already
        log.warning("console.action_failed", title=action.title, error_type=type(error).__name__)
        action.error = reason_of(error)
        action.state = "failed"
    else:
        action.done, action.record = tally.done, tally.identity
        action.stays = dict(Counter(tally.failed.values()).most_common())
        action.state = "done"
