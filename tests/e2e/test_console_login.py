"""Who comes into the console, and what a form must bring with it. The pages and the server are the real ones."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from services.ops.console.slow_refusal import WrongTokens
from services.ops.overview.collector import Measurements
from services.ops.probe import Unavailable
from tests.e2e.console_server import READ_TOKEN, TOKEN, Console

pytestmark = pytest.mark.e2e

AWAY = Unavailable("away")
BLIND = Measurements(datetime(2026, 1, 2, tzinfo=UTC), AWAY, AWAY, AWAY, AWAY, quiet=False)
ACTION = "/actions/nothing/confirm"  # 404 for whom it lets through


@pytest.fixture(scope="module")
def console() -> Iterator[Console]:
    served = Console(BLIND)
    yield served
    served.stop()


@pytest.fixture
def stranger(console: Console) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=console.url) as client:
        yield client


@pytest.fixture
def operator(stranger: httpx.Client) -> httpx.Client:
    stranger.get("/", params={"token": TOKEN})
    return stranger


def form_of(client: httpx.Client) -> str:
    """The token that this session's forms carry."""
    found = re.search(r'name="form" value="([0-9a-f]{64})"', client.get("/").text)
    assert found
    return found[1]


def submit(client: httpx.Client, form: str, path: str = ACTION, **headers: str) -> httpx.Response:
    ours: dict[str, Any] = {"Origin": str(client.base_url).rstrip("/")} | headers
    return client.post(path, data={"form": form}, headers=ours)


@pytest.mark.parametrize("path", ["/", "/overview", "/runs", "/dead-letters", "/audit?before=7", "/actions/x"])
def test_no_page_is_shown_before_one_has_come_in(stranger: httpx.Client, path: str) -> None:
    answer = stranger.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login?next=%2F")


def test_the_health_needs_no_login(stranger: httpx.Client) -> None:
    assert stranger.get("/healthz", headers={"Host": "10.0.0.7:8420"}).text == "ok"


def test_the_form_leads_back_to_the_page_that_was_asked_for(stranger: httpx.Client, console: Console) -> None:
    login = {"token": TOKEN, "next": "/audit?before=7"}
    answer = stranger.post("/login", data=login, headers={"Origin": console.url})
    assert (answer.status_code, answer.headers["location"]) == (303, "/audit?before=7")
    assert stranger.get("/").status_code == 200


@pytest.mark.parametrize("elsewhere", ["https://example.org/", "//example.org", "/\\example.org", "javascript:1"])
def test_a_login_never_leads_elsewhere(stranger: httpx.Client, console: Console, elsewhere: str) -> None:
    login = {"token": TOKEN, "next": elsewhere}
    assert stranger.post("/login", data=login, headers={"Origin": console.url}).headers["location"] == "/"


@pytest.mark.parametrize("token", ["", "another", TOKEN + "x", "é"])
def test_a_wrong_token_is_refused(stranger: httpx.Client, console: Console, token: str) -> None:
    answer = stranger.post("/login", data={"token": token}, headers={"Origin": console.url})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert stranger.get("/", params={"token": token}).status_code == 403


def test_a_link_is_exchanged_for_a_cookie_that_scripts_and_pages_elsewhere_do_not_get(stranger: httpx.Client) -> None:
    answer = stranger.get("/runs", params={"token": TOKEN, "limit": "5"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/runs?limit=5")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in cookie


@pytest.mark.parametrize("cookie", ["", "x", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4Iiwicm9sZSI6Im9wZXJhdG9yIn0."])
def test_a_forged_cookie_is_none(operator: httpx.Client, cookie: str) -> None:
    (name,) = operator.cookies.keys()
    operator.cookies.set(name, cookie, domain="127.0.0.1")
    operator.cookies = httpx.Cookies({name: cookie})
    assert operator.get("/").status_code == 303


def test_a_link_in_a_page_elsewhere_leads_to_the_page_after_all(stranger: httpx.Client) -> None:
    """The browser keeps the strict cookie back, but sends it with what our own answer asks for."""
    answer = stranger.get("/runs", headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, 'http-equiv="refresh"' in answer.text) == (200, True)


def test_who_has_come_in_may_act_with_the_form_of_the_session(operator: httpx.Client) -> None:
    assert submit(operator, form_of(operator)).status_code == 404


@pytest.mark.parametrize("form", ["", "0" * 64, "é"])
def test_a_form_without_the_session_s_token_is_refused(operator: httpx.Client, form: str) -> None:
    assert submit(operator, form).status_code == 403


def test_a_form_of_another_session_is_refused(operator: httpx.Client, console: Console) -> None:
    with httpx.Client(base_url=console.url) as other:
        other.get("/", params={"token": TOKEN})
        assert submit(operator, form_of(other)).status_code == 403


@pytest.mark.parametrize("origin", ["https://example.org", "null", "", "http://127.0.0.1:1"])
def test_a_form_of_a_page_elsewhere_is_refused(operator: httpx.Client, origin: str) -> None:
    assert submit(operator, form_of(operator), Origin=origin).status_code == 403


def test_a_form_without_an_origin_is_refused(operator: httpx.Client) -> None:
    assert operator.post(ACTION, data={"form": form_of(operator)}).status_code == 403


def test_a_login_from_a_page_elsewhere_is_refused(stranger: httpx.Client) -> None:
    answer = stranger.post("/login", data={"token": TOKEN}, headers={"Origin": "https://example.org"})
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


def test_a_form_that_is_too_large_is_refused(operator: httpx.Client) -> None:
    assert submit(operator, "0" * (1 << 21)).status_code == 413


@pytest.mark.parametrize(
    "path", ["/dead-letters/replay", "/dead-letters/discard", "/quarantine/replay", "/schedules/change", ACTION]
)
def test_who_may_only_look_changes_nothing(stranger: httpx.Client, path: str) -> None:
    stranger.get("/", params={"token": READ_TOKEN})
    assert submit(stranger, form_of(stranger), path).status_code == 403


def test_who_logs_out_has_to_come_in_again(operator: httpx.Client) -> None:
    assert submit(operator, form_of(operator), "/logout").status_code == 303
    assert operator.get("/").status_code == 303


def test_each_wrong_token_makes_the_next_refusal_slower() -> None:
    wrong = WrongTokens()
    assert [wrong.count() for _ in range(3)] == [0.5, 1.0, 1.5]
    assert max(wrong.count() for _ in range(100)) == 10


def test_a_refusal_waits_and_a_right_token_does_not(stranger: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("anyio.sleep", note)
    assert stranger.get("/", params={"token": "guessed"}).status_code == 403
    assert stranger.get("/", params={"token": TOKEN}).status_code == 303
    assert len(waits) == 1
