"""The console behind a load balancer that says who is there; its keys come from a server as AWS has one."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.ops.console.auth import AlbAuth
from services.ops.console.settings import ConsoleSettings
from services.ops.overview.collector import Measurements
from services.ops.probe import Unavailable
from tests.e2e.console_server import Console
from tests.integration.collector import serving

pytestmark = pytest.mark.e2e

ARN = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/smelt/50dc6c495c0c9188"
KEY_ID = "0f4c5f7a-3d1b-4a53-9d7e-2f1f3b1c9a10"
KEY = ec.generate_private_key(ec.SECP256R1())
AWAY = Unavailable("away")
BLIND = Measurements(datetime(2026, 1, 2, tzinfo=UTC), AWAY, AWAY, AWAY, AWAY, quiet=False)
ACTION = "/actions/nothing/confirm"  # 404 for whom it lets through


@pytest.fixture(scope="module")
def console() -> Iterator[Console]:
    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == f"/{KEY_ID}" else 404)
            self.end_headers()
            form = serialization.PublicFormat.SubjectPublicKeyInfo
            self.wfile.write(KEY.public_key().public_bytes(serialization.Encoding.PEM, form))

        def log_message(self, *_: Any) -> None:
            pass

    with serving(Keys) as url:
        chosen = ConsoleSettings(
            alb_arn=ARN, alb_client="smelt", alb_keys_url=url, operators=("ann@example.org",), _env_file=None
        )
        served = Console(BLIND, AlbAuth(chosen))
        yield served
        served.stop()


def word(email: str, **head: object) -> dict[str, str]:
    headers = {"kid": KEY_ID, "signer": ARN, "client": "smelt", "exp": time.time() + 60} | head
    return {"X-Amzn-Oidc-Data": jwt.encode({"sub": "1", "email": email}, KEY, "ES256", headers)}


def submit(console: Console, email: str, form_of: str) -> int:
    """A form taken as one person and submitted as another, by the same browser."""
    with httpx.Client(base_url=console.url) as client:
        page = client.get("/", headers=word(form_of))
        cookies = {cookie.name: cookie.value or "" for cookie in client.cookies.jar}  # httpx keeps secure ones back
        found = re.search(r'name="form" value="([0-9a-f]{64})"', page.text)
        assert found
        headers = {"Origin": console.url, "Cookie": "; ".join(f"{n}={v}" for n, v in cookies.items()), **word(email)}
        return client.post(ACTION, data={"form": found[1]}, headers=headers).status_code


def test_the_page_says_who_the_load_balancer_says_it_is(console: Console) -> None:
    answer = httpx.get(console.url, headers=word("bob@example.org"))
    assert answer.status_code == 200
    assert "bob@example.org (console), viewer" in answer.text
    assert "secure" in answer.headers["set-cookie"].lower()


def test_whoever_comes_round_the_load_balancer_is_refused(console: Console) -> None:
    assert httpx.get(console.url).status_code == 403
    assert httpx.get(console.url, headers=word("ann@example.org", signer=ARN + "x")).status_code == 403
    assert httpx.get(console.url, headers=word("ann@example.org", kid=KEY_ID[:-1] + "f")).status_code == 403


def test_a_token_is_no_way_in(console: Console) -> None:
    assert httpx.get(console.url, params={"token": "an operator's token"}).status_code == 403
    assert httpx.post(f"{console.url}/login", data={"token": "x"}).status_code == 403


def test_an_operator_acts_and_a_viewer_does_not(console: Console) -> None:
    assert submit(console, "ann@example.org", form_of="ann@example.org") == 404
    assert submit(console, "bob@example.org", form_of="bob@example.org") == 403


def test_a_form_of_somebody_else_is_refused(console: Console) -> None:
    assert submit(console, "ann@example.org", form_of="bob@example.org") == 403
