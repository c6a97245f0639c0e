"""Replaying and discarding dead letters in the console: prepared, shown, and done after confirmation."""

from starlette.requests import Request
from starlette.responses import Response

from services.ops.dlq import actions
from services.ops.dlq import patch as patches
from services.ops.dlq.actions import DeadLetterAction
from services.ops.dlq.web import filter_from
from services.ops.web import formatting, query_params
from services.ops.web.actions import Action
from services.ops.web.context import ConsoleContext
from services.ops.web.forms import Form
from shared.errors import PermanentError

MAX_LETTERS = 10_000  # letters per queue in an action, which are held in memory


def replay_dead_letters(context: ConsoleContext, _: Request, form: Form) -> Response:
    """Prepare a replay. Raises PermanentError for invalid input."""
    patch = query_params.text(form, "patch")
    action = actions.replay(
        context.acting,
        filter_from(form),
        query_params.number(form, "limit"),
        rate=query_params.text(form, "rate"),
        patch=patches.read(_written_out(patch)) if patch else None,
        to=query_params.text(form, "to"),
        force="force" in form,
        most=MAX_LETTERS,
    )
    return _confirmation(context, "Replay", action)


def discard_dead_letters(context: ConsoleContext, _: Request, form: Form) -> Response:
    """Prepare discarding, with copies kept. Raises PermanentError for invalid input."""
    reason = query_params.text(form, "reason")
    if reason is None:
        message = "a reason is required; it is stored with the copies and in the audit log"
        raise PermanentError(message)
    action = actions.discard(context.acting, filter_from(form), query_params.number(form, "limit"), reason, MAX_LETTERS)
    return _confirmation(context, "Discard", action, reason)


def _written_out(patch: str) -> str:
    """Require inline JSON: a file name would refer to the console's machine. Raises PermanentError."""
    if not patch.startswith("["):
        message = "not a JSON patch (RFC 6902): it must be an array of operations"
        raise PermanentError(message)
    return patch


def _confirmation(context: ConsoleContext, verb: str, action: DeadLetterAction, reason: str = "") -> Response:
    return context.plan(
        Action(
            title=f"{verb} {formatting.counted(action.total, 'dead letter')}",
            preview="dlq/preview.html",
            shown={"plan": action, "reason": reason},
            total=action.total,
            work=action.work,
            back="/dead-letters",
        )
    )
