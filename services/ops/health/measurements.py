"""Measurements for the alert rules: of queues, workers, the ledger, datasets and schedules."""

from collections.abc import Iterator
from math import inf

from botocore.exceptions import BotoCoreError, ClientError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from services.ops.connections import Connections
from services.ops.health import freshness
from services.ops.health.rules import Measurement, rules
from services.ops.queues.monitor import Sample
from services.ops.queues.rates import QueueStatus
from services.ops.queues.stats import QueueSnapshot
from services.ops.schedules import status as scheduled_runs
from shared.datasets import consistency, registry
from shared.engine.worker_status import ObservedStatus

FEWEST = 20  # records a day, below which a share says nothing
# Records rejected in the last day and not dealt with since, as a share of those read.
QUARANTINED = text("""
    select dataset, sum(rejected)::float / greatest(sum(read), sum(rejected)) as value from (
        select dataset, read, 0 as rejected from ops.loaded_object where loaded_at > now() - interval '1 day'
        union all
        select dataset, 0, 1 from ops.quarantine where quarantined_at > now() - interval '1 day' and closed_at is null
    ) as record group by dataset having greatest(sum(read), sum(rejected)) >= :fewest
""")
# Rejected records that the ledger has counted for a quarter of an hour and that did not come by their own way.
LOST_SIGHT_OF = text("""
    with counted as (
        select dataset, bucket, key, version, transform_version, sum(quarantined) as records from ops.loaded_object
        where quarantined > 0 group by 1, 2, 3, 4, 5 having max(loaded_at) < now() - interval '15 minutes'
    )
    select dataset, sum(greatest(0, records - (
        select count(*) from ops.quarantine as held
        where (held.bucket, held.key, held.version, held.transform_version)
            = (counted.bucket, counted.key, counted.version, counted.transform_version)
    )))::float as value from counted group by dataset
""")


def of_queues(beat: Sample) -> Iterator[Measurement]:
    """From two looks, some time apart, and what they say of each queue; nothing from a first one."""
    earlier, later = beat.earlier, beat.look
    if earlier is None:
        return
    for flow in beat.flows:
        yield Measurement("dead-letters", flow.queue, flow.dead, _unless(flow.dead, later))
        yield Measurement("oldest", flow.queue, flow.oldest, _unless(flow.oldest, later, "only CloudWatch knows"))
        yield _progress(earlier, later, flow)
        yield _outage(later, flow)


def of_ledger(connections: Connections) -> Iterator[Measurement]:
    """Freshness, quarantine and conservation; all unknown where the database is away."""
    try:
        with connections.database.connect() as connection:
            found = [*_freshness(connection), *_shares(connection)]
    except DBAPIError as error:
        found = [Measurement(rule, name, None, _why(error)) for rule, name in _expected()]
    yield from found


def of_datasets() -> Iterator[Measurement]:
    """Faults of each dataset's definition, as it is here."""
    for dataset in registry.names():
        faults = consistency.faults(dataset)
        yield Measurement("consistency", dataset, inf if faults else 0.0, "; ".join(faults))


def of_schedules(connections: Connections) -> Iterator[Measurement]:
    """Slots missed, by schedule."""
    try:
        statuses = scheduled_runs.statuses(connections)
    except (BotoCoreError, ClientError, DBAPIError) as error:
        yield Measurement("missed-slot", "schedules", None, _why(error))
        return
    for status in statuses:
        last = f"last run {status.last.run_id} {status.last.state}" if status.last else "it never ran"
        yield Measurement("missed-slot", status.schedule.name, status.missed, last)


def _progress(earlier: QueueSnapshot, later: QueueSnapshot, flow: QueueStatus) -> Measurement:
    """Seconds for which messages have waited and none was done."""
    before, now = earlier.work[flow.queue], later.work[flow.queue]
    if before is not None and now is not None and not (before.visible and now.visible):
        return Measurement("no-progress", flow.queue, 0.0)
    if before is None or now is None or earlier.workers is None or later.workers is None:
        return Measurement("no-progress", flow.queue, None, _unless(None, later))
    mine = [seen for seen in later.workers if seen.note.service == flow.service]
    if not mine:
        waited = inf if flow.oldest is None else flow.oldest
        return Measurement("no-progress", flow.queue, waited, "no worker lives")
    return Measurement("no-progress", flow.queue, min([*map(_idle, mine), *filter(None, [flow.oldest])]))


def _outage(later: QueueSnapshot, flow: QueueStatus) -> Measurement:
    """Seconds for which a worker has received nothing, because a part that it needs is away."""
    if later.workers is None:
        return Measurement("outage", flow.queue, None, _unless(None, later))
    waiting = [
        (seen.seconds_since(seen.note.outage.since), seen.note.outage)
        for seen in later.workers
        if seen.note.service == flow.service and seen.note.outage
    ]
    if not waiting:
        return Measurement("outage", flow.queue, 0.0)
    seconds, outage = max(waiting, key=lambda waits: waits[0])
    return Measurement("outage", flow.queue, seconds, f"{outage.part}: {outage.reason}")


def _idle(seen: ObservedStatus) -> float:
    """Seconds since a process took a message up, or was done with one, or started."""
    moments = (seen.note.since, seen.note.last_settled or 0.0, *(work.since for work in seen.note.working))
    return seen.seconds_since(max(moments))


def _freshness(connection: Connection) -> Iterator[Measurement]:
    ages = freshness.ages(connection)
    for dataset in registry.names():
        if registry.dataset(dataset).freshness is not None:
            yield Measurement(
                "freshness", dataset, ages.get(dataset), "" if dataset in ages else "no run was ever complete"
            )


def _shares(connection: Connection) -> Iterator[Measurement]:
    """Of datasets that the ledger has nothing to say of, nothing is wrong."""
    for rule, query in (("quarantine-share", QUARANTINED), ("conservation", LOST_SIGHT_OF)):
        found = {row.dataset: row.value for row in connection.execute(query, {"fewest": FEWEST})}
        yield from (Measurement(rule, dataset, found.get(dataset) or 0.0) for dataset in registry.names())


def _expected() -> Iterator[tuple[str, str]]:
    """(rule, dataset) of all that the ledger is asked for."""
    asked = ("freshness", "quarantine-share", "conservation")
    return ((rule.name, dataset) for rule in rules() if rule.name in asked for dataset in rule.limits)


def _unless(value: object, look: QueueSnapshot, otherwise: str = "") -> str:
    """Why a value is not known."""
    return "" if value is not None else "; ".join(look.problems) or otherwise


def _why(error: Exception) -> str:
    """In a line."""
    told = f"Postgres: {error.orig}" if isinstance(error, DBAPIError) else str(error)
    return told.strip().partition("\n")[0]
