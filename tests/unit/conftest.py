"""Unit tests reach no network, and hypothesis gives the same examples on every machine."""

from collections.abc import Iterator

import hypothesis
import pytest
from pytest_socket import disable_socket, enable_socket

hypothesis.settings.register_profile("smelt", derandomize=True, deadline=None)
hypothesis.settings.load_profile("smelt")


@pytest.fixture(autouse=True)
def _no_sockets() -> Iterator[None]:
    disable_socket(allow_unix_socket=True)  # asyncio wakes its own loop through one
    yield
    enable_socket()
