"""Users of the console and their roles."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["operator", "viewer"]


@dataclass(frozen=True)
class User:
    """An authenticated user. `session` is the cookie's value, `form` the CSRF token of forms."""

    name: str
    role: Role
    session: str
    form: str

    @property
    def operates(self) -> bool:
        """Whether the user may perform actions."""
        return self.role == "operator"
