"""Who it is that an Application Load Balancer lets in: its signed word, in the header `x-amzn-oidc-data`.

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
KEY_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # it becomes part of a URL
PATIENCE = 3  # s
KEPT = 16  # keys; a load balancer changes its own from time to time

FetchKey = Callable[[str], str]


@dataclass(frozen=True)
class Identity:
    """A person, as the identity provider knows them."""

    name: str
    role: Role


def identify(settings: ConsoleSettings, word: str, key_of: FetchKey) -> Identity:
    """Who it is. `key_of` gives the public key (PEM) of a key's id.

    Raises jwt.InvalidTokenError for what was not signed just now by our load balancer for our client. The claims of its
    header are as much signed as the others.
    """
    head = jwt.get_unverified_header(word)
    if not KEY_ID.fullmatch(str(head.get("kid"))):
        message = "no key is named"
        raise jwt.InvalidTokenError(message)
    # `iss` is that of the identity provider, and says who vouches for the person, not who signed.
    claims = jwt.decode(word, key_of(head["kid"]), [ALGORITHM], options={"require": ["sub"], "verify_iss": False})
    expires = head.get("exp")
    if not isinstance(expires, int | float) or expires < time():
        message = "it has expired"
        raise jwt.ExpiredSignatureError(message)
    if (head.get("signer"), head.get("client")) != (settings.alb_arn, settings.alb_client):
        message = "signed by another load balancer, or for another client"
        raise jwt.InvalidTokenError(message)
    name = str(claims.get("email") or claims["sub"])
    return Identity(name, "operator" if _operates(settings, claims) else "viewer")


def fetching(settings: ConsoleSettings) -> FetchKey:
    """Asks AWS for public keys, each once."""
    base = settings.alb_keys_url or keys_url(settings.alb_arn or "")

    @lru_cache(maxsize=KEPT)
    def key_of(identity: str) -> str:
        with urlopen(f"{base.rstrip('/')}/{identity}", timeout=PATIENCE) as answer:  # noqa: S310 - a setting of ours
            return str(answer.read().decode())

    return key_of


def keys_url(arn: str) -> str:
    """Where the public keys of a load balancer are, by its region."""
    _, partition, _, region, *_ = [*arn.split(":"), "", "", "", ""]
    if partition == "aws-us-gov":
        return f"https://s3-{region}.amazonaws.com/aws-elb-public-keys-prod-{region}"
    return f"https://public-keys.auth.elb.{region}.amazonaws.com"


def _operates(settings: ConsoleSettings, claims: Mapping[str, Any]) -> bool:
    """By a group, or by an e-mail address, unless the provider says that nobody has verified it."""
    named = set(groups(claims.get(settings.groups_claim)))
    if str(claims.get("email_verified", "true")).lower() == "true":
        named.add(str(claims.get("email", "")).lower())
    return not named.isdisjoint({*settings.operators, *(one.lower() for one in settings.operators if "@" in one)})


def groups(claim: object) -> list[str]:
    """The groups in a claim: a list, or what a load balancer makes of one: `[a, b]` or `a,b`."""
    if isinstance(claim, str):
        return [name.strip(' "') for name in claim.strip("[]").split(",") if name.strip(' "')]
    return [str(name) for name in claim] if isinstance(claim, list) else []
