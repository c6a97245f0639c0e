"""A worker as it is, but for a visibility of seconds, so that what a kill leaves behind comes back soon, and batches of
few records, so that an object of bronze is several silver objects.

    python -m tests.fault.worker SERVICE [MUTANT]

A mutant lacks one guarantee: the harness must notice.
"""

import contextlib
import importlib
import sys
from dataclasses import replace
from functools import cache, partial
from typing import Any

from sqlalchemy import text

from services.loader import ledger, upsert
from services.loader import worker as loading
from shared.config.settings import load_settings
from shared.config.topology import queue_of
from shared.database import deadline, engine
from shared.datasets import registry
from shared.engine import consumer
from shared.engine.worker import serve
from shared.errors import PermanentError

VISIBILITY = 3  # s
MOST_RECORDS = 5  # of a batch
MAX_RECEIVES = 60  # a message may meet many faults; what is tested is that none of them loses it
SCALE = VISIBILITY / 90  # by which our timings are shorter than in production


def without_fence() -> None:
    """Whatever comes last wins."""
    original = upsert._fence

    def fence(table: Any) -> Any:
        fenced: Any = original(table)
        insert, _, rest = fenced.element.text.partition("where (excluded")
        fenced.element = text(f"{insert} returning {rest.partition('returning')[2]}")
        return fenced

    upsert._fence = cache(fence)


def without_ledger() -> None:
    """An object that was loaded before is loaded again."""

    def enter(connection: Any, header: Any) -> Any:
        found = original(connection, header)
        if found is None:
            source = header.source
            query = text("select id from ops.loaded_object where key = :key and version = :version and batch = :batch")
            found = connection.scalar(query, {"key": source.key, "version": source.version, "batch": header.batch})
        return found

    original = ledger.claim
    ledger.claim = enter


def without_heartbeat() -> None:
    """Nobody keeps a message from coming again while it is worked on."""
    consumer.VisibilityExtender = lambda *_: contextlib.nullcontext()  # type: ignore[assignment,attr-defined] # imported there


def new_version() -> None:
    """The next release, whose normaliser gives other rows: it works beside the old one during a deployment."""
    registry.dataset("usajobs_search").version += 1


MUTANTS = {
    "fence": without_fence,
    "ledger": without_ledger,
    "heartbeat": without_heartbeat,
    "new-version": new_version,
}


def _shorten() -> None:
    """Deadlines for a silent database, and waits for a locked one, in proportion to the visibility."""
    deadline.PING_SECONDS = 1.0
    engine.SILENCE = {**engine.SILENCE, "connect_timeout": 2}  # type: ignore[misc] # Final; 2 s is libpq's shortest
    engine.PARAMETERS["lock_timeout"] = f"{30 * SCALE}s"
    engine.LOCK_PAUSE_SECONDS *= SCALE
    loading.MAX_TRANSACTION_SECONDS *= SCALE  # type: ignore[attr-defined] # imported there


def main(service: str, mutant: str = "") -> None:
    """Serve until told to stop."""
    _shorten()
    if mutant:
        MUTANTS[mutant]()
    consumed = queue_of(service)
    module = importlib.import_module(consumed.module)
    if service in {"transformer", "uploads"}:
        transforming: Any = importlib.import_module("services.transformer.worker")
        transforming.batched = partial(transforming.batched, max_records=MOST_RECORDS)
    queue = replace(consumed, visibility=VISIBILITY, max_receives=MAX_RECEIVES, time_limit=60)
    try:
        more = (getattr(module, name) for name in ("check", "probes") if hasattr(module, name))
        serve(load_settings(), queue, module.bootstrap, *more)
    except PermanentError as error:
        sys.exit(f"smelt: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
