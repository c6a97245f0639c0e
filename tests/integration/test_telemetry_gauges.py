"""Depth, dead letters and freshness as Prometheus sees them; what cannot be measured has no sample."""

import asyncio
from dataclasses import replace

import boto3
import httpx
import pytest
from botocore.config import Config
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import create_engine, text
from starlette.applications import Starlette

from services.ops.connections import Connections
from services.ops.health import measurements, metrics
from services.ops.overview.collector import DashboardCollector
from shared.config.topology import BRONZE, QUEUES
from tests.integration.letters import bury

pytestmark = pytest.mark.integration

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]

QUEUE_METRICS = {"smelt_queue_messages", "smelt_queue_dead_letters", "smelt_queue_oldest_seconds"}
NOBODY = "http://127.0.0.1:1"  # a port where nobody listens
COMPLETE = text("""
    insert into ops.run (run_id, dataset, params, trigger, parts, planned_pages, expected_records, planned_at,
                         completed_at)
    values ('r', 'usajobs_search', cast(:params as jsonb), 't', '[]', 1, 0, now() - interval '2 hours', now())
""")
SEEN = text("""
    insert into ops.loaded_object
        (dataset, bucket, key, version, transform_version, silver_key, observed_at, read, quarantined)
    values (:dataset, 'b', :dataset, 'v', 1, :dataset, now() - interval '1 hour', 0, 0)
""")


def scraped(connections: Connections) -> Samples:
    """{(name, labels): value}."""
    application = Starlette(
        routes=[metrics.route(connections, DashboardCollector(connections, boto3.client("cloudwatch")).sample)]
    )

    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://console") as client:
            return await client.get("/metrics")

    answer = asyncio.run(get())
    assert answer.status_code == 200
    families = list(text_string_to_metric_families(answer.text))
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((name, frozenset(labels.items())))


def names(samples: Samples) -> set[str]:
    return {name for name, _ in samples} - {"target_info"}


def test_depth_dead_letters_and_freshness_are_told(connections: Connections) -> None:
    connections.sqs.send_message(QueueUrl=connections.settings.bronze_queue_url, MessageBody="{}")
    bury(connections, "{}")
    bury(connections, "{}")
    with connections.database.begin() as connection:
        connection.execute(SEEN, {"dataset": "reference_table"})
    found = scraped(connections)
    assert value(found, "smelt_queue_messages", queue=BRONZE.name, state="visible") == 1
    assert value(found, "smelt_queue_messages", queue=BRONZE.name, state="in_flight") == 0
    assert [value(found, "smelt_queue_dead_letters", queue=queue.name) for queue in QUEUES] == [0, 2, 0, 0]
    assert value(found, "smelt_freshness_seconds", dataset="reference_table") == pytest.approx(3_600, abs=300)


def test_the_age_of_what_waits_is_unknown_without_cloudwatch_and_0_where_nothing_waits(
    connections: Connections,
) -> None:
    connections.sqs.send_message(QueueUrl=connections.settings.bronze_queue_url, MessageBody="{}")
    found = scraped(connections)
    ages = [value(found, "smelt_queue_oldest_seconds", queue=queue.name) for queue in QUEUES]
    assert ages == [0, None, 0, 0]


def test_a_dataset_with_a_source_is_as_old_as_its_newest_complete_run_of_everything(connections: Connections) -> None:
    with connections.database.begin() as connection:
        connection.execute(SEEN, {"dataset": "usajobs_search"})  # as an upload leaves it
    assert "smelt_freshness_seconds" not in names(scraped(connections))
    with connections.database.begin() as connection:
        connection.execute(COMPLETE, {"params": '{"Keyword": "a part"}'})
    assert "smelt_freshness_seconds" not in names(scraped(connections))
    with connections.database.begin() as connection:
        connection.execute(text("update ops.run set params = '{}'"))
    found = scraped(connections)
    assert value(found, "smelt_freshness_seconds", dataset="usajobs_search") == pytest.approx(7_200, abs=300)
    (reading,) = [one for one in measurements.of_ledger(connections) if one.rule == "freshness"]
    assert reading.value == pytest.approx(7_200, abs=300)


def test_a_dataset_of_which_nothing_is_loaded_has_no_freshness(connections: Connections) -> None:
    assert "smelt_freshness_seconds" not in names(scraped(connections))


def test_queues_that_do_not_answer_have_no_samples(connections: Connections) -> None:
    config = Config(connect_timeout=1, retries={"total_max_attempts": 1})
    with connections.database.begin() as connection:
        connection.execute(SEEN, {"dataset": "reference_table"})
    away = replace(connections, sqs=boto3.client("sqs", endpoint_url=NOBODY, config=config))
    known = names(scraped(away)) - {"smelt_queue_oldest_seconds", "smelt_workers_waiting"}  # not of SQS
    assert known == {"smelt_freshness_seconds"}


def test_without_the_database_freshness_has_no_samples(connections: Connections) -> None:
    away = replace(connections, database=create_engine("postgresql+psycopg2://127.0.0.1:1/none"))
    assert names(scraped(away)) == QUEUE_METRICS | {"smelt_workers_waiting"}
