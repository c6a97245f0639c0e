"""The content of a file, as the transformer opens it."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from services.transformer.decompress import verified
from services.transformer.input_limits import InputLimits
from shared.config.settings import Settings

LIMITS = InputLimits.of(Settings.model_construct())  # the defaults


@contextmanager
def opened(path: Path) -> Iterator["io.BufferedReader[Any]"]:
    """The bytes of a file, decompressed."""
    with path.open("rb") as file:
        yield verified(file, LIMITS.expanded)
