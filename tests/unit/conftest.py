"""Unit tests reach no network, and hypothesis gives the same examples on every machine."""

import subprocess
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import hypothesis
import pytest
from pytest_socket import disable_socket, enable_socket

from services.transformer.formats import parquet, parquet_check

hypothesis.settings.register_profile("smelt", derandomize=True, deadline=None)
hypothesis.settings.load_profile("smelt")


@pytest.fixture(autouse=True)
def _no_sockets() -> Iterator[None]:
    disable_socket(allow_unix_socket=True)  # asyncio wakes its own loop through one
    yield
    enable_socket()


@pytest.fixture
def parquet_checked_in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """For good files only, which need no process of their own for it: what is damaged can end its reader."""

    def run(command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        path, *columns = command[command.index(parquet_check.__file__) + 1 :]
        return subprocess.CompletedProcess(command, 0, stdout=parquet_check.problem(path, columns))

    monkeypatch.setattr(parquet, "subprocess", SimpleNamespace(run=run))
