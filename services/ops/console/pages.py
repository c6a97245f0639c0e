"""Template folders of the subjects, and the navigation."""

from pathlib import Path
from typing import Final

from jinja2 import Environment

from services.ops.web import templating

OPS: Final = Path(__file__).parents[1]
SUBJECTS: Final = (
    "audit_log",
    "console",
    "dlq",
    "drift",
    "health",
    "lineage",
    "overview",
    "quarantine",
    "runs",
    "schedules",
)
NAVIGATION: Final = (
    ("/", "Overview"),
    ("/runs", "Runs"),
    ("/dead-letters", "Dead letters"),
    ("/quarantine", "Quarantine"),
    ("/drift", "Drift"),
    ("/lineage", "Lineage"),
    ("/schedules", "Schedules"),
    ("/audit", "Audit log"),
)


def templates() -> Environment:
    """The templates of all subjects."""
    return templating.environment({subject: OPS / subject / "templates" for subject in SUBJECTS}, NAVIGATION)
