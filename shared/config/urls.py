"""Validation of Postgres and Redis URLs: well-formed, and with verified certificates if encrypted.

Error messages never contain parts of a URL, as a malformed one may have its password anywhere.
"""

from typing import Annotated, NoReturn
from urllib.parse import SplitResult, parse_qs, urlsplit

from pydantic import AfterValidator, SecretStr
from pydantic_core import PydanticCustomError

# libpq modes that encrypt without verifying the server. An omitted mode means `prefer`, for loopback connections.
UNVERIFIED_MODES = {"allow", "prefer", "require"}
# {option of redis-py: values that disable verification}
INSECURE_OPTIONS = {
    "ssl_cert_reqs": {"none", "optional", "cert_none", "cert_optional"},
    "ssl_check_hostname": {"false", "no", "0", "off"},
}


def _postgres(address: SecretStr) -> SecretStr:
    parts = _parts(address, {"postgresql", "postgres", "postgresql+psycopg2"})
    if (mode := _options(parts).get("sslmode", "")) in UNVERIFIED_MODES:
        _fail(f"sslmode={mode} does not verify the certificate: use verify-full with sslrootcert")
    return address


def _redis(address: SecretStr) -> SecretStr:
    options = _options(_parts(address, {"redis", "rediss", "unix"}))
    for name, values in INSECURE_OPTIONS.items():
        if (value := options.get(name, "")) in values:
            _fail(
                f"{name}={value} accepts any certificate: remove it, and set ssl_ca_certs to the certificate authority"
            )
    return address


def _parts(address: SecretStr, schemes: set[str]) -> SplitResult:
    try:
        parts = urlsplit(address.get_secret_value())
        is_known, _ = parts.scheme in schemes, parts.port
    except ValueError:
        is_known, parts = False, SplitResult("", "", "", "", "")
    stray = "@" in parts.path + parts.query + parts.fragment or parts.netloc.count("@") > 1
    if stray or not is_known:
        _fail(f"expected {min(schemes)}://user:password@host, with @ : / ? # % in the password percent-encoded (%40 …)")
    return parts


def _options(parts: SplitResult) -> dict[str, str]:
    return {name: values[-1].lower() for name, values in parse_qs(parts.query).items()}


def _fail(why: str) -> NoReturn:
    kind = "address"
    raise PydanticCustomError(kind, "{why}", {"why": why})


PostgresAddress = Annotated[SecretStr, AfterValidator(_postgres)]
RedisAddress = Annotated[SecretStr, AfterValidator(_redis)]
