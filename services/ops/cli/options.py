"""Options shared by several commands."""

from typing import Annotated

import typer

from shared.datasets import registry

Dataset = Annotated[str | None, typer.Option("--dataset", help="only this dataset", autocompletion=registry.names)]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="maximum number, oldest first")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="show what would be done without doing it")]
Yes = Annotated[bool, typer.Option("--yes", help="do not ask for confirmation")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object")]
