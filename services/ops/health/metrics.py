"""System-wide gauges for Prometheus and OTLP: depth, age, dead letters, freshness.

Measured on demand. Unknown values have no sample.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from time import monotonic

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.ops.connections import Connections
from services.ops.health import freshness
from services.ops.probe import CachedProbe, Measured, Unavailable
from services.ops.queues.monitor import Sample
from services.ops.queues.rates import QueueStatus
from shared.config.topology import QUEUES
from shared.telemetry import collector

DATABASE_TIMEOUT_SECONDS = 5.0  # Prometheus waits 10 s

Observe = Callable[[CallbackOptions], Iterator[Observation]]
Look = Callable[[], Measured[Sample] | Unavailable]


def route(connections: Connections, look: Look) -> Route:
    """The route `/metrics`; also exports over OTLP if a collector is configured.

    Queues are those of the console's last sample, as CloudWatch bills each request.
    """
    registry = CollectorRegistry()
    prometheus = PrometheusMetricReader(scope_info_enabled=False, registry=registry)
    readers = filter(None, [prometheus, collector.otlp_reader()])
    provider = MeterProvider(list(readers), resource=collector.resource(), shutdown_on_exit=False)
    collector.ShutdownThread(provider.shutdown)
    observe(provider.get_meter("smelt"), connections, look)

    def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    return Route("/metrics", metrics)


def observe(meter: Meter, connections: Connections, look: Look) -> None:
    """Register the gauges. Slow measurements run in the background, shared by all gauges."""
    freshness_probe = CachedProbe("freshness", lambda: _freshness(connections))
    gauge = meter.create_observable_gauge
    gauge("smelt.queue.messages", [_of_queues(look, _messages)], "{message}", "Messages on a queue, by state")
    gauge("smelt.queue.dead_letters", [_of_queues(look, _dead)], "{message}", "Messages that could not be processed")
    gauge("smelt.queue.oldest", [_of_queues(look, _oldest)], "s", "Age of the oldest message")
    gauge("smelt.workers.waiting", [_outages(look)], "{process}", "Worker processes waiting for an unavailable part")
    gauge("smelt.freshness", [partial(_ages_of_data, freshness_probe)], "s", "Age of the newest complete run or file")


def _of_queues(look: Look, say: Callable[[QueueStatus], Iterator[Observation]]) -> Observe:
    def observations(_: CallbackOptions) -> Iterator[Observation]:
        sample = look()
        for status in sample.value.statuses if isinstance(sample, Measured) else ():
            yield from say(status)

    return observations


def _outages(look: Look) -> Observe:
    """A sample for each service and unavailable part."""

    def observations(_: CallbackOptions) -> Iterator[Observation]:
        sample = look()
        workers = sample.value.snapshot.workers if isinstance(sample, Measured) else None
        if workers is None:
            return
        waiting = Counter((s.note.service, s.note.outage.part) for s in workers if s.note.outage)
        for (service, part), number in waiting.items():
            yield Observation(number, {"service": service, "part": part})
        for service in {queue.service for queue in QUEUES} - {service for service, _ in waiting}:
            yield Observation(0, {"service": service, "part": ""})

    return observations


def _messages(status: QueueStatus) -> Iterator[Observation]:
    for state in ("visible", "in_flight", "delayed"):
        yield from _observation(getattr(status, state), queue=status.queue, state=state)


def _dead(status: QueueStatus) -> Iterator[Observation]:
    yield from _observation(status.dead, queue=status.queue)


def _oldest(status: QueueStatus) -> Iterator[Observation]:
    yield from _observation(status.oldest, queue=status.queue)


def _ages_of_data(probe: CachedProbe[dict[str, float]], _: CallbackOptions) -> Iterator[Observation]:
    ages = probe.read(monotonic() + DATABASE_TIMEOUT_SECONDS)
    for dataset, age in ages.value.items() if isinstance(ages, Measured) else ():
        yield from _observation(age, dataset=dataset)


def _observation(value: float | None, **labels: str) -> Iterator[Observation]:
    if value is not None:
        yield Observation(value, labels)


def _freshness(connections: Connections) -> dict[str, float]:
    with connections.database.connect() as connection:
        return freshness.ages(connection)
