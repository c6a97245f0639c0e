"""Pages out of templates: what every page has, and figures as a person reads them."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from services.ops.console.sessions import Visitor
from services.ops.dlq.dead_letters import in_work, readable
from services.ops.dlq.filters import short_name
from services.ops.overview import model, plots
from services.ops.web import formatting
from shared.config.topology import QUEUES
from shared.datasets import contract
from shared.version import VERSION

HERE: Final = Path(__file__).parent
PAGES: Final = (  # {path: its name in the navigation}
    ("/", "Overview"),
    ("/runs", "Runs"),
    ("/dead-letters", "Dead letters"),
    ("/quarantine", "Quarantine"),
    ("/drift", "Drift"),
    ("/trace", "Trace"),
    ("/schedules", "Schedules"),
    ("/audit", "Audit log"),
)


def page(request: Request, template: str, status: int = 200, **shown: Any) -> Response:
    """A page for whoever asks."""
    visitor: Visitor | None = getattr(request.state, "visitor", None)
    return _answer(template, status, visitor=visitor, path=request.url.path, **shown)


def login(request: Request, to: str, *, wrong: bool = False) -> Response:
    """The form that asks for the token."""
    return _answer("login.html", 403 if wrong else 200, visitor=None, path=request.url.path, to=to, wrong=wrong)


def refused(request: Request, why: str, visitor: Visitor | None, status: int = 403) -> Response:
    """A page that only says why."""
    return _answer("refused.html", status, visitor=visitor, path=request.url.path, why=why)


def render(template: str, **shown: Any) -> str:
    """The text of a template."""
    return _TEMPLATES.get_template(template).render(**shown)


def _answer(template: str, status: int, **shown: Any) -> Response:
    return HTMLResponse(render(template, **shown), status)


def _query(values: Mapping[str, object]) -> str:
    """Values as the query of a link; what is empty is left out."""
    return urlencode({name: value for name, value in values.items() if value not in (None, "", ())})


def _with(held: Mapping[str, object], **more: object) -> dict[str, object]:
    return {**held, **more}


def _fingerprint(text: str) -> str:
    """An id that stays while the text does."""
    return hashlib.blake2s(text.encode("utf-8", "replace"), digest_size=6).hexdigest()


def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        about=lambda work: in_work(work).about,
        counted=formatting.counted,
        duration=formatting.duration,
        fingerprint=_fingerprint,
        moment=formatting.moment,
        number=formatting.number,
        query=_query,
        rate=formatting.rate,
        readable=readable,
        value=formatting.value,
        with_=_with,
    )
    environment.globals.update(
        PAGES=PAGES,
        SLOTS=model.SLOTS,
        VERSION=VERSION,
        datasets=contract.names,
        plot=plots.plot,
        queues=[short_name(queue) for queue in QUEUES],
    )
    return environment


_TEMPLATES = _templates()
