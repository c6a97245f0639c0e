"""Who is there, kept in a signed cookie, and the token that makes a form this session's own."""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta

import jwt
from starlette.requests import Request
from starlette.responses import Response

from services.ops.web.user import Role, User

LASTS = timedelta(hours=12)  # a working day: afterwards one shows the token again
ALGORITHM = "HS256"


class Sessions:
    """Makes and reads cookies. Another key, and all sessions have ended: nothing of them is kept here."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        # Cookies know no ports: two consoles on one machine must not take each other's.
        self.cookie = f"smelt-{hashlib.blake2s(b'cookie', key=key[:32], digest_size=4).hexdigest()}"

    def open(self, name: str, role: Role) -> User:
        """A new session."""
        now = datetime.now(UTC)
        claims = {"sub": name, "role": role, "exp": now + LASTS, "jti": secrets.token_hex(16)}
        return self._user(name, role, jwt.encode(claims, self._key, ALGORITHM))

    def read(self, request: Request) -> User | None:
        """The session that a request belongs to."""
        held = request.cookies.get(self.cookie, "")
        try:
            claims = jwt.decode(held, self._key, [ALGORITHM], options={"require": ["sub", "role", "exp", "jti"]})
        except jwt.InvalidTokenError:
            return None
        return self._user(claims["sub"], claims["role"], held)

    def keep(self, response: Response, user: User, *, secure: bool) -> None:
        """Let the browser keep it; pages elsewhere cannot make the browser send it."""
        response.set_cookie(
            self.cookie,
            user.session,
            max_age=int(LASTS.total_seconds()),
            httponly=True,
            samesite="strict",
            secure=secure,
        )

    def end(self, response: Response) -> None:
        """Let the browser forget it."""
        response.delete_cookie(self.cookie, httponly=True, samesite="strict")

    def _user(self, name: str, role: Role, session: str) -> User:
        form = hmac.new(self._key, b"form:" + session.encode(), hashlib.sha256).hexdigest()
        return User(name, role, session, form)
