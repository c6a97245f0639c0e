"""Keys, texts and messages that would colour a terminal, end a line, close a quote or open a script are only shown."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import pytest

from tests.e2e.conftest import Deployment, deployed
from tests.e2e.console_pages import pages

pytestmark = pytest.mark.e2e

TERMINAL = "\x1b[31mred\x1b]0;owned\x07\x9b31m\r\n\x7f\u202e\u2028"
MARKUP = "[bold red]loud[/] <script>alert(1)</script>"
QUOTES = "'; drop table silver.job; -- \" %s %(x)s {{7*7}}"
HOSTILE = f"{TERMINAL} {MARKUP} {QUOTES}"
NUMBER = "666000666"
TITLE = f"Smelter {HOSTILE}".replace("\r\n", " ")
SERVICES = ("extractor", "transformer", "uploads", "loader", "console")


def page(**descriptor: object) -> bytes:
    record = {"MatchedObjectId": NUMBER, "MatchedObjectDescriptor": descriptor}
    return json.dumps({"SearchResult": {"SearchResultItems": [record]}}).encode()


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Its own stack: the emulator cannot list a bucket with such keys, as S3 can, so that no audit works any more."""
    with deployed(tmp_path_factory.mktemp("hostile"), "--records", "100") as own:
        yield own


@pytest.fixture(scope="module")
def keys(deployment: Deployment) -> Mapping[str, str]:
    """Objects of such names: one that lands, one whose record is rejected, one that is a dead letter; and a message."""
    sent = {
        "good": deployment.upload(f"hostile/good {HOSTILE}.json", page(PositionTitle=TITLE)),
        "rejected": deployment.upload(f"hostile/rejected {HOSTILE}.json", page(PositionURI=HOSTILE)),
        "dead": deployment.upload(f"hostile/dead {HOSTILE}.json", b"\x1b[2J\x9b31m not JSON [red]"),
    }
    deployment.client("sqs").send_message(
        QueueUrl=deployment.environment["SMELT_EXTRACT_QUEUE_URL"],
        MessageBody=json.dumps({"version": 1, "type": "run", "dataset": HOSTILE.strip(), "params": {HOSTILE: HOSTILE}}),
    )
    deployment.ledger(sent["good"])
    deployment.eventually(lambda: deployment.rows("select 1 from ops.quarantine where key = %s", sent["rejected"]))
    for part in ("hostile/dead", "drop table"):
        deployment.eventually(partial(letters, deployment, part))
    return sent


def harmless(output: str) -> bool:
    return all(line.isprintable() for line in output.split("\n"))


def letters(deployment: Deployment, part: str) -> list[str]:
    """Ids of dead letters whose body has this, on whatever queue."""
    found = json.loads(deployment.smelt("dlq", "list", "--json").stdout)["dead_letters"]
    return [one["id"] for one in found if part in one["body"]]


def the_letter(deployment: Deployment) -> list[str]:
    """The command that shows the dead letter about the dead object."""
    return ["dlq", "show", letters(deployment, "hostile/dead")[0]]


COMMANDS: dict[str, Callable[[Deployment, Mapping[str, str]], list[str]]] = {
    "the list of dead letters": lambda _, __: ["dlq", "list", "--all"],
    "a dead letter": lambda deployment, _: the_letter(deployment),
    "what is in quarantine": lambda _, __: ["quarantine", "list", "--each"],
    "the way of an object": lambda _, keys: ["lineage", keys["good"]],
    "the way of a rejected object": lambda _, keys: ["lineage", keys["rejected"]],
    "the way of a dead object": lambda _, keys: ["lineage", keys["dead"]],
    "the way of a row": lambda _, __: ["lineage", NUMBER],
    "a reconciliation": lambda _, __: ["reconcile"],
    "drift": lambda _, __: ["drift"],
    "queues and workers": lambda _, __: ["top", "--once"],
    "a refused dataset": lambda _, __: ["runs", "start", HOSTILE],
    "a refused parameter": lambda _, __: ["runs", "start", "usajobs_search", "--param", f"{HOSTILE}=x"],
    "a file that is not there": lambda _, __: ["upload", HOSTILE, "usajobs_search"],
    "the lineage of nothing": lambda _, __: ["lineage", f"bronze/{HOSTILE}"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_terminal_obeys_nothing_in(name: str, deployment: Deployment, keys: Mapping[str, str]) -> None:
    result = deployment.smelt(*COMMANDS[name](deployment, keys))
    assert result.stdout + result.stderr
    assert harmless(result.stdout), repr(result.stdout)
    assert harmless(result.stderr), repr(result.stderr)


def test_dead_letters_are_shown_as_they_are(deployment: Deployment, keys: Mapping[str, str]) -> None:
    assert keys
    shown = deployment.smelt(*the_letter(deployment)).stdout
    assert "\\x1b[31mred" in shown
    assert "[bold red]loud" in shown


def test_the_database_holds_the_text_itself(deployment: Deployment, keys: Mapping[str, str]) -> None:
    assert deployment.rows("select key from ops.loaded_object where key = %s", keys["good"])
    (row,) = deployment.rows("select position_title from silver.job where control_number = %s", NUMBER)
    assert row["position_title"] == TITLE


def test_every_line_of_a_log_is_one_harmless_object(deployment: Deployment, keys: Mapping[str, str]) -> None:
    assert keys
    lines = [
        line
        for service in SERVICES
        for file in (deployment.home / "logs").glob(f"{service}*")
        for line in file.read_bytes().decode().split("\n")
        if line
    ]
    assert any("drop table" in line for line in lines)
    assert all(line.isprintable() for line in lines)
    assert all(isinstance(json.loads(line), dict) for line in lines)


def test_the_console_shows_markup_and_runs_none(deployment: Deployment, keys: Mapping[str, str]) -> None:
    assert keys
    shown = deployment.eventually(lambda: found if "drop table" in (found := "".join(console(deployment))) else None)
    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert" in shown


def console(deployment: Deployment) -> list[str]:
    return list(pages(deployment.environment).values())
