"""Authentication by token and session cookie, or by the signed header of a load balancer."""

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
from services.ops.console.slow_refusal import SlowResponse, WrongTokens
from services.ops.web import templating
from services.ops.web.user import Role, User

TOKEN = "token"  # noqa: S105 - the parameter's name
# Browsers omit SameSite=Strict cookies in cross-site navigation; this page reloads from the same origin.
RELOAD_PAGE = '<!doctype html><meta http-equiv="refresh" content="0"><title>smelt</title>'

log = structlog.get_logger()


class Authenticator(Protocol):
    """Authenticates requests."""

    sessions: Sessions
    secure: bool  # whether browsers always use https

    def authenticate(self, request: Request) -> User | Response:
        """The user, or the response to send when authentication fails. May block."""
        ...


class TokenAuth:
    """Exchanges a token from the login form or a link for a session cookie."""

    secure = False

    def __init__(self, tokens: Mapping[Role, str]) -> None:
        self._tokens, self._wrong_tokens = tokens, WrongTokens()
        self.sessions = Sessions(hashlib.sha256(repr(sorted(tokens.items())).encode()).digest())

    def authenticate(self, request: Request) -> User | Response:
        """Authenticate by session cookie; a token in the URL is exchanged for one."""
        user = self.sessions.read(request)
        if request.method == "GET" and TOKEN in request.query_params:
            return self.exchange(request, request.query_params[TOKEN], _without_token(request.url), user)
        if user is not None:
            return user
        if request.method == "GET" and request.headers.get("sec-fetch-site") == "cross-site":
            return HTMLResponse(RELOAD_PAGE)
        if request.method not in {"GET", "HEAD"}:
            return templating.error_page(request, "Your session has expired. Log in and try again.")
        return RedirectResponse(URL("/login").include_query_params(next=_path(request.url)), 303)

    def exchange(self, request: Request, token: str, to: str, user: User | None = None) -> Response:
        """Redirect to `to` with a session if the token is valid, or keep an existing one; else show the login form."""
        new_user = self._user_of(token)
        if new_user is None and user is None:
            log.warning("console.login_failed", host=request.client.host if request.client else "")
            return SlowResponse(login_form(request, to, wrong=True), self._wrong_tokens.count())
        response = RedirectResponse(to, 303)
        if new_user:
            self.sessions.keep(response, new_user, secure=request.url.scheme == "https")
        return response

    def _user_of(self, token: str) -> User | None:
        for role, expected in self._tokens.items():
            if compare_digest(token.encode(), expected.encode()):
                return self.sessions.open(f"{operator_log.operator()} (console)", role)
        return None


class AlbAuth:
    """Authenticates every request by the load balancer's signed JWT. The session only holds the CSRF token of forms."""

    secure = True

    def __init__(self, settings: ConsoleSettings) -> None:
        self._settings, self._key_of = settings, alb.key_fetcher(settings)
        self.sessions = Sessions(secrets.token_bytes(32))

    def authenticate(self, request: Request) -> User | Response:
        """Authenticate by the signed header; requests that bypass the load balancer are rejected."""
        try:
            identity = alb.identify(self._settings, request.headers.get(alb.HEADER, ""), self._key_of)
        except (jwt.InvalidTokenError, jwt.InvalidKeyError, URLError, TimeoutError) as error:
            log.warning("console.identity_rejected", error_type=type(error).__name__, error=str(error))
            return templating.error_page(
                request, "Sign in through the load balancer; this request carries no valid identity."
            )
        name = f"{identity.name} (console)"
        user = self.sessions.read(request)
        return user if user and (user.name, user.role) == (name, identity.role) else self._open(name, identity.role)

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
    """The login form, which redirects to `to`."""
    return templating.page(request, "console/login.html", 403 if wrong else 200, to=to, wrong=wrong)


def local_path(target: str) -> str:
    """The target if it is a local path, else the overview."""
    parts = urlsplit(target)
    is_local = target.startswith("/") and not parts.scheme and not parts.netloc and "\\" not in target
    return target if is_local and target.isprintable() else "/"


def _without_token(url: URL) -> str:
    return _path(url.remove_query_params(TOKEN))


def _path(url: URL) -> str:
    return url.path + (f"?{url.query}" if url.query else "")
