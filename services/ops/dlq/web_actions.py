"""Dead letters replayed and discarded: planned as on the command line, shown, and done once it is confirmed."""

from starlette.requests import Request
from starlette.responses import Response

from services.ops.dlq import patch as patches
from services.ops.dlq import plans
from services.ops.dlq.plans import Plan
from services.ops.dlq.web import filter_from
from services.ops.web import formatting, query_params
from services.ops.web.actions import Action
from services.ops.web.context import ConsoleContext
from services.ops.web.forms import Form
from shared.errors import PermanentError

MOST = 10_000  # letters of a queue in an action: they are held in memory, and the preview is waited for


def replay_dead_letters(context: ConsoleContext, _: Request, form: Form) -> Response:
    """Plan to send them on their way again. Raises PermanentError for what cannot be meant."""
    patch = query_params.text(form, "patch")
    plan = plans.replay(
        context.acting,
        filter_from(form),
        query_params.number(form, "limit"),
        rate=query_params.text(form, "rate"),
        patch=patches.read(_written_out(patch)) if patch else None,
        to=query_params.text(form, "to"),
        force="force" in form,
        most=MOST,
    )
    return _planned(context, "Replay", plan)


def discard_dead_letters(context: ConsoleContext, _: Request, form: Form) -> Response:
    """Plan to delete them, keeping copies. Raises PermanentError for what cannot be meant."""
    reason = query_params.text(form, "reason")
    if reason is None:
        message = "a reason is needed: it is kept with the copies, and on record"
        raise PermanentError(message)
    plan = plans.discard(context.acting, filter_from(form), query_params.number(form, "limit"), reason, MOST)
    return _planned(context, "Discard", plan, reason)


def _written_out(patch: str) -> str:
    """A patch is never the name of a file of the console's machine. Raises PermanentError."""
    if not patch.startswith("["):
        message = "not a JSON patch (RFC 6902): it must be an array of operations"
        raise PermanentError(message)
    return patch


def _planned(context: ConsoleContext, verb: str, plan: Plan, reason: str = "") -> Response:
    return context.plan(
        Action(
            title=f"{verb} {formatting.counted(plan.total, 'dead letter')}",
            preview="dlq/preview.html",
            shown={"plan": plan, "reason": reason},
            total=plan.total,
            work=plan.work,
            back="/dead-letters",
        )
    )
