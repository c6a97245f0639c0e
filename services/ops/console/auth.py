"""Authentication: by a token and a session, or by the signed header of a load balancer."""

import hashlib
import secrets
from collections.abc import Mapping
from hmac import compare_digest
from typing import Protocol
from urllib.error import URLError
from urllib.parse import urlsplit

import jwt
import structlog
from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.ops import operator_log
from services.ops.console import alb
from services.ops.console.sessions import Sessions
from services.ops.console.settings import ConsoleSettings
from services.ops.web import templating
from services.ops.web.user import Role, User

TOKEN = "token"  # noqa: S105 - the parameter's name
# Browsers leave SameSite=Strict cookies out of cross-site navigation: reload once, from our own origin.
ONCE_MORE = '<!doctype html><meta http-equiv="refresh" content="0"><title>smelt</title>'

log = structlog.get_logger()


class Authenticator(Protocol):
    """Authenticates requests."""

    sessions: Sessions
    secure: bool  # whether browsers always come by https

    def authenticate(self, request: Request) -> User | Response:
        """The user, or the response to send when authentication fails. May block."""
        ...


class TokenAuth:
    """A token in a form or a link becomes a session's cookie."""

    secure = False

    def __init__(self, tokens: Mapping[Role, str]) -> None:
        self._tokens = tokens
        self.sessions = Sessions(hashlib.sha256(repr(sorted(tokens.items())).encode()).digest())

    def authenticate(self, request: Request) -> User | Response:
        """Authenticate by session cookie; a token in the URL is exchanged for one."""
        user = self.sessions.read(request)
        if request.method == "GET" and TOKEN in request.query_params:
            return self.exchange(request, request.query_params[TOKEN], _without_token(request.url), user)
        if user is not None:
            return user
        if request.method == "GET" and request.headers.get("sec-fetch-site") == "cross-site":
            return HTMLResponse(ONCE_MORE)
        if request.method not in {"GET", "HEAD"}:
            return templating.refused(request, "Your session has ended. Log in, and do it again.")
        return RedirectResponse(URL("/login").include_query_params(next=_path(request.url)), 303)

    def exchange(self, request: Request, token: str, to: str, user: User | None = None) -> Response:
        """On to `to` with a session, if the token is one of ours, or if there is one already; else to the form."""
        opened = self._opened(token)
        if opened is None and user is None:
            log.warning("console.login_refused", host=request.client.host if request.client else "")
            return login_form(request, to, wrong=True)
        response = RedirectResponse(to, 303)
        if opened:
            self.sessions.keep(response, opened, secure=request.url.scheme == "https")
        return response

    def _opened(self, token: str) -> User | None:
        for role, held in self._tokens.items():
            if compare_digest(token.encode(), held.encode()):
                return self.sessions.open(f"{operator_log.operator()} (console)", role)
        return None


class AlbAuth:
    """Authenticates every request by the load balancer's signed JWT; the session is only the CSRF token of forms."""

    secure = True

    def __init__(self, settings: ConsoleSettings) -> None:
        self._settings, self._key_of = settings, alb.fetching(settings)
        self.sessions = Sessions(secrets.token_bytes(32))

    def authenticate(self, request: Request) -> User | Response:
        """Authenticate by the signed header; requests that bypass the load balancer are rejected."""
        try:
            identity = alb.identify(self._settings, request.headers.get(alb.HEADER, ""), self._key_of)
        except (jwt.InvalidTokenError, jwt.InvalidKeyError, URLError, TimeoutError) as error:
            log.warning("console.identity_refused", error_type=type(error).__name__, error=str(error))
            return templating.refused(request, "Come through the load balancer: it says who you are.")
        name = f"{identity.name} (console)"
        held = self.sessions.read(request)
        return held if held and (held.name, held.role) == (name, identity.role) else self._open(name, identity.role)

    def _open(self, name: str, role: Role) -> User:
        return self.sessions.open(name, role)


def authenticator(settings: ConsoleSettings) -> TokenAuth | AlbAuth:
    """The authenticator for these settings."""
    if settings.alb_arn is not None:
        return AlbAuth(settings)
    tokens: dict[Role, str] = {}
    if settings.token is not None:
        tokens["operator"] = settings.token.get_secret_value()
    if settings.read_token is not None:
        tokens["viewer"] = settings.read_token.get_secret_value()
    return TokenAuth(tokens)


def login_form(request: Request, to: str, *, wrong: bool = False) -> Response:
    """The form that asks for the token, and goes on to `to`."""
    return templating.page(request, "console/login.html", 403 if wrong else 200, to=to, wrong=wrong)


def local_path(target: str) -> str:
    """A path of ours to go on to; the overview for anything else."""
    parts = urlsplit(target)
    ours = target.startswith("/") and not parts.scheme and not parts.netloc and "\\" not in target
    return target if ours and target.isprintable() else "/"


def _without_token(url: URL) -> str:
    return _path(url.remove_query_params(TOKEN))


def _path(url: URL) -> str:
    return url.path + (f"?{url.query}" if url.query else "")
