"""Telling one process from another that got the same pid later: by when it was born."""

import subprocess
import time
from pathlib import Path


def birth_of(pid: int) -> str | None:
    """When a process was born, in the system's own words; None for a dead one."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None if Path("/proc/self/stat").exists() else _birth_from_ps(pid)
    return None if state in "ZX" else f"{_boot()} {fields[18]}"


def command_line(pid: int) -> str:
    """The command line of a process, empty for a dead one."""
    return _ps(pid, "args=")


def await_end(pid: int, limit: float) -> None:
    """Wait at most `limit` seconds for a process that is not ours to end."""
    deadline = time.monotonic() + limit
    while birth_of(pid) and time.monotonic() < deadline:
        time.sleep(0.03)


def _boot() -> str:
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else ""


def _birth_from_ps(pid: int) -> str | None:
    state, _, birth = _ps(pid, "stat=,lstart=").partition(" ")
    return None if not state or state.startswith("Z") else birth.strip()


def _ps(pid: int, columns: str) -> str:
    proc = Path(f"/proc/{pid}/cmdline")
    if columns == "args=" and proc.exists():
        return proc.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    found = subprocess.run(["ps", "-o", columns, "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S607
    return found.stdout.strip()
