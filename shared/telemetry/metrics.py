"""OpenTelemetry instruments of the workers: no-ops unless a collector is configured.

The gauges of queues and health are in `services/ops/health/metrics.py`.
"""

from opentelemetry import metrics

# s, from an empty object to a file of a gigabyte
DURATIONS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
# s, from an idle pipeline to a backlog of days
LATENCIES = (0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1_800, 3_600, 14_400, 86_400, 345_600)

_meter = metrics.get_meter("smelt")

# By service and outcome
MESSAGES = _meter.create_counter("smelt.messages", "{message}", "Messages handled, by outcome")
DURATION = _meter.create_histogram(
    "smelt.message.duration", "s", "Time to handle a message", explicit_bucket_boundaries_advisory=DURATIONS
)

# By dataset and outcome: inserted, updated, unchanged, hash_only (unchanged, recognised by hash), stale, quarantined.
# The sum is the records read; each is counted once, when committed.
RECORDS = _meter.create_counter("smelt.records", "{record}", "Records in the ledger, by outcome")

# By dataset, from the source's clock (the response's Date; for an upload, S3's time) to the loader's clock.
LATENCY = _meter.create_histogram(
    "smelt.latency",
    "s",
    "From when a record was observed to when its row was committed",
    explicit_bucket_boundaries_advisory=LATENCIES,
)

# By direction (read, written) and layer (bronze, silver, …)
BYTES = _meter.create_counter("smelt.object.bytes", "By", "Bytes of objects, as stored")

# By server, responses also by status. The difference is the requests without a response.
API_REQUESTS = _meter.create_counter("smelt.api.requests", "{request}", "Requests sent to a source")
API_RESPONSES = _meter.create_counter("smelt.api.responses", "{response}", "Responses of a source, by status")

# By dataset
API_WAIT = _meter.create_histogram(
    "smelt.api.wait",
    "s",
    "Time that a request waited for the rate limit",
    explicit_bucket_boundaries_advisory=DURATIONS,
)
