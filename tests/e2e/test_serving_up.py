"""Serving as `smelt up` starts it: beside the workers, over what they load."""

import json

import httpx
import pytest

from tests.e2e.conftest import Deployment

pytestmark = pytest.mark.e2e


def test_what_is_loaded_is_soon_on_the_search_page_and_in_the_bucket(deployment: Deployment) -> None:
    url = deployment.environment["SMELT_SERVING_URL"]
    assert deployment.smelt("runs", "start", "usajobs_search", "--param", "keyword=analyst", "--wait").returncode == 0
    held = deployment.rows("select count(*) as held from silver.job")[0]["held"]
    assert held > 0
    deployment.eventually(lambda: httpx.get(f"{url}/v1/stats/summary").json()["postings"] >= held)
    assert httpx.get(url).text.startswith("<!doctype html>")
    listed = deployment.eventually(
        lambda: (
            deployment.client("s3")
            .list_objects_v2(Bucket=deployment.environment["SMELT_BUCKET"], Prefix="gold/posting/")
            .get("Contents")
        )
    )
    assert listed[0]["Key"].endswith("/posting.parquet")


def test_status_shows_it_among_the_parts(deployment: Deployment) -> None:
    parts = json.loads(deployment.smelt("status", "--json").stdout)["parts"]
    (serving,) = (part for part in parts if part["name"] == "serving")
    assert serving["state"] == "running"
    assert deployment.environment["SMELT_SERVING_URL"] == f"http://127.0.0.1:{serving['port']}"
