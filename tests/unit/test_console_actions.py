"""What an operator confirms: done once, under their name, and stopped in order."""

from collections.abc import Callable
from threading import Event

import pytest

from services.ops import operator_log
from services.ops.operator_log import ActionResult, OnProgress, Work
from services.ops.web.actions import MAX_ACTIONS, Action, Actions
from shared.errors import PermanentError


def action(work: Work) -> Action:
    return Action("Replay", "dlq/preview.html", {}, 10, work, "/dead-letters")


def done(actions: Actions, planned: Action, who: str = "ann") -> Action:
    actions.start(planned, who)
    for thread in actions._threads:
        thread.join(10)
    return planned


def tally(work: Callable[[], object]) -> Work:
    def doing(_: OnProgress) -> ActionResult:
        work()
        return ActionResult(7, done=10)

    return doing


def test_it_is_done_under_the_name_of_who_confirmed_it() -> None:
    names: list[str] = []
    finished = done(Actions(), action(tally(lambda: names.append(operator_log.operator()))), "ann")
    assert (finished.state, finished.done, finished.record) == ("done", 10, 7)
    assert names == ["ann"]
    assert operator_log.operator() != "ann"


def test_confirmed_twice_it_is_done_once() -> None:
    times: list[int] = []
    actions, planned = Actions(), action(tally(lambda: times.append(1)))
    done(actions, planned)
    done(actions, planned)
    assert times == [1]


def test_stopped_it_ends_after_the_message_that_it_is_at() -> None:
    began, go_on = Event(), Event()

    def work(advance: OnProgress) -> ActionResult:
        for _ in range(10):
            began.set()
            go_on.wait(10)
            advance(1)
        return ActionResult(1)

    actions, planned = Actions(), action(work)
    actions.start(actions.plan(planned), "ann")
    assert began.wait(10)
    planned.stopped.set()
    go_on.set()
    actions.stop()
    assert (planned.state, planned.done) == ("interrupted", 1)


def test_what_fails_says_why() -> None:
    def fails() -> None:
        message = "connection refused\nis the server running?"
        raise OSError(message)

    finished = done(Actions(), action(tally(fails)))
    assert (finished.state, finished.error) == ("failed", "connection refused")


def test_an_old_plan_gives_way_to_a_new_one_but_nothing_that_is_under_way_does() -> None:
    go_on = Event()
    actions = Actions()
    first = actions.plan(action(tally(lambda: None)))
    for _ in range(MAX_ACTIONS):
        running = actions.plan(action(tally(lambda: go_on.wait(10))))
        actions.start(running, "ann")
    assert actions.find(first.id) is None
    with pytest.raises(PermanentError, match="are running"):
        actions.plan(action(tally(lambda: None)))
    go_on.set()
    actions.stop()


def test_plans_stay_until_there_are_too_many() -> None:
    actions = Actions()
    planned = [actions.plan(action(tally(lambda: None))) for _ in range(MAX_ACTIONS)]
    assert all(actions.find(one.id) for one in planned)
    actions.plan(action(tally(lambda: None)))
    assert [one.id for one in planned if not actions.find(one.id)] == [planned[0].id]
