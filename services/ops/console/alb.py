"""Authentication by the JWT of an Application Load Balancer in the header `x-amzn-oidc-data`.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from time import time
from typing import Any
from urllib.request import urlopen

import jwt

from services.ops.console.settings import ConsoleSettings
from services.ops.web.user import Role

HEADER = "x-amzn-oidc-data"
ALGORITHM = "ES256"
KEY_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # used in a URL
KEY_TIMEOUT_SECONDS = 3  # s
MAX_CACHED_KEYS = 16  # load balancers rotate their keys

FetchKey = Callable[[str], str]


@dataclass(frozen=True)
class Identity:
    """A user according to the identity provider."""

    name: str
    role: Role


def identify(settings: ConsoleSettings, token: str, key_of: FetchKey) -> Identity:
    """Verify the token and return the identity. `key_of` returns the public key (PEM) of a key id.

    Raises jwt.InvalidTokenError unless it is unexpired and signed by the configured load balancer for the configured
    client. Claims in the JWT header are signed as well.
    """
    head = jwt.get_unverified_header(token)
    if not KEY_ID.fullmatch(str(head.get("kid"))):
        message = "the token has no valid key id"
        raise jwt.InvalidTokenError(message)
    # `iss` is the identity provider, not the signer.
    claims = jwt.decode(token, key_of(head["kid"]), [ALGORITHM], options={"require": ["sub"], "verify_iss": False})
    expires = head.get("exp")
    if not isinstance(expires, int | float) or expires < time():
        message = "the token has expired"
        raise jwt.ExpiredSignatureError(message)
    if (head.get("signer"), head.get("client")) != (settings.alb_arn, settings.alb_client):
        message = "signed by another load balancer, or for another client"
        raise jwt.InvalidTokenError(message)
    name = str(claims.get("email") or claims["sub"])
    return Identity(name, "operator" if _is_operator(settings, claims) else "viewer")


def key_fetcher(settings: ConsoleSettings) -> FetchKey:
    """A function that fetches public keys from AWS and caches them."""
    base = settings.alb_keys_url or keys_url(settings.alb_arn or "")

    @lru_cache(maxsize=MAX_CACHED_KEYS)
    def key_of(identity: str) -> str:
        with urlopen(f"{base.rstrip('/')}/{identity}", timeout=KEY_TIMEOUT_SECONDS) as response:  # noqa: S310 - the URL comes from our settings
            return str(response.read().decode())

    return key_of


def keys_url(arn: str) -> str:
    """The URL of a load balancer's public keys, by its region."""
    _, partition, _, region, *_ = [*arn.split(":"), "", "", "", ""]
    if partition == "aws-us-gov":
        return f"https://s3-{region}.amazonaws.com/aws-elb-public-keys-prod-{region}"
    return f"https://public-keys.auth.elb.{region}.amazonaws.com"


def _is_operator(settings: ConsoleSettings, claims: Mapping[str, Any]) -> bool:
    """Whether a group or a verified e-mail address is among the operators."""
    claimed = set(groups(claims.get(settings.groups_claim)))
    if str(claims.get("email_verified", "true")).lower() == "true":
        claimed.add(str(claims.get("email", "")).lower())
    return not claimed.isdisjoint({*settings.operators, *(name.lower() for name in settings.operators if "@" in name)})


def groups(claim: object) -> list[str]:
    """The groups in a claim: a list, or as ALBs encode lists, `[a, b]` or `a,b`."""
    if isinstance(claim, str):
        return [name.strip(' "') for name in claim.strip("[]").split(",") if name.strip(' "')]
    return [str(name) for name in claim] if isinstance(claim, list) else []
