"""Format versions. Objects and messages of a newer version wait for a worker that supports it."""

import json

from shared.errors import NewerVersionError

SUPPORTED = 1  # for commands, plans, quarantine and silver headers alike


def require_supported(text: str | bytes, field: str, what: str) -> None:
    """Raises NewerVersionError if the JSON has a newer version in `field`.

    Called after validation has failed.
    """
    try:
        value = json.loads(text)[field]
    except (ValueError, KeyError, TypeError, RecursionError):
        return
    if type(value) is int and value > SUPPORTED:
        raise NewerVersionError(what) from None
