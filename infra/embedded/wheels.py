"""Finding the wheels that carry the parts, without importing them."""

from importlib.util import find_spec
from pathlib import Path

from infra.embedded.errors import StackError


def folder_of(package: str) -> Path:
    """Where a package is installed. Raises StackError when it is not."""
    found = find_spec(package)
    if found is None or not found.origin:
        message = f"{package} is not installed: run `pip install 'smelt[local]'`"
        raise StackError(message)
    return Path(found.origin).parent
