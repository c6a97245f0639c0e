"""Authentication of the emulator: accepts requests to its own names that are signed with the stack's secret key.

`ministack` itself answers any local user, and any web page that a browser on this machine shows: it asks for no
credentials, allows every origin, and takes every Host header (DNS rebinding).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

from ministack.core import sigv4

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]

HEALTH: Final = "/_ministack/health"  # all that is answered without a signature
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})


@dataclass(frozen=True)
class Credentials:
    """The one pair that the emulator knows."""

    access_key: str
    secret_key: str


def refusal(scope: Scope, hosts: frozenset[str], credentials: Credentials, body: bytes) -> str:
    """The reason for rejecting a request; empty if it is accepted."""
    headers = _headers(scope)
    if _name(headers.get("host", "")) not in hosts:
        return "the Host header names another server"
    if scope["path"] == HEALTH:
        return ""
    signature = sigv4.parse_header_signature(headers)
    if isinstance(signature, tuple) or signature.access_key_id != credentials.access_key:
        return "no credentials of this stack: see `smelt env`"
    path = scope["raw_path"].decode("ascii").partition("?")[0]
    query = parse_qs(scope["query_string"].decode("ascii"), keep_blank_values=True)
    failure = sigv4.header_signature_failure(
        signature, credentials.secret_key, scope["method"], path, query, headers, body
    )
    return "the signature is not of this stack's secret access key: see `smelt env`" if failure else ""


async def body_to_verify(scope: Scope, receive: Receive) -> tuple[bytes, Receive]:
    """The body where its hash is part of what must be verified (S3 sends it as a header), and how to read it again."""
    if scope["path"] == HEALTH or "x-amz-content-sha256" in _headers(scope):
        return b"", receive
    messages = [await receive()]
    while messages[-1].get("more_body"):
        messages.append(await receive())
    body = b"".join(message.get("body", b"") for message in messages)

    async def again() -> dict[str, Any]:
        return messages.pop(0) if messages else await receive()

    return body, again


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): sigv4.decode_header_value(value) for name, value in scope["headers"]}


def _name(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()
