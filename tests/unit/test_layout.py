"""The house: wings that never touch, standing on one ground floor."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import shared
from shared.datasets import contract

ROOT = Path(shared.__file__).parents[1]
LONGEST_MODULE = 400  # lines; a longer one has a second subject
MODULES = sorted(
    path.relative_to(ROOT) for top in ("shared", "services", "infra") for path in (ROOT / top).rglob("*.py")
)
SERVICES = sorted({path.parts[1] for path in MODULES if path.parts[0] == "services" and len(path.parts) > 2})


@cache
def tree(path: Path) -> ast.Module:
    """A module's syntax."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def imported(path: Path) -> Iterator[str]:
    """The full name of everything a module imports, wherever in it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = ".".join(path.parts[: len(path.parts) - node.level]) if node.level else ""
            base = ".".join(filter(None, (package, node.module)))
            yield from (f"{base}.{alias.name}" for alias in node.names)


def under(name: str, package: str) -> bool:
    """Whether a module or what it holds belongs to a package."""
    return f"{name}.".startswith(f"{package}.")


def offences(folder: str, *forbidden: str) -> list[str]:
    """Imports of forbidden packages by the modules of a folder."""
    return [
        f"{path} imports {name}"
        for path in MODULES
        if path.is_relative_to(folder)
        for name in imported(path)
        if any(under(name, package) for package in forbidden)
    ]


def test_there_is_something_to_look_at() -> None:
    assert {"extractor", "transformer", "loader", "ops", "serving"} <= set(SERVICES)
    assert contract.names()
    assert "shared.config.topology.Queue" in set(imported(Path("shared/config/settings.py")))


def test_the_ground_floor_imports_no_wing() -> None:
    assert offences("shared", "services", "infra", "tests") == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_imports_no_other_service(service: str) -> None:
    others = [f"services.{other}" for other in SERVICES if other != service]
    assert offences(f"services/{service}", *others) == []


def test_the_embedded_stack_imports_no_service() -> None:
    assert offences("infra/embedded", "services", "tests") == []


@pytest.mark.parametrize("dataset", contract.names())
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
