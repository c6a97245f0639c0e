"""What each HTTP status of a source leads to. The table in docs/sources.md says the same; a test compares them."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType


class Outcome(Enum):
    """What to do with an answer."""

    READ = "read"
    FOLLOW = "followed within the same scheme, host and port; elsewhere a dead letter"
    RETRY = "asked again"
    REFUSE = "dead letter at once"


STATUSES: Mapping[int, Outcome] = MappingProxyType(
    {
        200: Outcome.READ,
        203: Outcome.READ,  # passed on by a proxy; whether it is a page is for the source to say
        204: Outcome.READ,  # nothing found
        301: Outcome.FOLLOW,
        302: Outcome.FOLLOW,
        303: Outcome.FOLLOW,
        307: Outcome.FOLLOW,
        308: Outcome.FOLLOW,
        401: Outcome.REFUSE,
        403: Outcome.RETRY,  # gateways and firewalls also answer it to too many requests; a wrong key dies later
        408: Outcome.RETRY,
        425: Outcome.RETRY,
        429: Outcome.RETRY,
        500: Outcome.RETRY,
        501: Outcome.REFUSE,
        502: Outcome.RETRY,
        503: Outcome.RETRY,
        504: Outcome.RETRY,
        505: Outcome.REFUSE,
        **dict.fromkeys(range(520, 527), Outcome.RETRY),  # Cloudflare's, about the server behind it
    }
)
# RFC 9110, 15: a status that is not known is treated as the x00 of its class.
UNKNOWN: Mapping[int, Outcome] = MappingProxyType({5: Outcome.RETRY})
HINTS: Mapping[int, str] = MappingProxyType(
    {
        401: "the source refuses the key or the User-Agent",
        403: "the source refuses the key or the address, or its gateway limits the rate",
        **dict.fromkeys(range(520, 527), "the gateway does not reach the server behind it"),
    }
)


def outcome(status: int) -> Outcome:
    """What an answer with this status leads to."""
    return STATUSES.get(status) or UNKNOWN.get(status // 100, Outcome.REFUSE)
