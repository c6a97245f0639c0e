"""What the commands print."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table as Grid

from infra.authoring.dry_run import Outcome
from infra.authoring.infer import Inferred
from infra.authoring.structure import Column, Table
from services.ops.cli.formatting import counted, head
from services.ops.cli.output import out, plain, say

MAX_EXAMPLE = 40  # characters
MAX_COLUMNS = 8  # of a table of rows
MAX_REASONS = 10


def say_inferred(inferred: Inferred) -> None:
    """Every column with its type, its share of nulls and an example."""
    for table in inferred.tables:
        say(f"[bold]{plain(table.name)}[/bold]: {counted(table.rows, 'row')}")
        grid = _grid("column", "type", "", "null", "field", "example")
        for column in table.columns:
            mark = "key" if column in inferred.key else ""
            share = f"{column.nulls / table.rows:.0%}" if table.rows else "-"
            field = _field(table, column)
            grid.add_row(column.name, str(column.type), mark, share, plain(field), plain(_example(column)))
        out.print(grid)
    for note in inferred.notes:
        say(f"[yellow]note[/yellow]: {plain(note)}")


def say_outcome(outcome: Outcome) -> None:
    """The first rows, the rejected records with their reasons, warnings and counts."""
    if outcome.rows:
        out.print(_rows(outcome.rows))
    for reject in outcome.rejects[:MAX_REASONS]:
        for problem in reject["problems"]:
            rule = f"{problem['rule']} {problem['field']}".strip()
            say(f"[red]rejected[/red]: record {reject['record']}: {plain(rule)}: {plain(problem['message'])}")
        say(f"  {plain(head(reject['raw'], out.width - 2))}")
    for reason, records in outcome.reasons.most_common(MAX_REASONS) if outcome.rejected > MAX_REASONS else ():
        say(f"[red]rejected[/red]: {counted(records, 'record')}: {plain(reason)}")
    for message, records in outcome.warnings.items():
        say(f"[yellow]warning[/yellow]: {counted(records, 'record')}: {plain(message)}")
    say(f"{counted(outcome.read, 'record')}: {outcome.valid:,} valid, {outcome.rejected:,} rejected")
    if outcome.refused:
        say(f"[red]the whole file would be refused[/red]: {plain(outcome.refused)}")


def _field(table: Table, column: Column) -> str:
    path = ".".join(column.path)
    return f"{'.'.join(table.path)}[].{path}" if table.path else path


def _example(column: Column) -> str:
    return head(str(next((value for value in column.values if value not in (None, "", [])), "")), MAX_EXAMPLE)


def _rows(rows: Sequence[dict[str, Any]]) -> Grid:
    names = list(rows[0])
    grid = _grid(*names[:MAX_COLUMNS], *([f"… {len(names) - MAX_COLUMNS} more"] if len(names) > MAX_COLUMNS else []))
    for row in rows:
        grid.add_row(
            *("-" if row[name] is None else plain(head(str(row[name]), MAX_EXAMPLE)) for name in names[:MAX_COLUMNS])
        )
    return grid


def _grid(*columns: str) -> Grid:
    return Grid(*columns, box=None, pad_edge=False, header_style="dim")
