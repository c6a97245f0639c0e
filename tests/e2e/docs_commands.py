"""The commands of the documentation, as written: indented and fenced blocks, and code in the text that is a command."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import REPOSITORY

PAGES = ("README.md", *(str(page.relative_to(REPOSITORY)) for page in sorted(REPOSITORY.glob("docs/runbooks/*.md"))))
PROGRAMS = ("smelt", "make", "docker", "aws", "terraform", "python", "eval", "psql", "read -rs")
ASSIGNMENTS = r"(?:[A-Z][A-Z0-9_]*=\S+ )*"
COMMAND = re.compile(rf"{ASSIGNMENTS}(?:{'|'.join(PROGRAMS)}) [^\n]*")
FENCE = re.compile(r"^```(?:sh|sql)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^    [^\n]*\n)+", re.MULTILINE)
IN_TEXT = re.compile(r"`([^`\n]+)`")
COMMENT = re.compile(r"\s+#\s.*$", re.MULTILINE)
CONTINUED = re.compile(r"\\\n\s*|\n\s+(?=\S)")


@dataclass(frozen=True, order=True)
class Written:
    """A command, and the page that has it."""

    page: str
    command: str

    @property
    def name(self) -> str:
        """For the test's name."""
        return f"{Path(self.page).stem}: {self.command}"


def commands() -> list[Written]:
    """Of all pages, each once a page, in their order."""
    found = (Written(page, command) for page in PAGES for command in commands_of((REPOSITORY / page).read_text()))
    return list(dict.fromkeys(found))


def commands_of(page: str) -> Iterator[str]:
    """Of one page; lines of a block that are no command (output, pictures) are left out."""
    for block in [
        *FENCE.findall(page),
        *(re.sub("^    ", "", one, flags=re.MULTILINE) for one in INDENTED.findall(page)),
    ]:
        if block.startswith("select "):
            yield block.strip()
            continue
        for line in CONTINUED.sub(" ", COMMENT.sub("", block)).splitlines():
            if COMMAND.fullmatch(line.strip()):
                yield line.strip()
    for code in IN_TEXT.findall(FENCE.sub("", INDENTED.sub("", page)).replace("\n", " ")):
        if COMMAND.fullmatch(code):
            yield code
