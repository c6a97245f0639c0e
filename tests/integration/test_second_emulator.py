"""The whole pipeline on moto's server, an emulator of S3 and SQS that nobody here wrote.

Its events carry neither versionId nor sequencer, as those of some S3-compatible stores, and its keys are encoded more
than S3 encodes them.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from sqlalchemy import Engine, text

from infra.embedded import aws
from services.ops.connections import Connections, connect
from services.ops.dlq import dead_letters, replay
from services.ops.queues import stats
from services.ops.reconcile import reconciliation
from services.ops.runs import runs
from shared.config.topology import QUEUES
from shared.storage import object_keys, objects, versions
from tests.support.eventually import eventually
from tests.support.workers import running_workers

pytestmark = pytest.mark.integration

TABLE = "reference_table"
GOOD = b"list,code,label\ncolours,r,red\ncolours,g,green\n"
PAGE = 1_000  # keys or versions in a page of a listing


@pytest.fixture(scope="module")
def moto(backends: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The environment of moto's server with smelt's bucket and queues, beside the Postgres and Valkey of `backends`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).parent / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    own = {**os.environ, "MOTO_ACCOUNT_ID": aws.ACCOUNT}
    server = subprocess.Popen(command, env=own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: _listens(port))
        urls = {
            f"SMELT_{queue.name.rpartition('-')[2].upper()}_QUEUE_URL": aws.queue_url(port, queue) for queue in QUEUES
        }
        yield {**backends, **aws.environment(port, "unchecked"), **urls, "MOTO_PORT": str(port)}
    finally:
        server.kill()
        server.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def connections(moto: Mapping[str, str], database: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connections]:
    """An operator's, to empty tables, queues and bucket."""
    assert database
    for name, value in moto.items():
        monkeypatch.setenv(name, value)
    httpx.post(f"{moto['AWS_ENDPOINT_URL']}/moto-api/reset").raise_for_status()
    aws.ensure_resources(int(moto["MOTO_PORT"]), "unchecked")
    redis.Redis.from_url(moto["SMELT_REDIS_URL"]).flushall()
    made = connect()
    yield made
    made.database.dispose()


@pytest.fixture
def workers(connections: Connections, moto: Mapping[str, str], tmp_path: Path) -> Iterator[None]:
    assert connections
    with running_workers(tmp_path, {**os.environ, **moto}):
        yield


def put(connections: Connections, name: str, body: bytes) -> None:
    key = object_keys.upload_key(TABLE, name)
    connections.s3.put_object(Bucket=connections.settings.bucket, Key=key, Body=body)


def rows(connections: Connections, query: str) -> list[tuple[Any, ...]]:
    with connections.database.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


@pytest.mark.usefixtures("workers")
def test_an_upload_lands_and_the_audit_finds_nothing_missing(connections: Connections) -> None:
    put(connections, "a b+c é.csv", GOOD)
    eventually(lambda: rows(connections, "select 1 from ops.loaded_object"))
    assert rows(connections, "select code, label from silver.reference_table order by 1") == [
        ("g", "green"),
        ("r", "red"),
    ]
    assert reconciliation.find_missing(connections).objects == ()


@pytest.mark.usefixtures("workers")
def test_a_run_is_complete_and_the_audit_finds_nothing_missing(connections: Connections) -> None:
    run_id = runs.start(connections, "usajobs_search", {})
    complete = "select run_id from ops.run where completed_at is not null"
    assert eventually(lambda: rows(connections, complete)) == [(run_id,)]
    assert rows(connections, "select count(*) from silver.job") == rows(
        connections, "select expected_records from ops.run"
    )
    missing = reconciliation.find_missing(connections)
    assert (missing.objects, missing.pages) == ((), ())


@pytest.mark.usefixtures("workers")
def test_a_dead_letter_has_its_reason_and_is_replayed_once_the_file_is_mended(connections: Connections) -> None:
    put(connections, "wrong.csv", b"no,such,columns\n1,2,3\n")
    (letter,) = eventually(lambda: dead_letters.survey(connections).letters)
    assert "columns" in letter.error_message
    assert reconciliation.find_missing(connections).objects == ()
    put(connections, "wrong.csv", GOOD)
    eventually(lambda: rows(connections, "select 1 from ops.loaded_object"))
    steps = replay.plan([letter], replay.sources(connections))
    assert replay.replay(connections, steps, {}).done == 1
    eventually(lambda: not any(counts.total for counts in stats.queue_counts(connections).values()))
    assert dead_letters.survey(connections).letters == []  # its event names only an eTag, which is superseded
    missing = reconciliation.find_missing(connections)
    reconciliation.repair(connections, missing)  # names the version of the wrong file
    (repeated,) = eventually(lambda: dead_letters.survey(connections).letters)
    assert "columns" in repeated.error_message
    assert tuple(repeated.objects) == missing.objects
    assert reconciliation.find_missing(connections).objects == ()


def test_events_that_were_lost_are_repaired(connections: Connections, moto: Mapping[str, str], tmp_path: Path) -> None:
    put(connections, "lost.csv", GOOD)
    connections.sqs.purge_queue(QueueUrl=connections.settings.uploads_queue_url)
    missing = reconciliation.find_missing(connections)
    assert [stored.key for stored in missing.objects] == [object_keys.upload_key(TABLE, "lost.csv")]
    with running_workers(tmp_path, {**os.environ, **moto}):
        assert reconciliation.repair(connections, missing) == 1
        eventually(lambda: rows(connections, "select 1 from ops.loaded_object"))
    assert reconciliation.find_missing(connections).objects == ()


def test_listings_go_on_beyond_their_first_page_also_within_the_versions_of_a_key(connections: Connections) -> None:
    bucket, s3 = connections.settings.bucket, connections.s3
    keys = [f"listed/{number:05d}" for number in range(PAGE + 1)]
    put_versions = [
        (key, s3.put_object(Bucket=bucket, Key=key, Body=b"")["VersionId"])
        for key in [*keys[: PAGE - 1], *[keys[PAGE - 1]] * 3, *keys[PAGE:]]
    ]
    assert objects.list_keys(s3, bucket, "listed/") == set(keys)
    listed = [one.object for together in versions.list_versions(s3, bucket, "listed/") for one in together]
    assert [(stored.key, stored.version) for stored in listed] == put_versions
