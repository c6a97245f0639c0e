"""Named points, after every hand-off, at which tests inject failures.

Without `SMELT_FAILPOINTS` a point is an empty function. Otherwise it names a JSON file `{name: {"action": "kill" |
"term" | "fail" | "sleep", "probability": 0..1, "seconds": …}}`, read each time, so that a test can change the faults
while processes run.
"""

import json
import os
import random
import signal
import time
from pathlib import Path

import structlog

from shared.errors import TransientError

log = structlog.get_logger()

POINTS = (
    "message.received",
    "message.put_back",
    "object.got",
    "transformer.parsed",
    "transformer.gated",
    "object.put",
    "loader.fenced",
    "loader.upserted",
    "loader.committed",
    "message.deleted",
)
_PLAN = os.environ.get("SMELT_FAILPOINTS")


def _off(_name: str) -> None:
    """The point outside tests."""


def _on(name: str) -> None:
    try:
        plan = json.loads(Path(_PLAN or "").read_bytes()).get(name)
    except (OSError, ValueError):
        return
    if not plan or random.random() >= plan["probability"]:  # noqa: S311 - not security-relevant
        return
    log.warning("failpoint.hit", point=name, action=plan["action"])
    match plan["action"]:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "term":
            os.kill(os.getppid(), signal.SIGTERM)
        case "sleep":
            time.sleep(plan["seconds"])
        case "fail":
            message = f"fail-point {name}"
            raise TransientError(message)


failpoint = _on if _PLAN else _off
