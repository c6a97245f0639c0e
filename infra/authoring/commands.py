"""`smelt datasets infer`, `try` and `new`. They use the transformer, so they are not in the image of ops."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from infra.authoring import dry_run, evolved_columns, infer, output, source_file, update
from infra.authoring.skeleton import skeleton
from services.ops.cli.options import Json
from services.ops.cli.output import plain, say, say_json
from shared.datasets import registry
from shared.datasets.contract import document
from shared.datasets.contract.document import SUFFIX
from shared.datasets.dataset import Dataset
from shared.errors import PermanentError

KINDS = "a file, or s3://bucket/key: CSV, JSON, JSON lines, Parquet, Excel, Avro or Arrow"
Source = Annotated[str, typer.Argument(help=KINDS)]
OfDataset = Annotated[
    str, typer.Argument(help="the dataset, or the path of its contract", autocompletion=registry.names)
]
Out = Annotated[Path, typer.Option("--out", help="the folder of the contract", file_okay=False)]
Replace = Annotated[bool, typer.Option("--replace", help="overwrite a contract of this name")]


def infer_contract(  # noqa: PLR0913, PLR0917 - the options of a command
    source: Annotated[str | None, typer.Argument(help=KINDS)] = None,
    key: Annotated[str, typer.Option("--key", help="columns of the natural key, separated by commas")] = "",
    append: Annotated[bool, typer.Option("--append", help="records have no key: all are kept")] = False,  # noqa: FBT002
    name: Annotated[str | None, typer.Option("--name", help="of the dataset; else that of the file")] = None,
    records: Annotated[str | None, typer.Option("--records", help="where a JSON document has its list: a.b")] = None,
    sheet: Annotated[str | None, typer.Option("--sheet", help="of an Excel workbook: its name or number")] = None,
    folder: Out = Path(),
    replace: Replace = False,  # noqa: FBT002
    updated: Annotated[
        str | None,
        typer.Option("--update", help="show what the sample has beyond this dataset's contract, or its path"),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="with --update: change the contract")] = False,  # noqa: FBT002
) -> None:
    """Write a contract from a sample, and show its columns. Exit 1 where no column tells the records apart.

    With --update, propose changes of a contract that exists: new properties and tables, wider types, and a raised
    version. Comments and order stay; nothing is removed or made narrower. Without a sample, propose the columns that
    the loader added (evolution: evolve).

    Example: smelt datasets infer stations.csv --key station --out datasets
    """
    if updated is not None:
        _update(updated, source, write=write)
        return
    if source is None:
        message = "a sample is needed: smelt datasets infer FILE"
        raise PermanentError(message)
    names = () if append else [part.strip() for part in key.split(",") if part.strip()] or None
    with source_file.local(source) as path:
        inferred = infer.infer(path, name, names, records, sheet)
        contract = inferred.write(folder, replace=replace)
        registry.register(Dataset(contract.resolve()))
        output.say_inferred(inferred)
        outcome = dry_run.run(path, inferred.name, rows=0)
    output.say_outcome(outcome)
    _say_written(contract)
    say(f"next: smelt datasets apply {inferred.name} && smelt upload {plain(source)} {inferred.name}")


def try_file(
    source: Source,
    dataset: OfDataset,
    rows: Annotated[int, typer.Option("--rows", min=0, help="how many rows to show")] = 5,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Show what a file would become: rows, rejected records with their reasons, warnings. Nothing is stored.

    Exit 1 if a record is rejected.

    Example: smelt datasets try stations.csv stations
    """
    dataset = _registered(dataset)
    with source_file.local(source) as path:
        outcome = dry_run.run(path, dataset, rows)
    say_json(asdict(outcome)) if as_json else output.say_outcome(outcome)
    if outcome.rejected:
        raise typer.Exit(1)


def new_contract(
    name: Annotated[str, typer.Argument(help="of the dataset: small letters, digits and _")],
    folder: Out = Path(),
    replace: Replace = False,  # noqa: FBT002
) -> None:
    """Write the skeleton of a contract, with comments.

    Example: smelt datasets new stations --out datasets
    """
    path = folder / f"{name}{SUFFIX}"
    if not document.IDENTIFIER.fullmatch(name):
        message = f"a dataset's name is small letters, digits and _, not {name!r}"
        raise PermanentError(message)
    if path.exists() and not replace:
        message = f"{path} exists: choose another name or --out, or --replace it"
        raise PermanentError(message)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(skeleton(name), encoding="utf-8")
    _say_written(path)


def _update(dataset: str, source: str | None, *, write: bool) -> None:
    contract = registry.dataset(_registered(dataset))
    if source is None:
        proposal = update.from_columns(contract, evolved_columns.of_dataset(contract.name))
    else:
        with source_file.local(source) as path:
            proposal = update.from_sample(contract, path)
    for note in proposal.notes:
        say(f"[yellow]note[/yellow]: {plain(note)}")
    if not proposal.diff:
        say(f"{plain(contract.name)}: nothing to add")
        return
    say(plain(proposal.diff.rstrip()))
    if not write:
        say("nothing is written: --write changes the contract")
        return
    proposal.write()
    _say_written(contract.path)
    say(f"next: smelt datasets apply {contract.name}; restart the workers; smelt reprocess --dataset {contract.name}")


def _registered(dataset: str) -> str:
    """The name of a dataset, or of that of a contract's file."""
    if dataset.endswith(SUFFIX):
        registry.register(Dataset(Path(dataset).resolve()))
        dataset = Path(dataset).name.removesuffix(SUFFIX)
    return dataset


def _say_written(path: Path) -> None:
    say(f"written: {plain(str(path))}")
    folders = [Path(folder).resolve() for folder in os.environ.get(registry.FOLDERS, "").split(os.pathsep) if folder]
    if path.resolve().parent not in folders:
        say(f"smelt finds it with: export {registry.FOLDERS}={plain(str(path.resolve().parent))}")
