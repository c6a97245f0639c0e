"""Counts what sources are asked and what they answer."""

import httpx

from shared import telemetry
from shared.telemetry import metrics


def instrument(http: httpx.Client) -> httpx.Client:
    """The client, whose every request and answer is counted; the current span gets the status."""
    http.event_hooks = {"request": [_asked], "response": [_answered]}
    return http


def _asked(request: httpx.Request) -> None:
    metrics.API_REQUESTS.add(1, {"server": request.url.host})


def _answered(response: httpx.Response) -> None:
    telemetry.set_span_attributes(status=response.status_code)
    metrics.API_ANSWERS.add(1, {"server": response.request.url.host, "status": response.status_code})
