"""Queues, bucket prefixes and their limits, written once.

The embedded stack is created from this module, the workers check themselves against it, and Terraform reads
`infra/terraform/topology.json`, which `python -m shared.config.topology` writes to standard output.
"""

import json
from dataclasses import asdict, dataclass
from typing import Final

DAY: Final = 86_400


@dataclass(frozen=True)
class Queue:
    """One work queue, the worker that consumes it, and that worker's limits. Times are in seconds."""

    name: str
    service: str
    module: str  # what `python -m` runs
    time_limit: int
    max_receives: int
    visibility: int
    retention: int = 4 * DAY  # an outage over a long weekend loses nothing

    @property
    def code(self) -> str:
        """The folder of `services/` whose code its worker runs."""
        return self.module.split(".")[1]

    @property
    def dead_letter_name(self) -> str:
        """Its dead-letter queue; the URL follows the same rule: `<queue url>-dlq`."""
        return f"{self.name}-dlq"


DEAD_LETTER_RETENTION: Final = 14 * DAY  # SQS's maximum: the clock runs from the first enqueue, so take all there is

# visibility = 90 s at most between heartbeats of a third of it, so that two heartbeats may be missed; a killed worker's
# message comes back within that time however long the task itself may run (time_limit, enforced by the worker).
EXTRACT: Final = Queue(
    "smelt-extract",
    service="extractor",
    module="services.extractor.worker",
    time_limit=900,  # a page takes a minute at most; planning an archive, some hundred requests one after another
    max_receives=10,  # a source that fails for about ten minutes is waited out by back-off
    visibility=90,
)
BRONZE: Final = Queue(
    "smelt-bronze",
    service="transformer",
    module="services.transformer.worker",
    time_limit=600,  # a page takes about a second
    max_receives=5,  # input does not heal by itself, and outages of our own parts do not count
    visibility=90,
)
# Files that people drop and records that operators replay, apart from pages, so that no flood of them holds up a run.
UPLOADS: Final = Queue(
    "smelt-uploads",
    service="uploads",
    module="services.transformer.uploads",
    time_limit=600,  # a 1 GB upload takes minutes
    max_receives=5,
    visibility=90,
)
SILVER: Final = Queue(
    "smelt-silver",
    service="loader",
    module="services.loader.worker",
    time_limit=600,
    max_receives=8,  # deadlocks among many loaders pass; a database that is away does not count
    visibility=90,
)
QUEUES: Final = (EXTRACT, BRONZE, UPLOADS, SILVER)

# Where S3 publishes the event of a new object: {key prefix: queue}. A prefix belongs to exactly one queue.
NOTIFICATIONS: Final = {
    "bronze/": BRONZE,
    "uploads/": UPLOADS,
    "replays/": UPLOADS,
    "silver/": SILVER,
    "quarantine/": SILVER,
    "plans/": SILVER,
}
BRONZE_PREFIX, UPLOADS_PREFIX, REPLAYS_PREFIX, SILVER_PREFIX, QUARANTINE_PREFIX, PLANS_PREFIX = NOTIFICATIONS
# What the transformer reads: pages that the extractor fetched, files that people dropped, records out of quarantine.
RAW_PREFIXES: Final = (BRONZE_PREFIX, UPLOADS_PREFIX, REPLAYS_PREFIX)
DISCARDED_PREFIX: Final = "discarded/"  # dead letters that an operator took away; no event, nobody consumes it
REJECTED_RESPONSES_PREFIX: Final = "rejected-responses/"  # of a source, and not of its shape; no event either
GOLD_PREFIX: Final = "gold/"  # what analysts read with tools of their own; no event either


def queue_of(service: str) -> Queue:
    """The queue that `service` consumes. Raises KeyError for an unknown service."""
    return {queue.service: queue for queue in QUEUES}[service]


def queue_for_key(key: str) -> Queue:
    """The queue that S3 publishes the event of an object to. Raises KeyError for a key outside all prefixes."""
    prefix, slash, _ = key.partition("/")
    return NOTIFICATIONS[prefix + slash]


def as_json() -> str:
    """The topology as Terraform reads it (`jsondecode(file("topology.json"))`)."""
    return json.dumps(
        {
            "queues": {queue.service: asdict(queue) | {"dead_letter_name": queue.dead_letter_name} for queue in QUEUES},
            "dead_letter_retention": DEAD_LETTER_RETENTION,
            "notifications": {prefix: queue.service for prefix, queue in NOTIFICATIONS.items()},
        },
        indent=2,
    )


if __name__ == "__main__":
    print(as_json())
