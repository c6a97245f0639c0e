"""Ids of runs and replays."""

import secrets
from datetime import UTC, datetime


def new_id() -> str:
    """UTC time and a random suffix: `20260102T030405Z-1a2b3c4d`."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
