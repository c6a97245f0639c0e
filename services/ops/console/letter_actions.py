"""Dead letters replayed and discarded: planned as on the command line, shown, and done once it is confirmed."""

from starlette.requests import Request
from starlette.responses import Response

from services.ops import letter_plans
from services.ops import patch as patches
from services.ops.console import asked, words
from services.ops.console.actions import Action
from services.ops.console.desk import Desk
from services.ops.console.forms import Form
from services.ops.letter_plans import Plan
from shared.errors import PermanentError

MOST = 10_000  # letters of a queue in an action: they are held in memory, and the preview is waited for


def replay(desk: Desk, _: Request, form: Form) -> Response:
    """Plan to send them on their way again. Raises PermanentError for what cannot be meant."""
    patch = asked.text(form, "patch")
    plan = letter_plans.replay(
        desk.acting,
        asked.letters(form),
        asked.number(form, "limit"),
        rate=asked.text(form, "rate"),
        patch=patches.read(_written_out(patch)) if patch else None,
        to=asked.text(form, "to"),
        force="force" in form,
        most=MOST,
    )
    return _planned(desk, "Replay", plan)


def discard(desk: Desk, _: Request, form: Form) -> Response:
    """Plan to delete them, keeping copies. Raises PermanentError for what cannot be meant."""
    reason = asked.text(form, "reason")
    if reason is None:
        message = "a reason is needed: it is kept with the copies, and on record"
        raise PermanentError(message)
    plan = letter_plans.discard(desk.acting, asked.letters(form), asked.number(form, "limit"), reason, MOST)
    return _planned(desk, "Discard", plan, reason)


def _written_out(patch: str) -> str:
    """A patch is never the name of a file of the console's machine. Raises PermanentError."""
    if not patch.startswith("["):
        message = "not a JSON patch (RFC 6902): it must be an array of operations"
        raise PermanentError(message)
    return patch


def _planned(desk: Desk, verb: str, plan: Plan, reason: str = "") -> Response:
    return desk.plan(
        Action(
            title=f"{verb} {words.counted(plan.total, 'dead letter')}",
            preview="letters_preview.html",
            shown={"plan": plan, "reason": reason},
            total=plan.total,
            work=plan.work,
            back="/dead-letters",
        )
    )
