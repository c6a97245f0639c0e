"""Dead letters replayed and discarded: planned as on the command line, shown, and done once it is confirmed."""

from collections import Counter

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.ops import discard as discards
from services.ops import patch as patches
from services.ops import replay as replaying
from services.ops import selection
from services.ops.console import asked, letter_pages, words
from services.ops.console.actions import Action
from services.ops.console.desk import Desk
from services.ops.console.forms import Form
from services.ops.dead_letters import DeadLetter
from services.ops.replay import Step
from shared.errors import PermanentError

MOST = 10_000  # letters of a queue in an action: they are held in memory, and the preview is waited for
PREVIEW = "letters_preview.html"


def replay(desk: Desk, _: Request, form: Form) -> Response:
    """Plan to send them on their way again. Raises PermanentError for what cannot be meant."""
    patch, rate, to = asked.text(form, "patch"), asked.text(form, "rate"), asked.text(form, "to")
    mend = patches.read(_written_out(patch)) if patch else None
    speed = selection.per_second(rate) if rate else None
    target = selection.queue_called(to) if to else None
    letters, limit, unseen, record = _meant(desk, form)
    force = "force" in form
    steps = replaying.plan(letters, replaying.sources(desk.acting), mend, target, force=force)
    options = {"limit": limit, "rate": speed, "patch": mend.patch if mend else None, "to": target and target.name}
    options |= {"force": force or None}
    record |= {name: value for name, value in options.items() if value is not None}
    todo = [step for step in steps if not step.refused]
    action = Action(
        title=f"Replay {words.counted(len(todo), 'dead letter')}",
        preview=PREVIEW,
        shown=_shown(letters, unseen) | _plan(steps),
        total=len(todo),
        work=lambda advance: replaying.replay(desk.acting, steps, record, speed, lambda: advance(1)),
        back="/dead-letters",
    )
    return _planned(desk, action)


def discard(desk: Desk, _: Request, form: Form) -> Response:
    """Plan to delete them, keeping copies. Raises PermanentError for what cannot be meant."""
    reason = asked.text(form, "reason")
    if reason is None:
        message = "a reason is needed: it is kept with the copies, and on record"
        raise PermanentError(message)
    letters, limit, unseen, record = _meant(desk, form)
    record |= {"limit": limit} if limit else {}
    action = Action(
        title=f"Discard {words.counted(len(letters), 'dead letter')}",
        preview=PREVIEW,
        shown=_shown(letters, unseen) | {"reason": reason},
        total=len(letters),
        work=lambda advance: discards.discard(desk.acting, letters, reason, record, lambda: advance(1)),
        back="/dead-letters",
    )
    return _planned(desk, action)


def _meant(desk: Desk, form: Form) -> tuple[list[DeadLetter], int | None, int, dict[str, object]]:
    """The letters, their limit, how many could not be seen, and the filter for the record."""
    wanted, limit = asked.letters(form), asked.number(form, "limit")
    found, survey = letter_pages.find(desk.acting, wanted, MOST)
    return found[:limit], limit, survey.unseen, wanted.described()


def _shown(letters: list[DeadLetter], unseen: int) -> dict[str, object]:
    return {
        "groups": selection.grouped(letters),
        "unseen": unseen,
        "targets": {},
        "refused": {},
        "patched": [],
        "reason": "",
    }


def _plan(steps: list[Step]) -> dict[str, object]:
    going = [step for step in steps if not step.refused]
    patched = [step for step in going if step.patched]
    return {
        "targets": Counter(step.to.name for step in going),
        "refused": Counter(step.refused for step in steps if step.refused),
        "patched": patched,
    }


def _written_out(patch: str) -> str:
    """A patch is never the name of a file of the console's machine. Raises PermanentError."""
    if not patch.startswith("["):
        message = "not a JSON patch (RFC 6902): it must be an array of operations"
        raise PermanentError(message)
    return patch


def _planned(desk: Desk, action: Action) -> Response:
    return RedirectResponse(f"/actions/{desk.actions.plan(action).id}", 303)
