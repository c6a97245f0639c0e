"""compose.yaml names queues, bucket and prefixes once more: they must be the topology's."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.embedded import aws
from shared.config.topology import QUEUES
from tests.compose.private_engine import BASE, STAND_INS

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "compose.yaml"
TELEMETRY = ROOT / "infra" / "compose"


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return dict(yaml.safe_load(COMPOSE.read_text())["services"])


@pytest.mark.parametrize("service", ["extractor", "transformer", "loader", "console", "setup"])
def test_every_service_uses_the_queues_and_the_bucket_of_the_topology(services: dict[str, Any], service: str) -> None:
    environment = services[service]["environment"]
    urls = {name: value.rpartition("/")[2] for name, value in environment.items() if name.endswith("_QUEUE_URL")}
    assert set(urls.values()) == {queue.name for queue in QUEUES}
    assert environment["SMELT_BUCKET"] == aws.BUCKET


def test_only_the_loader_serving_and_operators_know_the_database(services: dict[str, Any]) -> None:
    knows = {name for name, service in services.items() if "SMELT_DATABASE_URL" in (service.get("environment") or {})}
    assert knows == {"setup", "loader", "console", "ops", "serving"}


def test_serving_stores_gold_in_the_bucket_and_knows_no_queue(services: dict[str, Any]) -> None:
    environment = services["serving"]["environment"]
    assert environment["SMELT_BUCKET"] == aws.BUCKET
    assert environment["SMELT_REDIS_URL"] == services["loader"]["environment"]["SMELT_REDIS_URL"]
    assert not [name for name in environment if "QUEUE" in name]


def test_whatever_reads_contracts_has_those_of_the_owner(services: dict[str, Any]) -> None:
    for name in ("setup", "extractor", "transformer", "uploads", "loader", "console", "serving", "ops"):
        assert [volume.rpartition("}:")[2] for volume in services[name]["volumes"]] == ["/datasets:ro"], name


def test_every_published_port_is_on_loopback(services: dict[str, Any]) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_our_services_run_without_privileges_on_a_read_only_root(services: dict[str, Any]) -> None:
    for name in ("extractor", "transformer", "loader", "console", "serving", "simulator", "aws", "setup", "ops"):
        assert services[name]["read_only"], name
        assert services[name]["cap_drop"] == ["ALL"], name


def test_images_of_packages_stand_in_for_all_that_are_not_ours(services: dict[str, Any]) -> None:
    needed = {service["image"] for service in services.values() if service.get("profiles") != ["telemetry"]}
    assert {image for image in needed if not image.startswith("smelt-")} == set(STAND_INS.values())
    assert f"ARG BASE={BASE}\n" in (ROOT / "Dockerfile").read_text()


@pytest.mark.parametrize("service", ["extractor", "transformer", "uploads", "loader", "console"])
def test_whatever_measures_can_be_told_of_a_collector(services: dict[str, Any], service: str) -> None:
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in services[service]["environment"]


def test_prometheus_asks_where_the_collector_offers() -> None:
    collector, prometheus = (
        yaml.safe_load((TELEMETRY / f"{name}.yaml").read_text()) for name in ("collector", "prometheus")
    )
    port = collector["exporters"]["prometheus"]["endpoint"].partition(":")[2]
    assert prometheus["scrape_configs"][0]["static_configs"] == [{"targets": [f"collector:{port}"]}]
