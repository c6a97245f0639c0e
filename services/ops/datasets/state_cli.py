"""`smelt datasets state`: how far incremental sources have come."""

from dataclasses import asdict
from typing import Annotated

import typer

from services.ops.cli.options import Json
from services.ops.cli.output import out, plain, say, say_json, table
from services.ops.cli.params import Param, parsed
from services.ops.connections import connect
from services.ops.datasets import state as states
from services.ops.datasets.state import StateView
from shared.datasets import registry
from shared.errors import PermanentError

OptionalName = Annotated[str | None, typer.Argument(help="only this dataset", autocompletion=registry.names)]
NO_CURSOR = "[red]no run: the contract has another cursor; --reset[/red]"
NOT_PUBLISHED = "[yellow]the extractor has another one: set it again[/yellow]"


def state(
    name: OptionalName = None,
    value: Annotated[str | None, typer.Option("--set", help="the cursor that the next run begins from")] = None,
    reset: Annotated[bool, typer.Option("--reset", help="begin with the initial value again")] = False,  # noqa: FBT002
    param: Param = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Show or set how far the complete runs of incremental sources have come.

    The next run requests what has changed since the cursor, less the overlap. Runs with other --param have a state of
    their own. Runs that began before --set or --reset do not change the state any more.

    Example: smelt datasets state DATASET --set 2026-01-31
    """
    if value is not None and reset:
        message = "--set and --reset exclude each other"
        raise PermanentError(message)
    if (value is not None or reset or param) and name is None:
        message = "which dataset?"
        raise PermanentError(message)
    connections = connect()
    if name is not None:
        states.cursor_of(name)
    if value is not None or reset:
        states.set_state(connections, name or "", parsed(param or []), value)
    views = list(states.states(connections, [name] if name else registry.names()))
    if param and name:
        views = [view for view in views if view.params == parsed(param)]
    say_json({"states": [asdict(view) for view in views]}) if as_json else _say(views)


def _say(views: list[StateView]) -> None:
    if not views:
        say("no state: no run of an incremental source is complete")
        return
    rows = table("dataset", "params", "cursor", "next run from", "by", "at", "", header_style="dim")
    for view in views:
        rows.add_row(
            view.dataset,
            plain(", ".join(f"{name}={text}" for name, text in view.params.items()) or "-"),
            plain(view.cursor or "-"),
            NO_CURSOR if view.next_start is None else plain(view.next_start or "the beginning"),
            plain(view.run_id or "an operator"),
            f"{view.changed_at:%Y-%m-%d %H:%M:%S}",
            "" if view.is_published else NOT_PUBLISHED,
        )
    out.print(rows)
