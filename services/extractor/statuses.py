"""What the extractor does for each HTTP status. docs/sources.md has the same table; a test compares them."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType


class Outcome(Enum):
    """What to do with a response."""

    READ = "read"
    FOLLOW = "followed within the same scheme, host and port; elsewhere a dead letter"
    RETRY = "retried"
    DEAD_LETTER = "dead letter at once"


STATUSES: Mapping[int, Outcome] = MappingProxyType(
    {
        200: Outcome.READ,
        203: Outcome.READ,  # from a proxy; the source's check decides whether it is a page
        204: Outcome.READ,  # no records
        301: Outcome.FOLLOW,
        302: Outcome.FOLLOW,
        303: Outcome.FOLLOW,
        307: Outcome.FOLLOW,
        308: Outcome.FOLLOW,
        401: Outcome.DEAD_LETTER,
        403: Outcome.RETRY,  # gateways and firewalls also send it for too many requests
        408: Outcome.RETRY,
        425: Outcome.RETRY,
        429: Outcome.RETRY,
        500: Outcome.RETRY,
        501: Outcome.DEAD_LETTER,
        502: Outcome.RETRY,
        503: Outcome.RETRY,
        504: Outcome.RETRY,
        505: Outcome.DEAD_LETTER,
        **dict.fromkeys(range(520, 527), Outcome.RETRY),  # Cloudflare's codes for errors of the server behind it
    }
)
# RFC 9110, 15: an unrecognised status is treated as the x00 status of its class.
UNKNOWN: Mapping[int, Outcome] = MappingProxyType({5: Outcome.RETRY})
HINTS: Mapping[int, str] = MappingProxyType(
    {
        401: "the source rejects the key or the User-Agent",
        403: "the source rejects the key or the address, or its gateway limits the rate",
        **dict.fromkeys(range(520, 527), "the gateway cannot reach the server behind it"),
    }
)


def outcome(status: int) -> Outcome:
    """What a response with this status leads to."""
    return STATUSES.get(status) or UNKNOWN.get(status // 100, Outcome.DEAD_LETTER)
