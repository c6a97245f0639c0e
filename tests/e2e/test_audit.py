"""`smelt reconcile` as an operator uses it."""

import json

import pytest

from tests.e2e.conftest import Deployment
from tests.e2e.test_uploads import posting, response

pytestmark = pytest.mark.e2e


def test_an_event_that_was_never_published_is_found_named_and_mended(deployment: Deployment) -> None:
    s3, bucket = deployment.client("s3"), deployment.environment["SMELT_BUCKET"]
    held = s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    try:
        key = deployment.upload("unheard of.json", json.dumps(response(posting(940_000_001))).encode())
    finally:
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": held})

    found = deployment.smelt("reconcile")
    assert found.returncode == 1
    assert f"not loaded: {key} (version " in found.stdout

    mended = deployment.smelt("reconcile", "--repair")
    assert mended.returncode == 0
    assert "sent again: " in mended.stdout
    assert deployment.ledger(key)["inserted"] == 1
    again = json.loads(deployment.smelt("reconcile", "--json").stdout)
    assert key not in {stored["key"] for stored in again["objects"]}
