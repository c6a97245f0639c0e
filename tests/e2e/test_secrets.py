"""No password or key is anywhere but where it has to be, whatever fails: told to a stack that fails in every way."""

import base64
import gzip
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from infra.embedded import stack
from tests.conftest import REPOSITORY, smelt_command
from tests.e2e.conftest import Deployment, unsupervised
from tests.e2e.console_pages import pages
from tests.e2e.provoked import Provoked
from tests.integration.collector import serving

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]  # everything fails once before the first test

Found = dict[str, bytes]  # {place: what was there}
# Files whose purpose it is to hold them, readable by their owner only; Postgres itself keeps hashes.
KEEPERS = {"stack.json", "valkey/valkey.conf", "console-token"}
TABLES = "select schemaname, tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"
CONSOLE = "console"  # `smelt up` says its token: that is how a person comes in
READERS_PAGES = ("/", "/openapi.json", "/v1/postings", "/v1/nothing", "/v1/postings?limit=x")


@pytest.fixture(scope="module")
def told() -> Iterator[list[bytes]]:
    """Every request that a collector of telemetry got."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            bodies.append(str(self.headers).encode() + unzipped(body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with serving(Handler) as url, pytest.MonkeyPatch.context() as environment:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        environment.setenv("OTEL_METRIC_EXPORT_INTERVAL", "2000")  # ms
        yield bodies


@pytest.fixture(scope="module")
def provoked(told: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provoked]:
    """A stack of its own after all its failures."""
    assert told == []
    home = tmp_path_factory.mktemp("canary") / ".smelt"
    smelt = smelt_command(home)
    started = smelt("up", "--detach", "--no-first-run", "--records", "300")
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        provoked = Provoked(Deployment(home, smelt, stack.environment(home)), [started.stdout, started.stderr])
        with unsupervised(home):
            provoked.everything()
            yield provoked
    finally:
        stack.erase(home)


@pytest.fixture(scope="module")
def canaries(provoked: Provoked) -> Mapping[str, str]:
    """{whose: secret}; 48 random hex digits each."""
    found = asdict(provoked.state().secrets)
    return found | {CONSOLE: provoked.deployment.environment["SMELT_CONSOLE_TOKEN"]}


def leaks(found: Found, canaries: Mapping[str, str]) -> list[str]:
    """Which secret is where, as it is or in base64."""
    return [
        f"{whose} in {place}"
        for place, content in found.items()
        for whose, secret in canaries.items()
        if secret.encode() in content or base64.b64encode(secret.encode())[:40] in content
    ]


def test_a_secret_would_be_found(provoked: Provoked, canaries: Mapping[str, str]) -> None:
    home = provoked.deployment.home
    found = {name: (home / name).read_bytes() for name in KEEPERS} | {"zipped": b""}
    provoked.deployment.client("s3").put_object(
        Bucket=provoked.deployment.environment["SMELT_BUCKET"],
        Key="found/it.gz",
        Body=gzip.compress(canaries["database_owner"].encode()),
    )
    assert {leak.rpartition(" in ")[2] for leak in leaks(found, canaries)} == KEEPERS
    assert any("found/it.gz" in leak for leak in leaks(objects(provoked.deployment, "found/"), canaries))


def test_no_log_holds_a_secret(provoked: Provoked, canaries: Mapping[str, str]) -> None:
    found = {file.name: file.read_bytes() for file in (provoked.deployment.home / "logs").iterdir()}
    assert any(b"message.dead_letter" in log for log in found.values())
    assert leaks(found, canaries) == []


def test_no_command_says_a_secret(provoked: Provoked, canaries: Mapping[str, str]) -> None:
    found = {f"output {number}": said.encode() for number, said in enumerate(provoked.said)}
    everything = "".join(provoked.said)
    for expected in (
        "Traceback",
        "401 Unauthorized",
        "password authentication failed",
        "expected postgres://",
        "expected redis://",
    ):
        assert expected in everything
    assert leaks(found, {whose: secret for whose, secret in canaries.items() if whose != CONSOLE}) == []
    assert leaks({place: said for place, said in found.items() if b"token=" not in said}, canaries) == []


def test_no_process_has_a_secret_among_its_arguments(provoked: Provoked, canaries: Mapping[str, str]) -> None:
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            found[process.name] = (process / "cmdline").read_bytes()
    running = [str(part.pid) for part in stack.status(provoked.deployment.home) if part.pid and part.state != "dead"]
    assert set(running) <= set(found)
    assert leaks(found, canaries) == []


def test_no_object_holds_a_secret(provoked: Provoked, canaries: Mapping[str, str]) -> None:
    found: Found = {}
    for prefix in ("bronze/", "silver/", "plans/", "quarantine/"):
        found |= objects(provoked.deployment, prefix)
    assert any(key.startswith("bronze/usajobs_search/date=") for key in found)
    assert any(key.endswith(".parquet") for key in found)
    assert leaks(found, canaries) == []


def test_no_message_holds_a_secret(provoked: Provoked, canaries: Mapping[str, str]) -> None:
    found = messages(provoked.deployment)
    assert any("-dlq" in place for place in found)
    assert leaks(found, canaries) == []


def test_no_row_holds_a_secret(provoked: Provoked, canaries: Mapping[str, str]) -> None:
    rows = provoked.deployment.rows
    names = [f"{one['schemaname']}.{one['tablename']}" for one in rows(TABLES)]
    lines = "select t::text as line from {} t"
    found = {name: "\n".join(row["line"] for row in rows(lines.format(name))).encode() for name in names}
    assert found["silver.job"]
    assert found["ops.run"]
    assert leaks(found, canaries) == []


def test_no_page_shows_a_secret(provoked: Provoked, canaries: Mapping[str, str]) -> None:
    found = {path: page.encode() for path, page in pages(provoked.deployment.environment).items()}
    assert len(found) > 3
    with readers(provoked.deployment) as url:
        found |= {f"readers {path}": httpx.get(url + path, timeout=30).content for path in READERS_PAGES}
    assert any(b"PermanentError" in page for page in found.values())
    assert leaks(found, canaries) == []


def test_no_telemetry_holds_a_secret(provoked: Provoked, told: list[bytes], canaries: Mapping[str, str]) -> None:
    provoked.deployment.eventually(lambda: any(b"transformer" in request for request in told))
    assert leaks({f"request {number}": request for number, request in enumerate(told)}, canaries) == []


def test_no_other_file_of_the_stack_holds_a_secret(provoked: Provoked, canaries: Mapping[str, str]) -> None:
    home = provoked.deployment.home
    found = {}
    for file in home.rglob("*"):
        with suppress(OSError):  # sockets, and files that have gone
            if file.is_file() and str(file.relative_to(home)) not in KEEPERS:
                found[str(file.relative_to(home))] = file.read_bytes()
    assert leaks(found, canaries) == []
    for keeper in KEEPERS:
        assert not (home / keeper).stat().st_mode & 0o077


def objects(deployment: Deployment, prefix: str) -> Found:
    """Every version below a prefix: metadata, and content as it is, unzipped and unpacked."""
    s3, bucket = deployment.client("s3"), deployment.environment["SMELT_BUCKET"]
    found = {}
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        for version in page.get("Versions", []):
            got = s3.get_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
            body = got["Body"].read()
            found[version["Key"]] = repr(got["Metadata"]).encode() + unzipped(body) + rows_of(body)
    return found


def unzipped(body: bytes) -> bytes:
    """Content of a gzip; anything else as it is."""
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


def rows_of(body: bytes) -> bytes:
    """What a Parquet file says, its header among it."""
    if not body.startswith(b"PAR1"):
        return b""
    frame, header = pl.read_parquet(io.BytesIO(body)), pl.read_parquet_metadata(io.BytesIO(body))
    return repr([header, *frame.rows()]).encode()


def messages(deployment: Deployment) -> Found:
    """What waits on the queues and behind them, with attributes; they stay there."""
    found: Found = {}
    sqs = deployment.client("sqs")
    for url in (value for name, value in deployment.environment.items() if name.endswith("_QUEUE_URL")):
        for place in (url, url + "-dlq"):
            while got := sqs.receive_message(
                QueueUrl=place, MaxNumberOfMessages=10, VisibilityTimeout=20, MessageAttributeNames=["All"]
            ).get("Messages"):
                found |= {f"{place} {one['MessageId']}": repr(one).encode() for one in got}
    return found


@contextmanager
def readers(deployment: Deployment) -> Iterator[str]:
    """The read API on a port of its own."""
    environment = os.environ | deployment.environment | {"SMELT_SERVING_PORT": "0"}
    command = [sys.executable, "-m", "services.serving"]
    with subprocess.Popen(command, cwd=REPOSITORY, env=environment, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr
        try:
            url = next(found[0] for line in server.stderr if (found := re.search(r"http://127.0.0.1:\d+", line)))
            yield url
        finally:
            server.terminate()
            server.communicate()
