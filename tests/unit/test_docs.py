"""The documentation: no link leads nowhere, and its contracts are in order."""

import re
from pathlib import Path

import pytest
import yaml

from infra.authoring import reference
from shared.datasets import consistency
from shared.datasets.contract.options import ContractOptions
from tests.conftest import REPOSITORY
from tests.support.own_dataset import own_dataset

PAGES = sorted(
    page.relative_to(REPOSITORY)
    for folder in (REPOSITORY, REPOSITORY / "infra" / "terraform")
    for page in folder.glob("*.md")
) + sorted(page.relative_to(REPOSITORY) for page in (REPOSITORY / "docs").rglob("*.md"))
LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#+ +(.*?)\s*$", re.MULTILINE)
CODE = re.compile(r"^(```.*?^```|    .*?)$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    broken = [link for link in links(REPOSITORY / page) if not leads_somewhere(REPOSITORY / page, link)]
    assert broken == []


def test_a_broken_link_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One `thing`, and more\n[a](page.md#one-thing-and-more) [b](page.md#two) [c](#one) [d](no.md)\n")
    assert [link for link in links(page) if not leads_somewhere(page, link)] == ["page.md#two", "#one", "no.md"]


@pytest.mark.parametrize("folder", ["adr", "runbooks"])
def test_every_page_of_a_folder_is_in_its_list(folder: str) -> None:
    listed = set(links(REPOSITORY / "docs" / folder / "README.md"))
    there = {page.name for page in (REPOSITORY / "docs" / folder).glob("*.md")} - {"README.md"}
    assert there <= listed


def test_the_readme_is_short() -> None:
    assert len((REPOSITORY / "README.md").read_text().splitlines()) < 200


def links(page: Path) -> list[str]:
    """Relative ones."""
    return [link for link in LINK.findall(CODE.sub("", page.read_text())) if not re.match(r"[a-z]+:", link)]


def leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    return target.exists() and (not anchor or anchor in anchors(target))


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(page.read_text()))
    return {word.replace(" ", "-") for word in words}


BLOCKS = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CONTRACTS = [
    pytest.param(block, id=f"{page.name}: {yaml.safe_load(block)['id']}")
    for page in sorted(REPOSITORY.glob("docs/*.md"))
    for block in BLOCKS.findall(page.read_text())
    if block.startswith("apiVersion")
]


@pytest.mark.parametrize("block", CONTRACTS)
def test_a_contract_of_the_documentation_is_in_order(block: str, tmp_path: Path) -> None:
    name = yaml.safe_load(block)["id"]
    with own_dataset(tmp_path, block, name=name):
        assert consistency.faults(name) == []


def test_options_of_the_documentation_are_in_order() -> None:
    """Parts of contracts: the value of the custom property alone."""
    for page in sorted(REPOSITORY.glob("docs/*.md")):
        for block in BLOCKS.findall(page.read_text()):
            if block.startswith("customProperties"):
                (option,) = yaml.safe_load(block)["customProperties"]
                ContractOptions.model_validate(option["value"])


def test_the_reference_of_options_is_that_of_the_code() -> None:
    assert (REPOSITORY / "docs" / "contract-reference.md").read_text() == reference.page(), "run `make reference`"


def test_every_option_is_described() -> None:
    lines = [line for line in reference.page().splitlines() if line.startswith("| `") and "`type`" not in line]
    assert [line for line in lines if line.endswith("|  |")] == []
