"""Real worker processes, one of each service, on whatever queues, bucket and database an environment names."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from shared.config.topology import QUEUES
from tests.support.eventually import eventually

MODULES = {queue.service: queue.module for queue in QUEUES}


@contextmanager
def running_workers(folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Logs and liveness files are in `folder`. On leaving, all are told to stop and must end in order."""
    started = []
    for service, module in MODULES.items():
        own = {
            **environment,
            "SMELT_RECEIVE_WAIT_SECONDS": "1",
            "SMELT_LIVENESS_FILE": str(folder / f"{service}.alive"),
        }
        with (folder / service).open("wb") as log:
            command = [sys.executable, "-m", module]
            started.append(subprocess.Popen(command, env=own, stderr=log, start_new_session=True))
    try:
        eventually(lambda: all((folder / f"{service}.alive").exists() for service in MODULES), 120)
        yield
        for process in started:
            process.send_signal(signal.SIGTERM)
        assert [process.wait(60) for process in started] == [0] * len(MODULES)
    finally:
        for process in started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
