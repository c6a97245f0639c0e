"""What the embedded stack can fail with. `str()` of each says what happened and what to do."""

from shared.errors import PermanentError


class StackError(PermanentError):
    """The stack cannot do what was asked."""


class AlreadyRunning(StackError):  # noqa: N818 - it reads as the answer to `start`
    """A stack of this home is running, starting or stopping."""


class NotRunning(StackError):  # noqa: N818 - it reads as the answer to `environment`
    """No stack of this home is running."""
