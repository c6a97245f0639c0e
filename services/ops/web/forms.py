"""What comes back from a form: only of an operator, only from a page of ours, only from this session."""

from hmac import compare_digest
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import ImmutableMultiDict
from starlette.exceptions import HTTPException
from starlette.requests import Request

from services.ops.web.user import User

LARGEST: Final = 1 << 20  # bytes of a form; a patch and the ids of a thousand letters are a tenth of it
Form = ImmutableMultiDict[str, str]


async def checked(request: Request) -> Form:
    """The form. Raises HTTPException for what nobody with the right to do it has sent from one of our pages."""
    user: User = request.state.user
    if not user.operates:
        raise HTTPException(403, "You may look, and not change anything.")
    return await own(request, user)


async def own(request: Request, user: User) -> Form:
    """The form, from a page of this session. Raises HTTPException."""
    check_origin(request)
    form = await read(request)
    if not compare_digest(form.get("form", "").encode(), user.form.encode()):
        raise HTTPException(403, "This form is not of your session. Open the page again.")
    return form


def check_origin(request: Request) -> None:
    """Raises HTTPException unless a page of ours sent it. Behind a proxy the scheme may differ, the host does not."""
    if urlsplit(request.headers.get("origin", "")).netloc != request.headers.get("host"):
        raise HTTPException(403, "Only the console's own pages may ask for this.")


async def read(request: Request) -> Form:
    """Its fields. Raises HTTPException where it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise HTTPException(413, "The form is too large.")
    return ImmutableMultiDict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
