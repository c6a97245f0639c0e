"""Rendering of templates: the kit's by name, a subject's as `subject/name.html`."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from services.ops.formatting import readable
from services.ops.web import formatting
from services.ops.web.user import User
from shared.datasets import registry
from shared.version import VERSION

HERE: Final = Path(__file__).parent

Navigation = Sequence[tuple[str, str]]  # (path, name) of each page


def environment(subjects: Mapping[str, Path], navigation: Navigation) -> Environment:
    """The template environment of the kit and the subjects {name: folder}."""
    prefixed = PrefixLoader({name: FileSystemLoader(folder) for name, folder in subjects.items()})
    environment = Environment(
        loader=ChoiceLoader([prefixed, FileSystemLoader(HERE / "templates")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
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
    environment.globals.update(NAVIGATION=navigation, VERSION=VERSION, datasets=registry.names)
    return environment


def page(request: Request, template: str, /, status_code: int = 200, **shown: Any) -> Response:
    """Render a template for the request's user. The application's state has the `templates`."""
    templates: Environment = request.app.state.templates
    user: User | None = getattr(request.state, "user", None)
    text = templates.get_template(template).render(user=user, path=request.url.path, **shown)
    return HTMLResponse(text, status_code)


def error_page(request: Request, why: str, status: int = 403) -> Response:
    """An error page with this text."""
    return page(request, "error.html", status, why=why)


def _query(values: Mapping[str, object]) -> str:
    """URL query of the non-empty values."""
    return urlencode({name: value for name, value in values.items() if value not in (None, "", ())})


def _with(values: Mapping[str, object], **more: object) -> dict[str, object]:
    return {**values, **more}


def _fingerprint(text: str) -> str:
    """An id that depends only on the text."""
    return hashlib.blake2s(text.encode("utf-8", "replace"), digest_size=6).hexdigest()
