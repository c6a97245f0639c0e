"""Where was this measured, and with which versions."""

import importlib.metadata
import os
import platform
from pathlib import Path

from sqlalchemy import text

from bench.stack import Rig

PACKAGES = ("polars", "pydantic", "celery", "boto3", "psycopg2-binary", "dlt", "ministack")


def description(rig: Rig) -> str:
    """Processor, memory, system, versions."""
    with rig.engine.connect() as connection:
        server = connection.scalar(text("show server_version"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    hardware = f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}"
    packages = [f"{name} {version}" for name in PACKAGES if (version := _version(name))]
    return f"{hardware}; {', '.join([f'Python {platform.python_version()}', f'PostgreSQL {server}', *packages])}"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
