"""Addresses of Postgres and Redis as settings: well-formed, and encrypted only where the certificate is looked at.

No error repeats any of an address: it holds a password, and a malformed one holds it where nobody looks for it.
"""

from typing import Annotated, NoReturn
from urllib.parse import SplitResult, parse_qs, urlsplit

from pydantic import AfterValidator, SecretStr
from pydantic_core import PydanticCustomError

# Modes of libpq that encrypt without knowing for whom. Without a mode it is `prefer`, which is for loopback.
UNVERIFIED = {"allow", "prefer", "require"}
# {option of redis-py: values that make it take any certificate}
CARELESS = {
    "ssl_cert_reqs": {"none", "optional", "cert_none", "cert_optional"},
    "ssl_check_hostname": {"false", "no", "0", "off"},
}


def _postgres(address: SecretStr) -> SecretStr:
    parts = _parts(address, {"postgresql", "postgres", "postgresql+psycopg2"})
    if (mode := _options(parts).get("sslmode", "")) in UNVERIFIED:
        _refuse(f"sslmode={mode} looks at no certificate: use verify-full with sslrootcert")
    return address


def _redis(address: SecretStr) -> SecretStr:
    options = _options(_parts(address, {"redis", "rediss", "unix"}))
    for name, values in CARELESS.items():
        if (value := options.get(name, "")) in values:
            _refuse(f"{name}={value} takes any certificate: leave it out, and name an authority by ssl_ca_certs")
    return address


def _parts(address: SecretStr, schemes: set[str]) -> SplitResult:
    try:
        parts = urlsplit(address.get_secret_value())
        known, _ = parts.scheme in schemes, parts.port
    except ValueError:
        known, parts = False, SplitResult("", "", "", "", "")
    stray = "@" in parts.path + parts.query + parts.fragment or parts.netloc.count("@") > 1
    if stray or not known:
        _refuse(f"not like {min(schemes)}://user:password@host; write @ : / ? # % in a password as %40 and so on")
    return parts


def _options(parts: SplitResult) -> dict[str, str]:
    return {name: values[-1].lower() for name, values in parse_qs(parts.query).items()}


def _refuse(why: str) -> NoReturn:
    kind = "address"
    raise PydanticCustomError(kind, "{why}", {"why": why})


PostgresAddress = Annotated[SecretStr, AfterValidator(_postgres)]
RedisAddress = Annotated[SecretStr, AfterValidator(_redis)]
