"""Which datasets there are: those of installed packages, and those of the folders in SMELT_DATASETS."""

import os
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from shared.datasets.contract.document import SUFFIX
from shared.datasets.dataset import Dataset
from shared.errors import PermanentError

GROUP = "smelt.datasets"  # entry points: each names a package that contains contracts
FOLDERS = "SMELT_DATASETS"  # folders, separated as in PATH


def names() -> tuple[str, ...]:
    """All datasets, sorted."""
    return tuple(sorted(_datasets()))


def dataset(name: str) -> Dataset:
    """One dataset. Raises PermanentError for an unknown one."""
    try:
        return _datasets()[name]
    except KeyError as error:
        message = f"no dataset {name!r}; known: {', '.join(names())}"
        raise PermanentError(message) from error


def check_name(name: str) -> None:
    """Raises PermanentError for an unknown dataset."""
    dataset(name)


def first_runs() -> dict[str, dict[str, str]]:
    """{dataset: params} of what `smelt up` extracts on an empty database."""
    sources = {name: dataset(name).source for name in names() if dataset(name).has_source}
    return {name: dict(source.first_run) for name, source in sources.items() if source.first_run is not None}


def register(dataset: Dataset) -> None:
    """Make a dataset known to this process, in place of another of its name."""
    _datasets()[dataset.name] = dataset


@cache
def _datasets() -> dict[str, Dataset]:
    datasets: dict[str, Dataset] = {}
    for dataset in _all():
        if other := datasets.get(dataset.name):
            message = f"two datasets are called {dataset.name!r}: {other.path} and {dataset.path}"
            raise PermanentError(message)
        datasets[dataset.name] = dataset
    return datasets


def _all() -> Iterator[Dataset]:
    for entry in entry_points(group=GROUP):
        spec = find_spec(entry.value)
        for place in (spec and spec.submodule_search_locations) or ():
            for path in _contracts(Path(place)):
                yield Dataset(path, _package(entry.value, Path(place), path))
    for folder in filter(None, os.environ.get(FOLDERS, "").split(os.pathsep)):
        if not Path(folder).is_dir():
            message = f"{FOLDERS} names {folder}, which is no folder"
            raise PermanentError(message)
        yield from map(Dataset, _contracts(Path(folder).resolve()))


def _contracts(folder: Path) -> list[Path]:
    """Of a folder and the folders in it."""
    return sorted([*folder.glob(f"*{SUFFIX}"), *folder.glob(f"*/*{SUFFIX}")])


def _package(package: str, place: Path, path: Path) -> str:
    return ".".join((package, *path.parent.relative_to(place).parts))
