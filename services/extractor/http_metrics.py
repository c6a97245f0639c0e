"""Metrics of the requests to sources and their responses."""

import httpx

from shared import telemetry
from shared.telemetry import metrics


def instrument(http: httpx.Client) -> httpx.Client:
    """Count every request and response of this client; the status goes to the current span."""
    http.event_hooks = {"request": [_count_request], "response": [_count_response]}
    return http


def _count_request(request: httpx.Request) -> None:
    metrics.API_REQUESTS.add(1, {"server": request.url.host})


def _count_response(response: httpx.Response) -> None:
    telemetry.set_span_attributes(status=response.status_code)
    metrics.API_RESPONSES.add(1, {"server": response.request.url.host, "status": response.status_code})
