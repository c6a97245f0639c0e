"""Console pages of the runbooks."""

from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

import services.ops
import shared
from services.ops.health.rules import RUNBOOKS
from services.ops.web import templating
from services.ops.web.context import ConsoleContext

FOLDERS: Final = (Path(shared.__file__).parents[1] / RUNBOOKS, Path(services.ops.__file__).parent / "runbooks")
FOLDER: Final = next(filter(Path.is_dir, FOLDERS), FOLDERS[0])  # of a checkout, else of the wheel
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


def show(_: ConsoleContext, request: Request) -> Response:
    """A runbook."""
    name = request.path_params["name"].removesuffix(".md")
    page = {file.stem: file for file in FOLDER.glob("*.md")}.get(name)
    if page is None:
        raise HTTPException(404, f"There is no {RUNBOOKS}/{name}.md.")
    text = Markup(_MARKDOWN.render(page.read_text(encoding="utf-8")))  # noqa: S704 - our own text, rendered without HTML
    return templating.page(request, "health/runbook.html", name=name, text=text)
