"""Authentication of requests, with secrets from settings. Only the extractor imports this: others have no httpx."""

import os
import threading
import time
from collections.abc import Callable, Generator, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import httpx

from shared.config import secret_files
from shared.datasets.contract.source_options import ApiKeyAuth, Auth, BasicAuth, BearerAuth, OAuth2Auth
from shared.errors import PermanentError, TransientError

EARLY_SECONDS = 30.0  # before a token expires, it is replaced
LIFETIME_SECONDS = 300.0  # of a token whose response does not say
Flow = Generator[httpx.Request, httpx.Response, None]


def auth(options: Auth) -> httpx.Auth:
    """Raises PermanentError if a setting is missing."""
    return _AUTHS[type(options)](options)


def secret(name: str) -> str:
    """The value of a setting: an environment variable, or a file. Raises PermanentError if there is none."""
    if name not in os.environ:
        secret_files.read()
    if value := os.environ.get(name):
        return value
    message = f"the source needs the setting {name}: an environment variable, or a file in {secret_files.FOLDER}"
    raise PermanentError(message)


def _header_value(value: str, name: str) -> str:
    """The HTTP client's own error would repeat the value."""
    if value.isprintable():
        return value
    message = f"{name} has characters that a header cannot have, such as a line end"
    raise PermanentError(message)


class _Header(httpx.Auth):
    def __init__(self, name: str, value: str) -> None:
        self._name, self._value = name, value

    def auth_flow(self, request: httpx.Request) -> Flow:
        request.headers[self._name] = self._value
        yield request


class _QueryParam(httpx.Auth):
    def __init__(self, name: str, value: str) -> None:
        self._name, self._value = name, value

    def auth_flow(self, request: httpx.Request) -> Flow:
        request.url = request.url.copy_set_param(self._name, self._value)
        yield request


class _ClientCredentials(httpx.Auth):
    """Requests a token when there is none, when it expires, and once more when the source rejects it."""

    def __init__(self, options: OAuth2Auth) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._token, self._expires = "", 0.0

    def sync_auth_flow(self, request: httpx.Request) -> Flow:
        rejected = ""
        for _ in range(2):
            with self._lock:
                if self._token == rejected or time.monotonic() > self._expires:
                    response = yield self._token_request(request)
                    response.read()
                    self._token, self._expires = _token(response)
                rejected = self._token
            request.headers["Authorization"] = f"Bearer {rejected}"
            response = yield request
            if response.status_code != HTTPStatus.UNAUTHORIZED:
                return

    def _token_request(self, request: httpx.Request) -> httpx.Request:
        options = self._options
        client_id, client_secret = secret(options.client_id), secret(options.client_secret)
        form = {"grant_type": "client_credentials", **options.params}
        if options.scope:
            form["scope"] = options.scope
        if options.credentials == "body":
            form |= {"client_id": client_id, "client_secret": client_secret}
        headers = {"User-Agent": request.headers["User-Agent"], "Accept": "application/json"}
        token_request = httpx.Request(
            "POST", options.token_url, data=form, headers=headers, extensions={"timeout": request.extensions["timeout"]}
        )
        if options.credentials == "header":
            return next(httpx.BasicAuth(client_id, client_secret).auth_flow(token_request))
        return token_request


def _token(response: httpx.Response) -> tuple[str, float]:
    """A token and when to replace it. Errors never contain the response's body."""
    message = f"{response.request.url.copy_with(query=None)}: the token request got {response.status_code}"
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS or response.is_server_error:
        raise TransientError(message)
    try:
        content = response.raise_for_status().json()
        lifetime = float(content.get("expires_in", LIFETIME_SECONDS))
        return _header_value(str(content["access_token"]), "access_token"), time.monotonic() + lifetime - EARLY_SECONDS
    except (httpx.HTTPStatusError, ValueError, KeyError, TypeError, AttributeError):
        raise PermanentError(message + ", without an access_token") from None


def _bearer(options: BearerAuth) -> httpx.Auth:
    return _Header("Authorization", f"Bearer {_header_value(secret(options.token), options.token)}")


def _api_key(options: ApiKeyAuth) -> httpx.Auth:
    if options.header is not None:
        return _Header(options.header, _header_value(secret(options.key), options.key))
    return _QueryParam(options.query_param or "", secret(options.key))


def _basic(options: BasicAuth) -> httpx.Auth:
    return httpx.BasicAuth(secret(options.username), secret(options.password))


_AUTHS: Mapping[type, Callable[[Any], httpx.Auth]] = MappingProxyType(
    {BearerAuth: _bearer, ApiKeyAuth: _api_key, BasicAuth: _basic, OAuth2Auth: _ClientCredentials}
)
