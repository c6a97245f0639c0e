"""The settings of a process."""

import re

import pytest

from shared.config.settings import load_settings
from shared.config.topology import QUEUES
from shared.errors import PermanentError
from tests.unit.environment import WORKER

PASSWORD = "hunter2-and-more"  # noqa: S105 - nobody's
ENVIRONMENT = {
    **WORKER,
    "SMELT_DATABASE_URL": f"postgresql://smelt:{PASSWORD}@db.test/smelt",
    "SMELT_REDIS_URL": f"redis://:{PASSWORD}@cache.test",
}
REQUIRED = sorted(set(ENVIRONMENT) - {"SMELT_DATABASE_URL"})


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "SMELT_HOME",
        "SMELT_RECEIVE_WAIT_SECONDS",
        "SMELT_CONCURRENCY",
        "SMELT_LIVENESS_FILE",
        "SMELT_LOG_LEVEL",
    ):
        monkeypatch.delenv(name, raising=False)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def refusal() -> str:
    """Why the environment is refused."""
    with pytest.raises(PermanentError) as refused:
        load_settings()
    return str(refused.value)


def test_settings_are_read_from_the_environment() -> None:
    settings = load_settings()
    assert settings.bucket == "lake"
    assert settings.redis_url.get_secret_value() == ENVIRONMENT["SMELT_REDIS_URL"]
    assert [settings.queue_url(queue).rpartition("/")[2] for queue in QUEUES] == [queue.name for queue in QUEUES]


def test_a_service_without_a_database_needs_no_url_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SMELT_DATABASE_URL")
    assert load_settings().database_url is None


def test_no_way_of_printing_settings_shows_a_secret() -> None:
    settings = load_settings()
    printed = f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()} {vars(settings)}"
    assert PASSWORD not in printed


@pytest.mark.parametrize("name", REQUIRED)
def test_what_is_missing_is_named_in_one_line_as_the_variable_it_is(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)
    assert refusal().startswith(f"invalid environment: {name} (field required);")
    assert "\n" not in refusal()


def test_everything_that_is_missing_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENVIRONMENT:
        monkeypatch.delenv(name)
    assert sorted(re.findall(r"SMELT_\w+", refusal())) == REQUIRED


def test_no_error_shows_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMELT_CONCURRENCY", PASSWORD)
    with pytest.raises(PermanentError) as refused:
        load_settings()
    assert PASSWORD not in f"{refused.value!r}"
    assert refused.value.__suppress_context__


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("SMELT_RECEIVE_WAIT_SECONDS", "-1"),
        ("SMELT_RECEIVE_WAIT_SECONDS", "21"),
        ("SMELT_RECEIVE_WAIT_SECONDS", "long"),
        ("SMELT_CONCURRENCY", "0"),
        ("SMELT_CONCURRENCY", "65"),
        ("SMELT_CONCURRENCY", "1.5"),
    ],
)
def test_a_number_out_of_its_bounds_is_refused_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, wrong: str
) -> None:
    monkeypatch.setenv(name, wrong)
    assert refusal().startswith(f"invalid environment: {name} (")


@pytest.mark.parametrize(
    ("name", "right"),
    [("SMELT_RECEIVE_WAIT_SECONDS", "0"), ("SMELT_RECEIVE_WAIT_SECONDS", "20"), ("SMELT_CONCURRENCY", "64")],
)
def test_a_number_at_its_bounds_is_taken(monkeypatch: pytest.MonkeyPatch, name: str, right: str) -> None:
    monkeypatch.setenv(name, right)
    assert getattr(load_settings(), name.removeprefix("SMELT_").lower()) == int(right)
