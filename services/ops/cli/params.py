"""Params of runs on the command line."""

from typing import Annotated

import typer

from shared.errors import PermanentError

Param = Annotated[list[str] | None, typer.Option("--param", help="name=value for the source; may be repeated")]


def parsed(pairs: list[str]) -> dict[str, str]:
    """Parse `name=value` pairs. Raises PermanentError if one is invalid."""
    if wrong := [pair for pair in pairs if "=" not in pair or pair.startswith("=")]:
        message = f"--param takes name=value, not {wrong[0]!r}"
        raise PermanentError(message)
    return dict(pair.split("=", 1) for pair in pairs)
