"""What tools leave among uploads is known by its name."""

import pytest

from shared.config.settings import IGNORED_FILES, Settings, load_settings
from shared.storage.litter import litter
from tests.unit.environment import WORKER

FOLDER = "uploads/things/"


@pytest.mark.parametrize(
    "path",
    [
        "_temporary/0/task_1/part-0000.parquet",
        "out/_temporary/0/part-0000.parquet",
        "out/_SUCCESS",
        "out/.part-0000.parquet.crc",
        "out_$folder$",
        "out/data.csv._COPYING_",
        "table/_delta_log/00000000000000000000.json",
        ".DS_Store",
        "month/._data.csv",
        "__MACOSX/data.csv",
        "Thumbs.db",
        "THUMBS.DB",
        "desktop.ini",
        "~$codes.xlsx",
        ".~lock.codes.csv#",
        "codes.csv.part",
        "codes.csv.tmp",
        "codes.csv.filepart",
        "codes.csv.crdownload",
    ],
)
def test_what_nobody_means_to_load_is_ignored(path: str) -> None:
    assert litter(FOLDER + path, IGNORED_FILES)


@pytest.mark.parametrize(
    "path",
    ["part-0000.parquet", "success.csv", "temporary/a.csv", "a.csv", "tmp/a.csv", "crc.csv", "_temporary.csv", "x/"],
)
def test_everything_else_is_not(path: str) -> None:
    assert litter(FOLDER + path, IGNORED_FILES) is None


def test_the_patterns_are_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**WORKER, "SMELT_REDIS_URL": "redis://cache.test"}.items():
        monkeypatch.setenv(name, value)
    assert load_settings().ignored_files == IGNORED_FILES
    monkeypatch.setenv("SMELT_IGNORED_FILES", "*.bak, old/")
    settings: Settings = load_settings()
    assert settings.ignored_files == ("*.bak", "old/")
    assert [litter(FOLDER + path, settings.ignored_files) for path in ("a.bak", "old/a.csv", "_SUCCESS")] == [
        "*.bak",
        "old/",
        None,
    ]
