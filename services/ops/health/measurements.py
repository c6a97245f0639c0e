"""Measurements for the alert rules: queues, workers, ledger, datasets and schedules."""

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

MIN_RECORDS = 20  # records per day; shares of fewer are meaningless
# Runs without a loaded object for half an hour, unless the same was extracted completely since.
INCOMPLETE_RUNS = text("""
    select dataset, count(*)::float as value from ops.run
    where completed_at is null and rejected_reason is null and planned_at < now() - interval '30 minutes'
        and not exists (select from ops.loaded_object as loaded
            where loaded.run_id = run.run_id and loaded.loaded_at > now() - interval '30 minutes')
        and not exists (select from ops.run as later
            where (later.dataset, later.params) = (run.dataset, run.params) and later.planned_at > run.planned_at
                and later.completed_at is not null)
    group by dataset
""")
# Open quarantine entries of the last day, as a share of the records read.
QUARANTINE_SHARE = text("""
    select dataset, sum(rejected)::float / greatest(sum(read), sum(rejected)) as value from (
        select dataset, read, 0 as rejected from ops.loaded_object where loaded_at > now() - interval '1 day'
        union all
        select dataset, 0, 1 from ops.quarantine where quarantined_at > now() - interval '1 day' and closed_at is null
    ) as record group by dataset having greatest(sum(read), sum(rejected)) >= :fewest
""")
# Records counted as quarantined more than 15 minutes ago that are not in the quarantine table.
MISSING_REJECTED = text("""
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


def of_queues(sample: Sample) -> Iterator[Measurement]:
    """Measurements of each queue from two snapshots; none if there is only one."""
    earlier, later = sample.earlier, sample.snapshot
    if earlier is None:
        return
    for status in sample.statuses:
        yield Measurement("dead-letters", status.queue, status.dead, _unless(status.dead, later))
        yield Measurement(
            "oldest", status.queue, status.oldest, _unless(status.oldest, later, "only CloudWatch has it")
        )
        yield _progress(earlier, later, status)
        yield _outage(later, status)


def of_ledger(connections: Connections) -> Iterator[Measurement]:
    """Freshness, quarantine and conservation; all unknown if the database is unavailable."""
    try:
        with connections.database.connect() as connection:
            results = [*_freshness(connection), *_shares(connection)]
    except DBAPIError as error:
        results = [Measurement(rule, name, None, _why(error)) for rule, name in _expected()]
    yield from results


def of_datasets() -> Iterator[Measurement]:
    """Inconsistencies of each dataset's definition."""
    for dataset in registry.names():
        faults = consistency.faults(dataset)
        yield Measurement("consistency", dataset, inf if faults else 0.0, "; ".join(faults))


def of_schedules(connections: Connections) -> Iterator[Measurement]:
    """Missed slots by schedule."""
    try:
        statuses = scheduled_runs.statuses(connections)
    except (BotoCoreError, ClientError, DBAPIError) as error:
        yield Measurement("missed-slot", "schedules", None, _why(error))
        return
    for status in statuses:
        last = f"last run {status.last.run_id} {status.last.state}" if status.last else "it has never run"
        yield Measurement("missed-slot", status.schedule.name, status.missed, last)


def _progress(earlier: QueueSnapshot, later: QueueSnapshot, status: QueueStatus) -> Measurement:
    """Seconds for which messages have been waiting and none was processed."""
    before, now = earlier.work[status.queue], later.work[status.queue]
    if before is not None and now is not None and not (before.visible and now.visible):
        return Measurement("no-progress", status.queue, 0.0)
    if before is None or now is None or earlier.workers is None or later.workers is None:
        return Measurement("no-progress", status.queue, None, _unless(None, later))
    own_workers = [worker for worker in later.workers if worker.note.service == status.service]
    if not own_workers:
        waited = inf if status.oldest is None else status.oldest
        return Measurement("no-progress", status.queue, waited, "no worker is running")
    return Measurement("no-progress", status.queue, min([*map(_idle, own_workers), *filter(None, [status.oldest])]))


def _outage(later: QueueSnapshot, status: QueueStatus) -> Measurement:
    """Seconds for which a worker has received nothing because of an unavailable part."""
    if later.workers is None:
        return Measurement("outage", status.queue, None, _unless(None, later))
    waiting = [
        (worker.seconds_since(worker.note.outage.since), worker.note.outage)
        for worker in later.workers
        if worker.note.service == status.service and worker.note.outage
    ]
    if not waiting:
        return Measurement("outage", status.queue, 0.0)
    seconds, outage = max(waiting, key=lambda waits: waits[0])
    return Measurement("outage", status.queue, seconds, f"{outage.part}: {outage.reason}")


def _idle(worker: ObservedStatus) -> float:
    """Seconds since a process started, or received or finished a message."""
    moments = (worker.note.since, worker.note.last_settled or 0.0, *(work.since for work in worker.note.working))
    return worker.seconds_since(max(moments))


def _freshness(connection: Connection) -> Iterator[Measurement]:
    ages = freshness.ages(connection)
    for dataset in registry.names():
        if registry.dataset(dataset).freshness is not None:
            yield Measurement(
                "freshness", dataset, ages.get(dataset), "" if dataset in ages else "no run has completed"
            )


def _shares(connection: Connection) -> Iterator[Measurement]:
    """Incomplete runs, and shares of records, by dataset; 0 for datasets without any."""
    queries = {
        "incomplete-run": INCOMPLETE_RUNS,
        "quarantine-share": QUARANTINE_SHARE,
        "conservation": MISSING_REJECTED,
    }
    for rule, query in queries.items():
        values = {row.dataset: row.value for row in connection.execute(query, {"fewest": MIN_RECORDS})}
        yield from (Measurement(rule, dataset, values.get(dataset) or 0.0) for dataset in registry.names())


def _expected() -> Iterator[tuple[str, str]]:
    """(rule, dataset) of all measurements from the ledger."""
    names = ("freshness", "incomplete-run", "quarantine-share", "conservation")
    return ((rule.name, dataset) for rule in rules() if rule.name in names for dataset in rule.limits)


def _unless(value: object, snapshot: QueueSnapshot, otherwise: str = "") -> str:
    """The reason why a value is unknown."""
    return "" if value is not None else "; ".join(snapshot.problems) or otherwise


def _why(error: Exception) -> str:
    """The error in one line."""
    text_ = f"Postgres: {error.orig}" if isinstance(error, DBAPIError) else str(error)
    return text_.strip().partition("\n")[0]
