"""The system under faults: real backends, two of each worker behind proxies, restarted when they die."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from unittest.mock import patch

import boto3
import psycopg2
from pydantic import SecretStr
from redis import Redis
from sqlalchemy import Engine

from infra.embedded import process, stack, state
from infra.embedded.options import Options
from services.ops.connections import Connections, connect
from services.ops.dlq import dead_letters
from services.ops.queues import stats
from services.ops.reconcile import reconciliation
from services.ops.runs import runs
from shared.config.topology import QUEUES, queue_for_key
from shared.database.engine import connect as connect_database
from shared.datasets import registry
from shared.engine.message import dead_letter_url
from tests.fault.dispositions import File, write_contracts
from tests.fault.oracle import Oracle, Page, Upload
from tests.fault.proxy import Proxy
from tests.fault.worker import MAX_RECEIVES, VISIBILITY
from tests.support.own_dataset import registered

if TYPE_CHECKING:
    from mypy_boto3_sqs.literals import QueueAttributeNameType

SERVICES = tuple(queue.service for queue in QUEUES)
POSTINGS = 200  # of the simulated source
PATIENCE = 90.0  # s after the end of the faults in which everything must be settled

VERSION = registry.dataset("usajobs_search").version


class Rig:
    """Backends, proxies and workers in `home`."""

    def __init__(self, home: Path, mutant: str = "", each: int = 2) -> None:
        self.home = home
        self.mutant = mutant
        self.names = [(service, n) for service in SERVICES for n in range(1, each + 1)]
        self.workers: dict[tuple[str, int], subprocess.Popen[bytes]] = {}
        self.odd: dict[tuple[str, int], tuple[str, dict[str, str]]] = {}  # {worker: (mutant, extra environment)}
        self.failpoints = home.parent / "failpoints.json"
        self.failpoints.write_text("{}")
        self._log = home.parent / "workers.log"

    def __enter__(self) -> Self:
        with ExitStack() as undo:  # also where the start fails: what is left behind would fail the tests that follow
            self._enter(undo)
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def _enter(self, undo: ExitStack) -> None:
        write_contracts(datasets := self.home.parent / "datasets")
        undo.enter_context(registered(datasets))
        undo.callback(stack.erase, self.home)
        self.stack = stack.start(self.home, Options(workers=False, console=False, simulator_postings=POSTINGS))
        undo.callback(boto3.setup_default_session)  # the old one keeps the credentials of this stack
        undo.enter_context(patch.dict(os.environ, self.stack.environment))
        boto3.setup_default_session()
        self.connections: Connections = connect()
        undo.callback(self.connections.database.dispose)
        self.database: Engine = connect_database(SecretStr(self.stack.environment["SMELT_DATABASE_URL"]), "oracle")
        undo.callback(self.database.dispose)
        self.redis = Redis.from_url(self.stack.environment["SMELT_REDIS_URL"])
        undo.callback(self.redis.close)
        self.ports = {part.name: part.port or 0 for part in stack.status(self.home)}
        self.aws, self.postgres = (undo.enter_context(closing(Proxy(self.ports[n]))) for n in ("aws", "postgres"))
        self._shorten_visibility()
        undo.callback(self._kill_workers)
        self._start_all()

    def _kill_workers(self) -> None:
        for worker in self.workers.values():
            with suppress(ProcessLookupError):
                os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()

    def tend(self) -> None:
        """Start what is not running."""
        for name in self.names:
            if name not in self.workers or self.workers[name].poll() is not None:
                self.workers[name] = self._start(*name)

    def put(self, oracle: Oracle, upload: Upload | File) -> dict[str, Any]:
        """Store an object and owe its records; returns what an event says of it."""
        bucket = self.connections.settings.bucket
        answer = self.connections.s3.put_object(Bucket=bucket, Key=upload.key, Body=upload.body())
        oracle.accept(upload, answer["VersionId"])
        return {"key": upload.key, "versionId": answer["VersionId"], "eTag": answer["ETag"].strip('"')}

    def send_event(self, described: dict[str, Any]) -> None:
        """Send an event as S3 writes it, to the queue to which S3 publishes those of such a key."""
        bucket = self.connections.settings.bucket
        record = {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bucket}, "object": described}}
        url = self.connections.settings.queue_url(queue_for_key(described["key"]))
        self.connections.sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"Records": [record]}))

    @contextmanager
    def failing(self, plan: dict[str, Any]) -> Iterator[None]:
        """Fail-points for a while."""
        self.failpoints.write_text(json.dumps(plan))
        try:
            yield
        finally:
            self.failpoints.write_text("{}")

    @contextmanager
    def deaf(self) -> Iterator[None]:
        """S3 publishes nothing for a while."""
        s3, bucket = self.connections.s3, self.connections.settings.bucket
        held = s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
        try:
            yield
        finally:
            s3.put_bucket_notification_configuration(
                Bucket=bucket, NotificationConfiguration={"QueueConfigurations": held}
            )

    def restart(self, part: str, rng: random.Random) -> None:
        """SIGKILL a backend, and start it again after a moment."""
        command = next(command for command in self.stack.commands if command.name == part)
        killed = process.recorded(self.home.resolve(), part)
        os.kill(killed.pid, signal.SIGKILL)
        while killed.alive:
            time.sleep(0.01)
        time.sleep(rng.uniform(0.1, 1.0))
        stack.restart_part(self.stack, command)

    def signal_one(self, rng: random.Random, number: int) -> None:
        """Signal a worker's process group, or its main process only for SIGTERM."""
        worker = self.workers[rng.choice(self.names)]
        with suppress(ProcessLookupError):
            (os.kill if number == signal.SIGTERM else os.killpg)(worker.pid, number)

    def administer(self, *statements: str) -> None:
        """As the database's administrator, past the proxy."""
        administrator = state.load(self.home.resolve()).secrets.database_administrator  # type: ignore[union-attr]
        connection = psycopg2.connect(
            host="127.0.0.1", port=self.ports["postgres"], user="postgres", password=administrator, dbname="smelt"
        )
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        connection.close()

    def settled(self, oracle: Oracle, versions: tuple[int, ...] = (VERSION,)) -> list[str]:
        """What the oracle misses once the queues are empty, or once patience is over."""
        self._look_up_times(oracle)
        deadline = time.monotonic() + PATIENCE
        while True:
            self.tend()
            busy = self._under_way()
            losses = [*oracle.losses(self.database, versions), *self._unfinished(oracle.run_id)]
            if (not losses and not busy) or time.monotonic() > deadline:
                return [*losses, *([f"still under way: {busy}"] if busy else []), *self._dead_letters()]
            time.sleep(0.2)

    def repair(self) -> None:
        """The audit, as an operator runs it."""
        reconciliation.repair(self.connections, reconciliation.find_missing(self.connections))

    def receives_above(self, most: int) -> int:
        """How many deliveries there were, in all logs, of messages received more often than `most`."""
        return sum(line["receives"] > most for line in self.settled_lines(0))

    def most_attempts(self, since: int) -> int:
        """How many attempts a message had at most, by what the workers logged `since` that many bytes."""
        return max((line["attempts"] for line in self.settled_lines(since)), default=0)

    def logged(self) -> int:
        """Bytes of log by now."""
        return self._log.stat().st_size

    def settled_lines(self, since: int) -> list[dict[str, Any]]:
        """What the workers logged of each delivery."""
        lines = self._log.read_bytes()[since:].splitlines()
        return [json.loads(line) for line in lines if b'"message.settled"' in line and line.startswith(b"{")]

    def _start_all(self) -> None:
        """The first fault must meet workers that are at work."""
        deadline = time.monotonic() + PATIENCE
        while {seen.note.service for seen in self.connections.roster.current()} != set(SERVICES):
            self.tend()
            if time.monotonic() > deadline:
                raise TimeoutError(self._log.read_text()[-2_000:])
            time.sleep(0.2)

    def _start(self, service: str, number: int) -> "subprocess.Popen[bytes]":
        mutant, extra = self.odd.get((service, number), (self.mutant, {}))
        settings = self.stack.environment | {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.aws.port}",
            "SMELT_FAILPOINTS": str(self.failpoints),
            "SMELT_RECEIVE_WAIT_SECONDS": "1",
            "SMELT_STOP_TIMEOUT_SECONDS": "3",
        }
        for name, value in settings.items():
            for port, proxy in ((self.ports["aws"], self.aws.port), (self.ports["postgres"], self.postgres.port)):
                settings[name] = (
                    settings[name] if name == "AWS_ENDPOINT_URL" else value.replace(f":{port}/", f":{proxy}/")
                )
                value = settings[name]  # noqa: PLW2901 - both ports may be in it
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.fault.worker", service, *([mutant] if mutant else [])],
                env={**os.environ, **settings, **extra},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _shorten_visibility(self) -> None:
        settings, sqs = self.connections.settings, self.connections.sqs
        for queue in QUEUES:
            url = settings.queue_url(queue)
            policy = json.loads(
                sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["RedrivePolicy"]
            )
            policy["maxReceiveCount"] = MAX_RECEIVES
            attributes: dict[QueueAttributeNameType, str] = {
                "VisibilityTimeout": str(VISIBILITY),
                "RedrivePolicy": json.dumps(policy),
            }
            sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)

    def _look_up_times(self, oracle: Oracle) -> None:
        """When S3 stored the uploads, now that nothing is broken any more."""
        s3, bucket = self.connections.s3, self.connections.settings.bucket
        for upload, version in oracle.accepted:
            if not isinstance(upload, Page):
                head = s3.head_object(Bucket=bucket, Key=upload.key, VersionId=version)
                oracle.stored_at[version] = head["LastModified"]

    def _under_way(self) -> int:
        return sum(counts.visible + counts.in_flight for counts in stats.queue_counts(self.connections).values())

    def _dead_letters(self) -> list[str]:
        """All messages are good ones: a dead letter is a failure of this run, and not of the next."""
        letters = dead_letters.look_if_any(self.connections)
        for queue in QUEUES if letters else ():
            self.connections.sqs.purge_queue(QueueUrl=dead_letter_url(self.connections.settings.queue_url(queue)))
        return [f"dead letter: {letter.line}" for letter in letters]

    def _unfinished(self, run_id: str) -> list[str]:
        run = runs.find(self.connections, run_id) if run_id else None
        if not run_id or (run and run.done and not run.missing):
            return []
        return [
            f"run {run_id}: {run.conservation}, page {run.pages} of {run.planned_pages}"
            if run
            else f"run {run_id}: lost"
        ]
