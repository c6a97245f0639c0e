"""Sessions in signed cookies, and CSRF tokens of forms."""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta

import jwt
from starlette.requests import Request
from starlette.responses import Response

from services.ops.web.user import Role, User

SESSION_LIFETIME = timedelta(hours=12)  # a working day
ALGORITHM = "HS256"


class Sessions:
    """Creates and verifies session cookies. Nothing is stored; a new key invalidates all sessions."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        # Cookies are not separated by port, so two consoles on one machine need different names.
        self.cookie = f"smelt-{hashlib.blake2s(b'cookie', key=key[:32], digest_size=4).hexdigest()}"

    def open(self, name: str, role: Role) -> User:
        """Start a session."""
        now = datetime.now(UTC)
        claims = {"sub": name, "role": role, "exp": now + SESSION_LIFETIME, "jti": secrets.token_hex(16)}
        return self._user(name, role, jwt.encode(claims, self._key, ALGORITHM))

    def read(self, request: Request) -> User | None:
        """The session of a request, or None."""
        cookie = request.cookies.get(self.cookie, "")
        try:
            claims = jwt.decode(cookie, self._key, [ALGORITHM], options={"require": ["sub", "role", "exp", "jti"]})
        except jwt.InvalidTokenError:
            return None
        return self._user(claims["sub"], claims["role"], cookie)

    def keep(self, response: Response, user: User, *, secure: bool) -> None:
        """Set the session cookie. SameSite=Strict keeps other sites from using it."""
        response.set_cookie(
            self.cookie,
            user.session,
            max_age=int(SESSION_LIFETIME.total_seconds()),
            httponly=True,
            samesite="strict",
            secure=secure,
        )

    def end(self, response: Response) -> None:
        """Delete the session cookie."""
        response.delete_cookie(self.cookie, httponly=True, samesite="strict")

    def _user(self, name: str, role: Role, session: str) -> User:
        form = hmac.new(self._key, b"form:" + session.encode(), hashlib.sha256).hexdigest()
        return User(name, role, session, form)
