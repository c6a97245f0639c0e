"""How polars behaves in a worker. It reads this once, when it is imported: packages of services settle it before."""

import os

# A worker is one process among several, and its batches are small: threads that fight over the cores cost more than
# they save. Memory that one batch used is there for the next: giving it back after half a second, as is polars' way,
# makes the system clear it again, which took a twentieth of the CPU of a batch.
SETTINGS = {
    "POLARS_MAX_THREADS": "1",
    "_RJEM_MALLOC_CONF": "dirty_decay_ms:10000,muzzy_decay_ms:10000",
    "POLARS_IGNORE_TIMEZONE_PARSE_ERROR": "1",  # a zone such as +05:30 in a Parquet file is not an error
}


def configure() -> None:
    """What the environment says already stays."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
