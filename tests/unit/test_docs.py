"""The documentation: no link leads nowhere."""

import re
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

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
