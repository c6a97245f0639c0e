"""Sends the events of objects that are not in the ledger again after the emulator was killed."""

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog
from botocore.exceptions import BotoCoreError, ClientError
from sqlalchemy.exc import DBAPIError

from services.ops.connections import connect
from services.ops.reconcile import reconciliation
from shared.errors import TransientError

log = structlog.get_logger()
PAUSE_SECONDS: Final = 5.0  # between two attempts while a part that it needs is away


def in_background(tell: Callable[[int], None]) -> None:
    """Repair in a thread, which goes on trying; then `tell` how many messages were sent."""
    threading.Thread(target=lambda: tell(_until_done()), name="repair", daemon=True).start()


def _until_done() -> int:
    connections = connect()
    while True:
        try:
            return reconciliation.repair(connections, reconciliation.find_missing(connections))
        except (DBAPIError, BotoCoreError, ClientError, TransientError) as error:
            log.warning("repair.failed", error=str(error))
            time.sleep(PAUSE_SECONDS)
