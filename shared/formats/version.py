"""What we write says which form it has. A newer one is no mistake: it waits for a worker that knows it."""

import json

from shared.errors import NewerVersionError

KNOWN = 1  # of commands, plans, quarantine and silver's headers alike


def require_supported(text: str | bytes, field: str, what: str) -> None:
    """Raises NewerVersionError if the JSON says in `field` that its form is newer than those we know.

    To be asked once the text has turned out to be none of ours.
    """
    try:
        said = json.loads(text)[field]
    except (ValueError, KeyError, TypeError, RecursionError):
        return
    if type(said) is int and said > KNOWN:
        raise NewerVersionError(what) from None
