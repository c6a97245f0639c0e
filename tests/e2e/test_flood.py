"""A flood of uploads does not hold up a run that begins behind it."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.storage.object_keys import upload_key
from tests.e2e.conftest import Deployment, run_outcome

pytestmark = pytest.mark.e2e

FLOOD = 250  # files


def file(number: int) -> bytes:
    """With one posting."""
    posting = {"MatchedObjectId": str(10**12 + number), "MatchedObjectDescriptor": {"PositionTitle": "Smelter"}}
    return json.dumps({"SearchResult": {"SearchResultItems": [posting]}}).encode()


def test_a_run_behind_a_flood_of_uploads_is_complete_before_the_flood_is_worked_off(
    empty_deployment: Deployment,
) -> None:
    deployment = empty_deployment
    s3, bucket = deployment.client("s3"), deployment.environment["SMELT_BUCKET"]  # making clients is not thread-safe

    def put(number: int) -> None:
        s3.put_object(Bucket=bucket, Key=upload_key("usajobs_search", f"flood/{number}.json"), Body=file(number))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, range(FLOOD)))
    run = run_outcome(deployment.smelt, "usajobs_search", "--param", "keyword=analyst")["run"]

    def worked_off() -> bool:
        return len(deployment.rows("select 1 from ops.loaded_object where run_id is null")) == FLOOD

    assert deployment.eventually(worked_off, seconds=120)
    assert deployment.rows("select 1 from ops.loaded_object where loaded_at > %s", run["completed_at"]) != []
