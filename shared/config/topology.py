"""Queues, bucket prefixes and their limits, defined once.

The embedded stack is created from this module, workers verify their queue against it, and Terraform reads
`infra/terraform/topology.json`, the output of `python -m shared.config.topology`.
"""

import json
from dataclasses import asdict, dataclass
from typing import Final

DAY: Final = 86_400


@dataclass(frozen=True)
class Queue:
    """A work queue, the worker that consumes it, and that worker's limits. Times are in seconds."""

    name: str
    service: str
    module: str  # what `python -m` runs
    time_limit: int
    max_receives: int
    visibility: int
    retention: int = 4 * DAY  # survives an outage over a long weekend

    @property
    def code(self) -> str:
        """The folder under `services/` with the worker's code."""
        return self.module.split(".")[1]

    @property
    def dead_letter_name(self) -> str:
        """The name of its dead-letter queue; the URL likewise is `<queue url>-dlq`."""
        return f"{self.name}-dlq"


DEAD_LETTER_RETENTION: Final = 14 * DAY  # SQS's maximum; counts from the first time a message was sent

# Visibility is extended every 30 s, so two extensions may fail. The message of a killed worker returns within 90 s,
# however long its time limit is.
EXTRACT: Final = Queue(
    "smelt-extract",
    service="extractor",
    module="services.extractor.worker",
    time_limit=900,  # a page takes up to a minute; planning an archive needs hundreds of sequential requests
    max_receives=10,  # covers a source that fails for about ten minutes
    visibility=90,
)
BRONZE: Final = Queue(
    "smelt-bronze",
    service="transformer",
    module="services.transformer.worker",
    time_limit=600,  # a page takes about a second
    max_receives=5,  # input errors persist, and outages of our own parts do not count
    visibility=90,
)
# Uploads and replays, separate from pages so that many of them cannot delay a run.
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
    max_receives=8,  # deadlocks among many loaders are transient; an unavailable database does not count
    visibility=90,
)
QUEUES: Final = (EXTRACT, BRONZE, UPLOADS, SILVER)

# {key prefix: queue to which S3 publishes the events of new objects}.
NOTIFICATIONS: Final = {
    "bronze/": BRONZE,
    "uploads/": UPLOADS,
    "replays/": UPLOADS,
    "silver/": SILVER,
    "quarantine/": SILVER,
    "plans/": SILVER,
}
BRONZE_PREFIX, UPLOADS_PREFIX, REPLAYS_PREFIX, SILVER_PREFIX, QUARANTINE_PREFIX, PLANS_PREFIX = NOTIFICATIONS
# The transformer's input: fetched pages, uploads, and records replayed from quarantine.
RAW_PREFIXES: Final = (BRONZE_PREFIX, UPLOADS_PREFIX, REPLAYS_PREFIX)
DISCARDED_PREFIX: Final = "discarded/"  # discarded dead letters; no events
REJECTED_RESPONSES_PREFIX: Final = "rejected-responses/"  # responses that are not pages; no events
STATE_PREFIX: Final = "state/"  # how far the runs of incremental sources have come; no events
GOLD_PREFIX: Final = "gold/"  # Parquet exports for analysts; no events


def queue_of(service: str) -> Queue:
    """The queue that `service` consumes. Raises KeyError for an unknown service."""
    return {queue.service: queue for queue in QUEUES}[service]


def queue_for_key(key: str) -> Queue:
    """The queue for the events of an object. Raises KeyError for a key outside all prefixes."""
    prefix, slash, _ = key.partition("/")
    return NOTIFICATIONS[prefix + slash]


def as_json() -> str:
    """The topology for Terraform (`jsondecode(file("topology.json"))`)."""
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
