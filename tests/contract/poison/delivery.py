"""The corpus given to a real stack, and what became of each case."""

import json
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from shared.config import topology
from shared.engine.pending_retries import PendingRetryStore
from shared.errors import PermanentError
from shared.formats.s3_events import created_objects
from tests.contract.poison.case import (
    BRONZE,
    EXTRACT,
    NUMBERS,
    OF_UPLOADS,
    SILVER,
    UPLOAD,
    UPLOADS,
    Case,
    good,
    posting,
    response,
    written,
)
from tests.contract.poison.messages import DELETED, OTHER_BUCKET, PREPARED
from tests.e2e.conftest import Deployment

FOLLOWER = NUMBERS - 1  # offset of the good posting that follows a case in a file of its own
PATIENCE = 600.0  # s until what has not ended has not ended: a bound for a busy machine, not a measure
STILL = 4  # looks in a row at which nothing moved
MAX_BODY_LENGTH = 4_096  # characters of a body that are told of what is tried again
QUEUES = tuple(queue.name.removeprefix("smelt-") for queue in topology.QUEUES)


# {queue: those at which its messages may end}
REACHED = {EXTRACT: {EXTRACT}, BRONZE: {BRONZE, OF_UPLOADS}, SILVER: {SILVER}}


@dataclass(frozen=True)
class Letter:
    """A dead letter, or one that is tried again: what it is about and why it failed."""

    queue: str
    body: str
    keys: tuple[str, ...]  # of the objects that it names
    error: str
    attempts: str = "1"  # without a number: SQS itself moved it


@dataclass
class Outcome:
    """All that can be seen of the corpus from outside."""

    sent: dict[str, str]  # {case: message id}
    ledger: dict[str, dict[str, Any]] = field(default_factory=dict)  # {bronze key: row}
    rejected: dict[str, dict[int, str]] = field(default_factory=dict)  # {bronze key: {record index: first rule}}
    titles: dict[int, str] = field(default_factory=dict)
    dead: list[Letter] = field(default_factory=list)
    troubled: list[Letter] = field(default_factory=list)  # what is tried again
    settled: dict[str, str] = field(default_factory=dict)  # {message id: outcome}


def send(deployment: Deployment, cases: Iterable[Case]) -> dict[str, str]:
    """Give the stack every case, and a good posting after each that holds none itself. Returns {case: message id}."""
    s3, sqs, bucket = deployment.client("s3"), deployment.client("sqs"), deployment.environment["SMELT_BUCKET"]
    sent = {}
    for case in cases:
        body = case.body(case.first)
        if case.place == UPLOAD:
            s3.put_object(Bucket=bucket, Key=case.object_key, Body=body, **case.extra)
        else:
            url = deployment.environment[f"SMELT_{case.place.removesuffix(' queue').upper()}_QUEUE_URL"]
            sent[case.name] = sqs.send_message(QueueUrl=url, MessageBody=body, **case.extra)["MessageId"]
        if not case.neighbours:
            follower = written(response(posting(case.first + FOLLOWER)))
            s3.put_object(Bucket=bucket, Key=f"{UPLOADS}followers/{case.first}.json", Body=follower)
    return sent


def prepare(deployment: Deployment) -> None:
    """What some cases need to be there, or to have been there."""
    s3, bucket = deployment.client("s3"), deployment.environment["SMELT_BUCKET"]
    s3.create_bucket(Bucket=OTHER_BUCKET)
    for name, key in ((OTHER_BUCKET, PREPARED), (bucket, PREPARED), (bucket, DELETED)):
        s3.put_object(Bucket=name, Key=key, Body=good(NUMBERS))
    s3.delete_object(Bucket=bucket, Key=DELETED)


def watch(deployment: Deployment, sent: dict[str, str]) -> Outcome:
    """Look until nothing moves any more but what is tried again and again, or patience is over."""
    outcome = Outcome(sent)
    deadline = time.monotonic() + PATIENCE
    quiet = 0
    while quiet < STILL and time.monotonic() < deadline:
        outcome.troubled = list(_troubled(deployment))
        quiet = quiet + 1 if _waiting(deployment) <= len(outcome.troubled) else 0
        time.sleep(0.5)
    _look(deployment, outcome)
    return outcome


def about(case: Case, letters: Iterable[Letter]) -> list[Letter]:
    """Those of a case, at whatever queue its object got to."""
    if case.place == UPLOAD:
        path = case.object_key.removeprefix("bronze/")
        prefixes = (f"silver/{path}/", f"quarantine/{path}/")
        return [one for one in letters if any(k == case.object_key or k.startswith(prefixes) for k in one.keys)]
    body = str(case.body(case.first))
    known = {body, body[:MAX_BODY_LENGTH]}
    return [one for one in letters if one.body in known and one.queue in REACHED[case.place.removesuffix(" queue")]]


def _look(deployment: Deployment, outcome: Outcome) -> None:
    rows = deployment.rows
    outcome.ledger = {row["key"]: row for row in rows("select * from ops.loaded_object")}
    for row in rows("select key, record_index, rule from ops.quarantine"):
        outcome.rejected.setdefault(row["key"], {})[row["record_index"]] = row["rule"]
    both = (
        "select control_number, position_title from silver.job union all"
        " select control_number, position_title from silver.historic_joa"
    )
    outcome.titles = {row["control_number"]: row["position_title"] for row in rows(both)}
    outcome.dead = [letter for queue in QUEUES for letter in _drained(deployment, queue)]
    outcome.settled = {line["message_id"]: line["outcome"] for line in logged(deployment, "message.settled")}


def _troubled(deployment: Deployment) -> Iterator[Letter]:
    service_queues = {queue.service: queue.name.removeprefix("smelt-") for queue in topology.QUEUES}
    for trouble in PendingRetryStore(deployment.environment["SMELT_REDIS_URL"]).current():
        yield Letter(service_queues[trouble.service], trouble.body, _keys(trouble.body), trouble.error)


def _keys(body: str) -> tuple[str, ...]:
    try:
        return tuple(stored.key for stored in created_objects(body))
    except PermanentError:
        return ()


def logged(deployment: Deployment, *events: str) -> Iterator[dict[str, Any]]:
    """The workers' log lines of these events."""
    for log in sorted((deployment.home / "logs").glob("*-1.log")):
        for line in log.read_text(errors="replace").splitlines():
            if line.startswith("{") and any(event in line for event in events):
                yield json.loads(line)


def _drained(deployment: Deployment, queue: str) -> Iterator[Letter]:
    sqs, url = deployment.client("sqs"), deployment.environment[f"SMELT_{queue.upper()}_QUEUE_URL"] + "-dlq"
    while messages := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=3_600, MessageAttributeNames=["All"]
    ).get("Messages"):
        for message in messages:
            body = message["Body"]
            said = {name: a.get("StringValue", "") for name, a in message.get("MessageAttributes", {}).items()}
            yield Letter(queue, body, _keys(body), said.get("error_message", ""), said.get("attempts", "none"))


def _waiting(deployment: Deployment) -> int:
    """How many messages are on all queues, visible or not, or put back with a delay."""
    sqs = deployment.client("sqs")
    counted = (
        "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"
    )  # fmt: skip
    attributes = [
        sqs.get_queue_attributes(
            QueueUrl=deployment.environment[f"SMELT_{queue.upper()}_QUEUE_URL"], AttributeNames=["All"]
        )["Attributes"]
        for queue in QUEUES
    ]
    return sum(int(found[name]) for found in attributes for name in counted)


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern occurs."""
    return re.search(pattern, text, re.DOTALL) is not None
