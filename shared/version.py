"""The version of this code. pyproject.toml has it; what is installed carries a copy."""

from importlib.metadata import version

VERSION = version("smelt")
