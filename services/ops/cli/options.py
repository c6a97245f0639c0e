"""Options that several commands have."""

from typing import Annotated

import typer

from shared.datasets import registry

Dataset = Annotated[
    str | None, typer.Option("--dataset", help="the dataset it is about", autocompletion=registry.names)
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="so many at most, the oldest first")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="say what would be done, and do nothing")]
Yes = Annotated[bool, typer.Option("--yes", help="do not ask")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object")]
