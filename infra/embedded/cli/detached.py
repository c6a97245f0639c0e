"""The supervisor of a detached stack: `python -m infra.embedded.cli.detached HOME`; its log is `supervisor.log`."""

import os
import sys
from pathlib import Path

import structlog

from infra.embedded import stack, supervisor
from infra.embedded.cli import repair
from infra.embedded.supervisor import Incident
from shared import telemetry

log = structlog.get_logger()


def main(home: Path) -> None:
    """Supervise until the stack is stopped."""
    telemetry.configure("supervisor")
    running = stack.attach(home)
    os.environ.update(running.environment)
    log.info("supervisor.started", parts=[command.name for command in running.commands])

    def report(incident: Incident) -> None:
        log.warning("part.restarted", **vars(incident))
        if incident.may_lack_events:
            repair.in_background(lambda messages: log.info("queues.repaired", messages=messages))

    supervisor.supervise(running, report)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
