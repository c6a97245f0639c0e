"""Addresses with passwords, and secrets from files."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from services.serving import settings as serving
from services.serving.settings import ServingSettings
from shared.config import settings
from shared.config.settings import Settings
from shared.config.urls import PostgresAddress, RedisAddress
from shared.errors import PermanentError
from tests.unit.environment import WORKER

PASSWORD = "hunter2"  # noqa: S105 - nobody's
SECRETS = {
    "SMELT_DATABASE_URL": f"postgresql://smelt:{PASSWORD}@db.test/smelt",
    "SMELT_REDIS_URL": f"rediss://:{PASSWORD}@cache.test:6380/0",
}


class Addresses(BaseModel):
    """As a service's settings have them."""

    model_config = ConfigDict(hide_input_in_errors=True)

    postgres: PostgresAddress | None = None
    redis: RedisAddress | None = None


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of secrets for an environment that has none of its own."""
    for name, value in WORKER.items():
        monkeypatch.setenv(name, value)
    for name in ("SMELT_USAJOBS_API_KEY", "PGPASSWORD", *SECRETS):
        monkeypatch.setenv(name, "")  # so that what is read from files is undone after the test
        monkeypatch.delenv(name)
    for name, value in SECRETS.items():
        (tmp_path / name).write_text(value + "\n")
    monkeypatch.setenv("SMELT_SECRETS_FOLDER", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    "query", ["", "?sslmode=verify-full&sslrootcert=/ca.pem", "?sslmode=verify-ca&sslrootcert=system"]
)
@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2"])
def test_an_address_of_postgres_is_taken_plain_or_with_a_verified_certificate(scheme: str, query: str) -> None:
    address = f"{scheme}://smelt:{PASSWORD}@db.test:5432/smelt{query}"
    taken = Addresses(postgres=address).postgres
    assert taken
    assert taken.get_secret_value() == address


@pytest.mark.parametrize(
    "address", ["redis://cache.test", "rediss://:x@cache.test/0?ssl_ca_certs=/ca.pem", "unix:///run/x"]
)
def test_an_address_of_redis_is_taken_plain_or_with_a_verified_certificate(address: str) -> None:
    assert Addresses(redis=address).redis


@pytest.mark.parametrize("mode", ["allow", "prefer", "require", "REQUIRE"])
def test_encryption_for_anybody_is_refused_for_postgres(mode: str) -> None:
    with pytest.raises(ValidationError, match=f"sslmode={mode.lower()} does not verify the certificate"):
        Addresses(postgres=f"postgresql://smelt:{PASSWORD}@db.test/smelt?sslmode={mode}")


@pytest.mark.parametrize("option", ["ssl_cert_reqs=none", "ssl_cert_reqs=optional", "ssl_check_hostname=False"])
def test_encryption_for_anybody_is_refused_for_redis(option: str) -> None:
    with pytest.raises(ValidationError, match="accepts any certificate"):
        Addresses(redis=f"rediss://:{PASSWORD}@cache.test/0?{option}")


@pytest.mark.parametrize("password", ["hun@ter2", "hun/ter2", "hun#ter2", "hun?ter2", "[hunter2", "hunter2:x/@"])
@pytest.mark.parametrize("scheme", ["postgresql", "rediss"])
def test_no_part_of_a_malformed_address_is_repeated(scheme: str, password: str) -> None:
    which = "redis" if scheme == "rediss" else "postgres"
    with pytest.raises(ValidationError) as refused:
        Addresses.model_validate({which: f"{scheme}://smelt:{password}@db.test:5432/smelt"})
    assert "hun" not in str(refused.value)
    assert "%40" in str(refused.value)


def test_an_address_of_something_else_is_refused() -> None:
    with pytest.raises(ValidationError, match="expected postgres://"):
        Addresses(postgres="mysql://smelt@db.test/smelt")


@pytest.mark.parametrize("load", [settings.load_settings, serving.load_settings])
def test_secrets_may_come_as_files_named_as_their_variables(
    folder: Path, load: Callable[[], Settings | ServingSettings]
) -> None:
    (folder / "..data").mkdir()  # as Kubernetes has it
    (folder / "notes.txt").write_text("not a variable")
    loaded = load()
    assert loaded.database_url
    assert loaded.redis_url
    assert loaded.database_url.get_secret_value() == SECRETS["SMELT_DATABASE_URL"]
    assert loaded.redis_url.get_secret_value() == SECRETS["SMELT_REDIS_URL"]


def test_the_environment_goes_before_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (folder / "SMELT_REDIS_URL").exists()
    monkeypatch.setenv("SMELT_REDIS_URL", "redis://here.test")
    assert settings.load_settings().redis_url.get_secret_value() == "redis://here.test"


@pytest.mark.parametrize("spoil", ["absent", "binary"])
def test_secrets_that_cannot_be_read_stop_the_process_and_say_which_folder(folder: Path, spoil: str) -> None:
    if spoil == "binary":
        (folder / "SMELT_REDIS_URL").write_bytes(b"\xff\xfe" + PASSWORD.encode())
    else:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    with pytest.raises(PermanentError, match=f"SMELT_SECRETS_FOLDER: {folder} cannot be read") as refused:
        settings.load_settings()
    assert PASSWORD not in str(refused.value)
