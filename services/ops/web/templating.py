"""Pages out of templates: those of the kit by their names, those of a subject as `subject/name.html`."""

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
    """Templates of the kit and of the subjects: {name: folder}."""
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
    """A template as the answer, for the user of the request. The application's state has the `templates`."""
    templates: Environment = request.app.state.templates
    user: User | None = getattr(request.state, "user", None)
    text = templates.get_template(template).render(user=user, path=request.url.path, **shown)
    return HTMLResponse(text, status_code)


def refused(request: Request, why: str, status: int = 403) -> Response:
    """A page that only says why."""
    return page(request, "refused.html", status, why=why)


def _query(values: Mapping[str, object]) -> str:
    """Values as the query of a link; what is empty is left out."""
    return urlencode({name: value for name, value in values.items() if value not in (None, "", ())})


def _with(values: Mapping[str, object], **more: object) -> dict[str, object]:
    return {**values, **more}


def _fingerprint(text: str) -> str:
    """An id that stays while the text does."""
    return hashlib.blake2s(text.encode("utf-8", "replace"), digest_size=6).hexdigest()
