"""Rigs for the quick slice that `make test` runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fault.rig import Rig


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A rig with workers as they are."""
    with Rig(tmp_path_factory.mktemp("fault") / ".smelt") as rig:
        yield rig


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a rig of one's own may live."""
    return tmp_path / ".smelt"
