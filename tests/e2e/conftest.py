"""The stack as a user starts it: two of each worker, the console, the simulator."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import psycopg2
import psycopg2.extras
import pytest
from redis import Redis

from infra.embedded import stack
from tests.conftest import Smelt, smelt_command

if TYPE_CHECKING:
    from playwright.sync_api import Browser

POSTINGS = 3_000
CHROMIUM = Path(shutil.which("chromium") or "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
]


@contextmanager
def unsupervised(home: Path) -> Iterator[None]:
    """What dies stays dead meanwhile."""
    supervisor = stack.supervisor_status(home)
    assert supervisor is not None
    assert supervisor.pid
    os.kill(supervisor.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(supervisor.pid, signal.SIGCONT)


@dataclass(frozen=True)
class Deployment:
    """A running stack and the ordinary clients that a user has."""

    home: Path
    smelt: Smelt
    environment: dict[str, str]

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """The rows of a query, as dictionaries."""
        connection = psycopg2.connect(self.environment["SMELT_DATABASE_URL"])
        try:
            with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
                cursor.execute(query, values)
                return [dict(row) for row in cursor.fetchall()]
        finally:
            connection.close()

    def execute(self, statement: str, *values: object) -> None:
        """Change something behind everybody's back."""
        connection = psycopg2.connect(self.environment["SMELT_DATABASE_URL"])
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, values)
        finally:
            connection.close()

    def client(self, service: str) -> Any:
        """A plain boto3 client."""
        names = self.environment
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=names["AWS_ENDPOINT_URL"],
            region_name=names["AWS_DEFAULT_REGION"],
            aws_access_key_id=names["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=names["AWS_SECRET_ACCESS_KEY"],
        )

    @property
    def console(self) -> str:
        """The link by which one comes into the console."""
        return "{SMELT_CONSOLE_URL}/?token={SMELT_CONSOLE_TOKEN}".format(**self.environment)

    def upload(self, name: str, body: bytes, dataset: str = "usajobs_search") -> str:
        """Drop a file as any S3 client does; returns its key."""
        key = f"uploads/{dataset}/{name}"
        self.client("s3").put_object(Bucket=self.environment["SMELT_BUCKET"], Key=key, Body=body)
        return key

    def simulator(self, **settings: object) -> Any:
        """Tell the simulator what to do."""
        answer = httpx.post(f"{self.environment['SMELT_USAJOBS_BASE_URL']}/_simulator", json=settings)
        answer.raise_for_status()
        return answer.json()

    def ledger(self, key: str) -> dict[str, Any]:
        """The ledger's row of a bronze object, waited for."""
        return self.eventually(lambda: self.rows("select * from ops.loaded_object where key = %s", key))[0]

    def dead_letter(self, queue: str, part_of_body: str) -> dict[str, str]:
        """The reason on the dead letter whose body contains this, waited for; nothing is consumed."""
        return self.eventually(lambda: self._dead_letter(queue, part_of_body))

    def eventually(self, look: Callable[[], Any], seconds: float = 60) -> Any:
        """The first thing that `look` finds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := look():
                return found
            time.sleep(0.2)
        pytest.fail("it never came")

    def _dead_letter(self, queue: str, part_of_body: str) -> dict[str, str] | None:
        sqs = self.client("sqs")
        url = self.environment[f"SMELT_{queue.upper()}_QUEUE_URL"] + "-dlq"
        answer = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=1, MessageAttributeNames=["All"]
        )
        for message in answer.get("Messages", []):
            if part_of_body in message["Body"]:
                return {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
        return None


@contextmanager
def deployed(folder: Path, *options: str) -> Iterator[Deployment]:
    """`smelt up --detach` with these options and nothing extracted yet; gone afterwards."""
    home = folder / ".smelt"
    smelt = smelt_command(home)
    started = smelt("up", "--detach", "--no-first-run", *options)
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        yield Deployment(home, smelt, stack.environment(home))
    finally:
        stack.erase(home)


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Shared by the modules that leave it as good as they found it: with two of each worker."""
    workers = ("--extractors", "2", "--transformers", "2", "--loaders", "2")
    with deployed(tmp_path_factory.mktemp("user"), *workers, "--records", str(POSTINGS)) as shared:
        yield shared


@pytest.fixture
def empty_deployment(deployment: Deployment) -> Deployment:
    """The shared one with no row, object, message or cached hash."""
    empty(deployment)
    return deployment


def empty(deployment: Deployment) -> None:
    """As after its first start; what tests before have sent must be settled."""
    tables = "select schemaname, tablename from pg_tables where schemaname in ('ops', 'silver')"
    names = [f"{row['schemaname']}.{row['tablename']}" for row in deployment.rows(tables)]
    names.remove("ops.migration")
    deployment.execute(f"truncate {', '.join(names)} restart identity cascade")
    s3, bucket = deployment.client("s3"), deployment.environment["SMELT_BUCKET"]
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    for url in (value for name, value in deployment.environment.items() if name.endswith("_QUEUE_URL")):
        for queue in (url, f"{url}-dlq"):
            deployment.client("sqs").purge_queue(QueueUrl=queue)
    with Redis.from_url(deployment.environment["SMELT_REDIS_URL"]) as redis:
        redis.flushall()


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """A real Chromium; skips loudly where there is none."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.skip("needs playwright and chromium: pip install playwright, apt-get install chromium")
    if not CHROMIUM.exists():
        pytest.skip(f"needs playwright and chromium: there is no {CHROMIUM}, apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def simulated_day() -> str:
    """One day for the whole session: a test run at midnight must not see two."""
    return f"{datetime.now(UTC):%Y-%m-%d}"


def run_outcome(smelt: Smelt, *arguments: str) -> dict[str, Any]:
    """What `smelt runs start … --wait --json` prints."""
    result = smelt("runs", "start", *arguments, "--wait", "--json")
    assert result.stdout, result.stderr
    outcome: dict[str, Any] = json.loads(result.stdout)
    return outcome | {"exit_code": result.returncode}
