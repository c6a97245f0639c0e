"""Who is there, kept in a signed cookie, and the token that makes a form this session's own."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import jwt
from starlette.requests import Request
from starlette.responses import Response

Role = Literal["operator", "reader"]

LASTS = timedelta(hours=12)  # a working day: afterwards one shows the token again
ALGORITHM = "HS256"


@dataclass(frozen=True)
class Visitor:
    """Who asks. `session` is the cookie's value; `form` must come back with whatever this visitor submits."""

    name: str
    role: Role
    session: str
    form: str

    @property
    def operates(self) -> bool:
        """Whether this one may change anything."""
        return self.role == "operator"


class Sessions:
    """Makes and reads cookies. Another key, and all sessions have ended: nothing of them is kept here."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        # Cookies know no ports: two consoles on one machine must not take each other's.
        self.cookie = f"smelt-{hashlib.blake2s(b'cookie', key=key[:32], digest_size=4).hexdigest()}"

    def open(self, name: str, role: Role) -> Visitor:
        """A new session."""
        now = datetime.now(UTC)
        claims = {"sub": name, "role": role, "exp": now + LASTS, "jti": secrets.token_hex(16)}
        return self._visitor(name, role, jwt.encode(claims, self._key, ALGORITHM))

    def read(self, request: Request) -> Visitor | None:
        """The session that a request belongs to."""
        held = request.cookies.get(self.cookie, "")
        try:
            claims = jwt.decode(held, self._key, [ALGORITHM], options={"require": ["sub", "role", "exp", "jti"]})
        except jwt.InvalidTokenError:
            return None
        return self._visitor(claims["sub"], claims["role"], held)

    def keep(self, response: Response, visitor: Visitor, *, secure: bool) -> None:
        """Let the browser keep it; pages elsewhere cannot make the browser send it."""
        response.set_cookie(
            self.cookie,
            visitor.session,
            max_age=int(LASTS.total_seconds()),
            httponly=True,
            samesite="strict",
            secure=secure,
        )

    def end(self, response: Response) -> None:
        """Let the browser forget it."""
        response.delete_cookie(self.cookie, httponly=True, samesite="strict")

    def _visitor(self, name: str, role: Role, session: str) -> Visitor:
        form = hmac.new(self._key, b"form:" + session.encode(), hashlib.sha256).hexdigest()
        return Visitor(name, role, session, form)
