"""Who uses the console, and what they may do."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["operator", "viewer"]


@dataclass(frozen=True)
class User:
    """Who asks. `session` is the cookie's value; `form` must come back with whatever this user submits."""

    name: str
    role: Role
    session: str
    form: str

    @property
    def operates(self) -> bool:
        """Whether this one may change anything."""
        return self.role == "operator"
