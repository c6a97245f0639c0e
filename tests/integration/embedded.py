"""What tests of the embedded stack itself do with one."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import boto3
import psycopg2

from infra.embedded import process
from infra.embedded.options import Options
from infra.embedded.stack import Running

INFRASTRUCTURE = Options(workers=False, console=False, simulator_postings=0, migrate=False)


def aws(running: Running, service: str, **client_settings: Any) -> Any:
    """A client with the stack's keys, or with others."""
    settings = running.environment
    own: dict[str, Any] = {
        "aws_access_key_id": settings["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": settings["AWS_SECRET_ACCESS_KEY"],
    }
    session: Any = boto3.Session(region_name=settings["AWS_DEFAULT_REGION"])  # its stubs know only literal names
    own |= client_settings
    return session.client(service, endpoint_url=settings["AWS_ENDPOINT_URL"], **own)


def execute(running: Running, statement: str) -> list[tuple[Any, ...]]:
    connection = psycopg2.connect(running.environment["SMELT_DATABASE_URL"])
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def keys_on_the_bronze_queue(running: Running) -> set[str]:
    queue_url = running.environment["SMELT_BRONZE_QUEUE_URL"]
    sqs = aws(running, "sqs")
    keys = set()
    while messages := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            body = json.loads(message["Body"])
            keys |= {record["s3"]["object"]["key"] for record in body.get("Records", [])}
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    return keys


def put(running: Running, key: str, body: bytes = b"{}") -> str:
    done = aws(running, "s3").put_object(Bucket=running.environment["SMELT_BUCKET"], Key=key, Body=body)
    return str(done["VersionId"])


def kill_all(home: Path) -> None:
    parts = process.all_recorded(home)
    for part in parts:
        os.kill(part.pid, signal.SIGKILL)
    while any(part.alive for part in parts):
        time.sleep(0.01)


def stack_pids(home: Path) -> set[int]:
    """The processes of a stack and their children."""
    pids = {part.pid for part in process.all_recorded(home)}
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:  # ended meanwhile
            continue
    return pids | {pid for pid, parent in parents.items() if parent in pids}
