"""Polars settings of workers, as environment variables. Must be set before polars is imported."""

import os

# Workers run one process per core with small batches, where more threads cost more than they save. By default the
# allocator returns memory to the system after half a second, and clearing it again takes 5 % of a batch's CPU.
SETTINGS = {
    "POLARS_MAX_THREADS": "1",
    "_RJEM_MALLOC_CONF": "dirty_decay_ms:10000,muzzy_decay_ms:10000",
    "POLARS_IGNORE_TIMEZONE_PARSE_ERROR": "1",  # accept time zones such as +05:30 in Parquet files
}


def configure() -> None:
    """Set the variables that are not set."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
