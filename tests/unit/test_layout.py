"""Modules: where datasets are named, what each says of itself, and how long it is. Imports: `lint-imports`."""

import ast
from functools import cache
from pathlib import Path

import pytest

import shared
from shared.datasets import registry

ROOT = Path(shared.__file__).parents[1]
LONGEST_MODULE = 400  # lines; a longer one has a second subject
MODULES = sorted(
    path.relative_to(ROOT) for top in ("shared", "services", "infra") for path in (ROOT / top).rglob("*.py")
)


@cache
def tree(path: Path) -> ast.Module:
    """A module's syntax."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("dataset", registry.names())
def test_no_dataset_is_named_outside_its_folder(dataset: str) -> None:
    home = Path("shared/datasets") / dataset
    naming = [
        f"{path}:{number}"
        for path in MODULES
        if path.parts[0] in {"shared", "services"} and not path.is_relative_to(home)
        if path.parent.name != "migrations"  # where one dataset's tables may depend on another's
        for number, line in enumerate((ROOT / path).read_text(encoding="utf-8").splitlines(), start=1)
        if dataset in line
    ]
    assert naming == []


def test_every_module_says_what_it_is() -> None:
    assert [str(path) for path in MODULES if not ast.get_docstring(tree(path))] == []


def test_no_module_has_grown_too_long() -> None:
    assert [str(path) for path in MODULES if (ROOT / path).read_text().count("\n") > LONGEST_MODULE] == []
