"""Responses in the formats of the API."""

from collections.abc import Mapping

import orjson
from starlette.responses import Response


def json(body: bytes) -> Response:
    """What HistoricJoa and the code lists answer."""
    return Response(body, media_type="application/json; charset=utf-8")


def page(body: bytes) -> Response:
    """What Search answers, with a media type of its own."""
    return Response(body, media_type="application/hr+json; charset=utf-8")


def error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """A refusal."""
    body = orjson.dumps({"Message": message})
    return Response(body, status, headers, media_type="application/json; charset=utf-8")
