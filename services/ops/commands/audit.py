"""`smelt audit`: what the ledger lacks of what the bucket and the plans promise."""

from dataclasses import asdict
from typing import Annotated

import typer

from services.ops import audit as audits
from services.ops.commands.terminal import plain, say, say_json
from services.ops.connections import connect


def audit(
    repair: Annotated[bool, typer.Option("--repair", help="send exactly what is missing on its way again")] = False,  # noqa: FBT002
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,  # noqa: FBT002
) -> None:
    """Compare the bucket with the ledger. Exit 0 if nothing is missing, or all of it was sent again.

    What is under way at the moment counts as missing; sending it again is safe.

    Example: smelt audit --repair
    """
    connections = connect()
    missing = audits.audit(connections)
    if as_json:
        say_json(asdict(missing))
    else:
        for stored in missing.objects:
            say(f"not loaded: {plain(stored.key)} (version {stored.version or 'newest'})")
        for page in missing.pages:
            say(f"never fetched: run {page.run_id}, part {page.part}, page {page.page} of {page.of}")
    if repair:
        sent = audits.repair(connections, missing)
        if not as_json:
            say(f"sent again: {sent}")
    elif missing.objects or missing.pages:
        raise typer.Exit(1)
