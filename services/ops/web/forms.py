"""Validation of forms: the user's role, the origin, and the session's CSRF token."""

from hmac import compare_digest
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import ImmutableMultiDict
from starlette.exceptions import HTTPException
from starlette.requests import Request

from services.ops.web.user import User

MAX_FORM_BYTES: Final = 1 << 20  # a patch and the ids of a thousand letters take a tenth of it
Form = ImmutableMultiDict[str, str]


async def operator_form(request: Request) -> Form:
    """The form of an operator's action. Raises HTTPException unless role, origin and session are valid."""
    user: User = request.state.user
    if not user.operates:
        raise HTTPException(403, "You have read-only access.")
    return await session_form(request, user)


async def session_form(request: Request, user: User) -> Form:
    """The form of a page of this session. Raises HTTPException."""
    check_origin(request)
    form = await read(request)
    if not compare_digest(form.get("form", "").encode(), user.form.encode()):
        raise HTTPException(403, "This form belongs to another session. Reload the page and try again.")
    return form


def check_origin(request: Request) -> None:
    """Raises HTTPException for cross-site requests. Compares hosts only, as a proxy may change the scheme."""
    if urlsplit(request.headers.get("origin", "")).netloc != request.headers.get("host"):
        raise HTTPException(403, "Cross-site requests are not allowed.")


async def read(request: Request) -> Form:
    """Parse the form. Raises HTTPException if it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise HTTPException(413, "The form is too large.")
    return ImmutableMultiDict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
