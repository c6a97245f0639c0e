"""The version of the installed package, defined in pyproject.toml."""

from importlib.metadata import version

VERSION = version("smelt-etl")
