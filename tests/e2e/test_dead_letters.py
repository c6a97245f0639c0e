"""Thirty poisoned messages of three kinds, and what an operator does about them."""

import json

import pytest

from shared.formats.s3_events import created_event
from shared.storage.object_id import ObjectId
from tests.e2e.conftest import Deployment
from tests.e2e.test_uploads import posting, response

pytestmark = pytest.mark.e2e

EACH = 10
FIRST = 970_000_000


def unheard_of(deployment: Deployment) -> list[ObjectId]:
    """Objects in the bucket whose events S3 never published."""
    s3, bucket = deployment.client("s3"), deployment.environment["SMELT_BUCKET"]
    held = s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    keys = [
        deployment.upload(f"unheard of {number}.json", json.dumps(response(posting(FIRST + number))).encode())
        for number in range(EACH)
    ]
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": held})
    versions = [s3.head_object(Bucket=bucket, Key=key)["VersionId"] for key in keys]
    return [
        ObjectId(bucket, key, version, sequencer=f"{number:016X}")
        for number, (key, version) in enumerate(zip(keys, versions, strict=True), start=1)
    ]


def poison(deployment: Deployment) -> None:
    """Events that name a strange bucket, texts that are no events, and commands for a dataset that is none."""
    sqs, queues = deployment.client("sqs"), deployment.environment
    for number, stored in enumerate(unheard_of(deployment)):
        event = created_event(stored).replace(f'"{stored.bucket}"', '"strange"')
        sqs.send_message(QueueUrl=queues["SMELT_BRONZE_QUEUE_URL"], MessageBody=event)
        sqs.send_message(QueueUrl=queues["SMELT_BRONZE_QUEUE_URL"], MessageBody=f"no event {number}")
        command = {"version": 1, "type": "run", "dataset": "no_such", "params": {"number": str(number)}}
        sqs.send_message(QueueUrl=queues["SMELT_EXTRACT_QUEUE_URL"], MessageBody=json.dumps(command))


def test_a_filtered_and_patched_replay_of_poisoned_messages_brings_their_rows(empty_deployment: Deployment) -> None:
    deployment = empty_deployment
    poison(deployment)

    def groups() -> list[dict[str, object]]:
        found: list[dict[str, object]] = json.loads(deployment.smelt("dlq", "list", "--json").stdout)["groups"]
        return found

    deployment.eventually(lambda: sum(int(str(group["count"])) for group in groups()) == 3 * EACH)
    assert [group["count"] for group in groups()] == [EACH] * 3

    patch = [{"op": "replace", "path": "/detail/bucket/name", "value": deployment.environment["SMELT_BUCKET"]}]
    replay = ("dlq", "replay", "--contains", "strange", "--patch", json.dumps(patch), "--yes", "--json")
    done = json.loads(deployment.smelt(*replay).stdout)
    assert (done["found"], done["sent"], done["stays"]) == (EACH, EACH, {})

    landed = "select control_number from silver.job where control_number >= %s order by 1"
    deployment.eventually(lambda: len(deployment.rows(landed, FIRST)) == EACH)
    assert [group["count"] for group in groups()] == [EACH] * 2
    (record,) = deployment.rows("select matched, processed, outcome, filter from ops.operator_action")
    assert (record["matched"], record["processed"], record["outcome"]) == (EACH, EACH, "replayed")
    assert record["filter"]["patch"] == patch
    assert deployment.smelt("reconcile").returncode == 0
