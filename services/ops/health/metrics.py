"""What only the system as a whole can tell, for Prometheus and for a collector: depth, age, dead letters, freshness.

Measured when asked. What could not be measured has no sample: unknown is never 0.
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

PATIENCE = 5.0  # s that an answer waits for the database; Prometheus waits 10

Observe = Callable[[CallbackOptions], Iterator[Observation]]
Look = Callable[[], Measured[Sample] | Unavailable]


def route(connections: Connections, look: Look) -> Route:
    """`/metrics`; where the environment names a collector, it is sent the same from time to time.

    The queues are those of the console's last `look`: CloudWatch is paid for each answer.
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
    """Register the gauges. What hangs is waited for in the background, once for all of them."""
    known = CachedProbe("freshness", lambda: _freshness(connections))
    gauge = meter.create_observable_gauge
    gauge("smelt.queue.messages", [_of_queues(look, _messages)], "{message}", "Messages on a queue, by state")
    gauge("smelt.queue.dead_letters", [_of_queues(look, _dead)], "{message}", "Messages that could not be handled")
    gauge("smelt.queue.oldest", [_of_queues(look, _oldest)], "s", "How long the oldest message has waited")
    gauge("smelt.workers.waiting", [_outages(look)], "{process}", "Worker processes that wait for a part that is away")
    gauge("smelt.freshness", [partial(_ages_of_data, known)], "s", "Since the newest complete run, or file")


def _of_queues(look: Look, say: Callable[[QueueStatus], Iterator[Observation]]) -> Observe:
    def observations(_: CallbackOptions) -> Iterator[Observation]:
        found = look()
        for flow in found.value.flows if isinstance(found, Measured) else ():
            yield from say(flow)

    return observations


def _outages(look: Look) -> Observe:
    """A sample for each service, and part that one of its processes waits for."""

    def observations(_: CallbackOptions) -> Iterator[Observation]:
        found = look()
        workers = found.value.look.workers if isinstance(found, Measured) else None
        if workers is None:
            return
        waiting = Counter((s.note.service, s.note.outage.part) for s in workers if s.note.outage)
        for (service, part), number in waiting.items():
            yield Observation(number, {"service": service, "part": part})
        for service in {queue.service for queue in QUEUES} - {service for service, _ in waiting}:
            yield Observation(0, {"service": service, "part": ""})

    return observations


def _messages(flow: QueueStatus) -> Iterator[Observation]:
    for state in ("visible", "in_flight", "delayed"):
        yield from _known(getattr(flow, state), queue=flow.queue, state=state)


def _dead(flow: QueueStatus) -> Iterator[Observation]:
    yield from _known(flow.dead, queue=flow.queue)


def _oldest(flow: QueueStatus) -> Iterator[Observation]:
    yield from _known(flow.oldest, queue=flow.queue)


def _ages_of_data(known: CachedProbe[dict[str, float]], _: CallbackOptions) -> Iterator[Observation]:
    found = known.read(monotonic() + PATIENCE)
    for dataset, age in found.value.items() if isinstance(found, Measured) else ():
        yield from _known(age, dataset=dataset)


def _known(value: float | None, **labels: str) -> Iterator[Observation]:
    if value is not None:
        yield Observation(value, labels)


def _freshness(connections: Connections) -> dict[str, float]:
    with connections.database.connect() as connection:
        return freshness.ages(connection)
