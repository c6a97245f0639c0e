"""What the deployment costs when nothing happens, from its resources and infra/prices.json, as docs/aws.md has it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.infra.conftest import SOURCE, Deployment

pytestmark = pytest.mark.integration

PRICES = json.loads((SOURCE.parent / "prices.json").read_text())
DOCUMENT = SOURCE.parents[1] / "docs" / "aws.md"
BEGIN, END = "<!-- costs: written by tests/infra/test_cost.py -->", "<!-- /costs -->"
HOURS, HOURLY, MONTHLY = PRICES["hours"], PRICES["hourly"], PRICES["monthly"]
INSIGHTS = PRICES["container insights metrics"]
WEB = ("console", "serving")


@dataclass(frozen=True)
class Row:
    """A line of the bill."""

    what: str
    computed: str
    dollars: float


def instances(values: dict[str, Any]) -> int:
    return 2 if values["multi_az"] else 1


def storage(deployment: Deployment) -> Iterator[Row]:
    database = deployment.one("module.database.aws_db_instance.this")
    cache = deployment.one("module.database.aws_elasticache_replication_group.this")
    number, price = instances(database), HOURLY[database["instance_class"]]
    yield Row(
        "Postgres", f"{number} x {database['instance_class']}: {number} x {price} x {HOURS}", number * price * HOURS
    )
    size, price = database["allocated_storage"], MONTHLY["database disk GiB"]
    yield Row("... its disk", f"{number} x {size} GiB gp3: {number * size} x {price}", number * size * price)
    number, price = cache["num_cache_clusters"], HOURLY[cache["node_type"]]
    yield Row("Valkey", f"{number} x {cache['node_type']}: {number} x {price} x {HOURS}", number * price * HOURS)


def network(deployment: Deployment) -> Iterator[Row]:
    endpoints = [one for _, one in deployment.all("aws_vpc_endpoint") if one["vpc_endpoint_type"] == "Interface"]
    zones = len([address for address, _ in deployment.all("aws_subnet") if ".private[" in address])
    number, price = len(endpoints) * zones, HOURLY["interface endpoint"]
    yield Row(
        "Interface endpoints",
        f"{len(endpoints)} in {zones} zones: {number} x {price} x {HOURS}",
        number * price * HOURS,
    )
    gateways, addresses = (len([*deployment.all(kind)]) for kind in ("aws_nat_gateway", "aws_eip"))
    hourly = gateways * HOURLY["NAT gateway"] + addresses * HOURLY["public address"]
    yield Row("NAT gateway and its address", f"{hourly:.3f} x {HOURS}", hourly * HOURS)


def tasks(deployment: Deployment, names: tuple[str, ...]) -> Iterator[Row]:
    services = {one["name"]: one for _, one in deployment.all("aws_ecs_service")}
    for name in names:
        number = services[name]["desired_count"]
        task = deployment.one(f'module.compute.aws_ecs_task_definition.service["{name}"]')
        kind = task["runtime_platform"][0]["cpu_architecture"]
        cpu, memory = int(task["cpu"]) / 1024, int(task["memory"]) / 1024
        hourly = cpu * HOURLY[f"fargate processor {kind}"] + memory * HOURLY[f"fargate GiB {kind}"]
        if number:
            computed = f"{number} x {cpu:g} vCPU and {memory:g} GiB, {kind}: {hourly:.5f} x {HOURS}"
            yield Row(name.capitalize(), computed, number * hourly * HOURS)


def security(deployment: Deployment) -> Iterator[Row]:
    keys, secrets = (len([*deployment.all(kind)]) for kind in ("aws_kms_key", "aws_secretsmanager_secret"))
    secrets += 1  # RDS's own
    dollars = keys * MONTHLY["key"] + secrets * MONTHLY["secret"]
    yield Row("Keys and secrets", f"{keys} x {MONTHLY['key']:.2f} and {secrets} x {MONTHLY['secret']:.2f}", dollars)


def metrics(alarm: dict[str, Any]) -> int:
    return len([query for query in alarm["metric_query"] if query["metric"]]) or 1


def watching(deployment: Deployment, *, of_web: bool) -> Iterator[Row]:
    alarms = [one for address, one in deployment.all("aws_cloudwatch_metric_alarm") if is_of_web(address) == of_web]
    number, price = sum(map(metrics, alarms)), MONTHLY["alarm by metric"]
    yield Row("Alarms", f"{len(alarms)} over {number} metrics: {number} x {price}", number * price)
    services = [one["name"] for _, one in deployment.all("aws_ecs_service") if (one["name"] in WEB) == of_web]
    running = [name for name in services if name in {row.what.lower() for row in tasks(deployment, tuple(services))}]
    number = len(services) * INSIGHTS["service"] + len(running) * INSIGHTS["task family"]
    number += 0 if of_web else INSIGHTS["cluster"]
    price = MONTHLY["custom metric"]
    yield Row("Container Insights", f"{number} metrics: {number} x {price}", number * price)


def is_of_web(address: str) -> bool:
    return any(f'"{name}' in address for name in (*WEB, "balancer"))


def always(deployment: Deployment) -> list[Row]:
    workers = [one["name"] for _, one in deployment.all("aws_ecs_service") if one["name"] not in WEB]
    return [
        *storage(deployment),
        *network(deployment),
        *tasks(deployment, tuple(workers)),
        *security(deployment),
        *watching(deployment, of_web=False),
    ]


def with_web(deployment: Deployment) -> list[Row]:
    price = HOURLY["load balancer"]
    secret = MONTHLY["secret"]
    return [
        Row("The load balancer", f"{price} x {HOURS}", price * HOURS),
        *tasks(deployment, WEB),
        Row("The secret of the login", f"1 x {secret:.2f}", secret),
        *watching(deployment, of_web=True),
    ]


def total(rows: list[Row]) -> float:
    return sum(row.dollars for row in rows)


def table(deployment: Deployment) -> str:
    base, web = always(deployment), with_web(deployment)
    together = f"| **Together** | | **{total(base):.2f}** |"
    lines = ["| | Computed as | US$ a month |", "|---|---|---|", *map(_line, base), together]
    return "\n".join([*lines, *map(_line, web), f"| **Together with `web`** | | **{total(base) + total(web):.2f}** |"])


def _line(row: Row) -> str:
    return f"| {row.what} | {row.computed} | {row.dollars:.2f} |"


def test_the_bill_in_the_documentation_is_what_the_resources_cost(deployment: Deployment) -> None:
    _, _, rest = DOCUMENT.read_text().partition(BEGIN)
    written, _, _ = rest.partition(END)
    assert written.strip() == table(deployment), f"put this between the comments in {DOCUMENT}:\n{table(deployment)}"


def test_the_bill_says_of_when_its_prices_are() -> None:
    assert f"prices of {PRICES['as_of']}" in DOCUMENT.read_text()
