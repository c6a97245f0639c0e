"""A full disk under the whole embedded stack: nothing that was accepted is lost once there is room again."""

import os
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg2
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from infra.embedded import process, stack
from tests.fault.dispositions import File
from tests.fault.oracle import Oracle, Upload
from tests.fault.rig import Rig

pytestmark = pytest.mark.fault

SIZE = 400  # MiB of the disk
NUMBER = 1


@pytest.fixture
def disk() -> Iterator[Path]:
    """A small disk of our own, which PostgreSQL's user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="smelt-disk-", dir="/var/tmp"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}m,mode=0755", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        folder.rmdir()
        pytest.skip("needs root and mount, to make a disk small enough to fill")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S607
    folder.rmdir()


def fill(disk: Path) -> Path:
    """Leave nothing: a file as large as what is free."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError:
            pass
    return filler


def put_until_accepted(rig: Rig, oracle: Oracle, upload: Upload | File) -> None:
    """As an uploader does: what S3 refuses is not owed, and is tried again."""
    while True:
        try:
            rig.put(oracle, upload)
        except (ClientError, BotoCoreError):
            time.sleep(0.5)
        else:
            return


def restart_what_died(rig: Rig) -> None:
    """As the supervisor does."""
    for command in rig.stack.commands:
        if not process.recorded(rig.home.resolve(), command.name).alive:
            stack.restart_part(rig.stack, command)
        process.await_ready(command, rig.home.resolve())  # Postgres may be recovering by itself


def test_a_full_disk_costs_time_and_nothing_else(disk: Path) -> None:
    rng = random.Random(1)
    with Rig(disk / ".smelt") as rig:
        oracle = Oracle(seed=1, number=NUMBER)
        uploads = list(oracle.uploads(objects=30))
        for n, upload in enumerate(uploads):
            if n == 10:
                filler = fill(disk)
                with suppress(psycopg2.Error):  # the log that is open has room left: have Postgres begin another
                    rig.administer("select pg_switch_wal()", "create table one_more as select 1 as page")
            if n == 20:
                time.sleep(3)
                filler.unlink()
                restart_what_died(rig)
            if 10 <= n < 20:
                try:
                    rig.put(oracle, upload)
                except (ClientError, BotoCoreError):
                    continue
            else:
                put_until_accepted(rig, oracle, upload)
            time.sleep(rng.uniform(0, 0.1))
        assert oracle.obligations > 50
        assert rig.settled(oracle) == []
        log = (rig.home / "logs" / "postgres.log").read_text()
        assert "No space left on device" in log, "the disk was never full for Postgres"
