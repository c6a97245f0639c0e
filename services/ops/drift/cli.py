"""`smelt drift`: differences between records, their declaration and earlier records."""

from datetime import timedelta
from typing import Annotated

import typer

from services.ops import durations
from services.ops.cli.options import Dataset, Json
from services.ops.cli.output import out, plain, say, say_json, table
from services.ops.connections import connect
from services.ops.drift import queries

Since = Annotated[str, typer.Option("--since", help="seen in the last 30s, 15m, 2h or 1d")]


def drift(
    dataset: Dataset = None,
    since: Since = "30d",
    kind: Annotated[str | None, typer.Option(help="unknown_field, vanished_field, type_change or new_value")] = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Show undeclared fields, vanished fields, changed types and undocumented values by run or upload.

    The records were loaded nevertheless. Exit 0, whether there is drift or not.

    Example: smelt drift --since 7d
    """
    with connect().database.connect() as connection:
        rows = queries.find_drift(connection, timedelta(seconds=durations.seconds(since)), dataset, kind)
    if as_json:
        say_json([row._asdict() for row in rows])
        return
    rows_table = table("seen", "dataset", "run or upload", "kind", "field", "what", "records")
    for row in rows:
        seen_at = f"{row.seen_at:%m-%d %H:%M}"
        texts = (row.dataset, row.source, row.kind, row.path, row.detail)
        rows_table.add_row(seen_at, *map(plain, texts), f"{row.records:,}")
    out.print(rows_table) if rows else say("no drift")
    for name in sorted({row.dataset for row in rows if row.kind == "unknown_field"}):
        say(
            f"{plain(name)}: declare the fields, or let evolution: evolve add columns, and raise the major version;"
            f" then smelt reprocess --dataset {plain(name)} fills in earlier records"
        )
