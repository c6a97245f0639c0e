"""Actions of operators: prepared, shown, confirmed, then run in the background while a page shows the progress.

Exactly what was shown is done, once. If the console stops in between, nothing is lost: an action recorded in
`ops.operator_action` as `interrupted` or `under way` can be prepared and confirmed again.
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

MAX_ACTIONS: Final = 20  # older ones are in the audit log only
STOP_TIMEOUT_SECONDS: Final = 3.0  # s to wait for running actions when the console stops

State = Literal["planned", "running", "done", "interrupted", "failed"]
log = structlog.get_logger()


@dataclass(eq=False)
class Action:
    """An action: `preview` is the template that shows `shown`, `total` the number of items."""

    title: str
    preview: str
    shown: Mapping[str, Any]
    total: int
    work: Work | None  # None once started
    back: str  # the page to return to
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    state: State = "planned"
    done: int = 0
    record: int | None = None  # id in ops.operator_action
    stays: Mapping[str, int] = field(default_factory=dict)  # {reason: number}
    error: str = ""
    stopped: Event = field(default_factory=Event)

    def advance(self, number: int) -> None:
        """Report progress. Raises KeyboardInterrupt if an operator has stopped the action."""
        self.done += number
        if self.stopped.is_set():
            raise KeyboardInterrupt


class Actions:
    """The actions of this process."""

    def __init__(self) -> None:
        self._actions: dict[str, Action] = {}
        self._threads: list[Thread] = []
        self._lock = Lock()

    def plan(self, action: Action) -> Action:
        """Store an action for confirmation; old ones are dropped.

        Raises PermanentError if the maximum number of actions is running.
        """
        with self._lock:
            idle = [action_.id for action_ in self._actions.values() if action_.state != "running"]
            for identity in idle[: max(0, len(self._actions) - MAX_ACTIONS + 1)]:
                del self._actions[identity]
            if len(self._actions) >= MAX_ACTIONS:
                message = f"{MAX_ACTIONS} actions are running; wait for one of them or stop it"
                raise PermanentError(message)
            self._actions[action.id] = action
        return action

    def find(self, identity: str) -> Action | None:
        """The action with this id, or None."""
        return self._actions.get(identity)

    def start(self, action: Action, who: str) -> None:
        """Run an action in the background. Starting it again has no effect."""
        with self._lock:
            work, action.work = action.work, None
            if work is None:
                return
            action.state = "running"
            thread = Thread(target=_run, args=(action, work, who), name=f"action-{action.id}", daemon=True)
            self._threads = [*filter(Thread.is_alive, self._threads), thread]
            thread.start()

    def stop(self) -> None:
        """Stop all running actions after their current item."""
        deadline = monotonic() + STOP_TIMEOUT_SECONDS
        for action in list(self._actions.values()):
            action.stopped.set()
        for thread in self._threads:
            thread.join(max(0.0, deadline - monotonic()))


def _run(action: Action, work: Work, who: str) -> None:
    try:
        with operator_log.as_operator(who):
            result = work(action.advance)
    except KeyboardInterrupt:
        action.state = "interrupted"
    except Exception as error:  # noqa: BLE001 - the page shows the error, and the record is already closed
        log.warning("console.action_failed", title=action.title, error_type=type(error).__name__)
        action.error = reason_of(error)
        action.state = "failed"
    else:
        action.done, action.record = result.done, result.identity
        action.stays = dict(Counter(result.failed.values()).most_common())
        action.state = "done"
