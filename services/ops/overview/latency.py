"""Latency from the source's response, or an upload, to the transaction that loads it."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

# Of objects loaded for the first time; replays and reprocessed objects are old on arrival.
LATENCY = text("""
    select dataset, count(*), percentile_cont(array[0.5, 0.95, 0.99])
           within group (order by greatest(0, extract(epoch from loaded_at - observed_at)::float))
    from ops.loaded_object as loaded
    where is_last_batch and loaded_at > clock_timestamp() - interval '1 hour'
          and key not like 'replays/%' and not exists (
        select from ops.loaded_object as before
        where (before.bucket, before.key, before.version) = (loaded.bucket, loaded.key, loaded.version)
              and before.transform_version < loaded.transform_version
    )
    group by dataset order by dataset
""")


@dataclass(frozen=True)
class Latency:
    """Percentiles of latency in seconds over the objects of the last hour."""

    dataset: str
    objects: int
    p50: float
    p95: float
    p99: float


def latencies(connection: Connection) -> list[Latency]:
    """Latencies by dataset, without datasets that loaded nothing."""
    return [Latency(dataset, objects, *percentiles) for dataset, objects, percentiles in connection.execute(LATENCY)]
