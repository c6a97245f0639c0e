"""What only the system as a whole can tell, for Prometheus and for a collector: depth, age, dead letters, freshness.

Measured when asked. What could not be measured has no sample: unknown is never 0.
"""

from collections.abc import Callable, Iterator
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.ops import fresh, measure
from services.ops.connections import Connections
from services.ops.console.gauge import Gauge, Known
from services.ops.flow import Flow, flows
from shared.telemetry import collector

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

PATIENCE = 5.0  # s that an answer waits for its measurements; Prometheus waits 10
AGES_LAST = 60.0  # s; CloudWatch has a value a minute, and is paid for each answer

Observe = Callable[[CallbackOptions], Iterator[Observation]]


def route(connections: Connections, cloudwatch: "CloudWatchClient") -> Route:
    """`/metrics`; where the environment names a collector, it is sent the same from time to time."""
    registry = CollectorRegistry()
    prometheus = PrometheusMetricReader(scope_info_enabled=False, registry=registry)
    readers = filter(None, [prometheus, collector.otlp_reader()])
    provider = MeterProvider(list(readers), resource=collector.resource(), shutdown_on_exit=False)
    collector.Ending(provider.shutdown)
    observe(provider.get_meter("smelt"), connections, cloudwatch)

    def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    return Route("/metrics", metrics)


def observe(meter: Meter, connections: Connections, cloudwatch: "CloudWatchClient") -> None:
    """Register the gauges. What hangs is waited for in the background, once for all of them."""
    ages = Gauge("ages", lambda: measure.oldest(cloudwatch, connections), rest=AGES_LAST)
    looks = Gauge("queues", lambda: _flows(connections, ages))
    known = Gauge("freshness", lambda: _freshness(connections))
    gauge = meter.create_observable_gauge
    gauge("smelt.queue.messages", [_of_queues(looks, _messages)], "{message}", "Messages on a queue, by state")
    gauge("smelt.queue.dead_letters", [_of_queues(looks, _dead)], "{message}", "Messages that could not be handled")
    gauge("smelt.queue.oldest", [_of_queues(looks, _oldest)], "s", "How long the oldest message has waited")
    gauge("smelt.freshness", [partial(_ages_of_data, known)], "s", "Since the newest complete run, or file")


def _of_queues(looks: Gauge[list[Flow]], say: Callable[[Flow], Iterator[Observation]]) -> Observe:
    def observations(_: CallbackOptions) -> Iterator[Observation]:
        found = looks.read(monotonic() + PATIENCE)
        for flow in found.value if isinstance(found, Known) else ():
            yield from say(flow)

    return observations


def _messages(flow: Flow) -> Iterator[Observation]:
    for state in ("visible", "in_flight", "delayed"):
        yield from _known(getattr(flow, state), queue=flow.queue, state=state)


def _dead(flow: Flow) -> Iterator[Observation]:
    yield from _known(flow.dead, queue=flow.queue)


def _oldest(flow: Flow) -> Iterator[Observation]:
    yield from _known(flow.oldest, queue=flow.queue)


def _ages_of_data(known: Gauge[dict[str, float]], _: CallbackOptions) -> Iterator[Observation]:
    found = known.read(monotonic() + PATIENCE)
    for dataset, age in found.value.items() if isinstance(found, Known) else ():
        yield from _known(age, dataset=dataset)


def _known(value: float | None, **labels: str) -> Iterator[Observation]:
    if value is not None:
        yield Observation(value, labels)


def _flows(connections: Connections, ages: Gauge[dict[str, float]]) -> list[Flow]:
    known = ages.read(monotonic() + PATIENCE / 2)
    return flows(None, measure.look(connections), known.value if isinstance(known, Known) else {})


def _freshness(connections: Connections) -> dict[str, float]:
    with connections.database.connect() as connection:
        return fresh.ages(connection)
