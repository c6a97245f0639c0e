"""How long texts are kept on a server, with lz4 and without."""

import pytest
from sqlalchemy import Engine, text

from shared.database.toast import disable_compression_without_lz4

pytestmark = pytest.mark.integration

STORAGE = text("select attstorage from pg_attribute where attrelid = 'silver.probe'::regclass and attname = :name")
HAS_LZ4 = text("select 'lz4' = any (enumvals) from pg_settings where name = 'default_toast_compression'")


def test_texts_are_compressed_only_where_there_is_lz4_and_what_somebody_set_stays(database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(text("create table silver.probe (id int, long text, mine text)"))
        connection.execute(text("alter table silver.probe alter column mine set storage main"))
        has_lz4 = connection.scalar(HAS_LZ4)
    try:
        for _ in range(2):
            disable_compression_without_lz4(database)
            with database.connect() as connection:
                found = [connection.scalar(STORAGE, {"name": name}) for name in ("id", "long", "mine")]
            assert found == ["p", "x" if has_lz4 else "e", "m"]
    finally:
        with database.begin() as connection:
            connection.execute(text("drop table silver.probe"))


def test_an_upgraded_database_compresses_no_text_without_lz4(database: Engine) -> None:
    with database.connect() as connection:
        has_lz4 = connection.scalar(HAS_LZ4)
        stored = connection.scalars(
            text("select attstorage from pg_attribute where attrelid = 'silver.job_details'::regclass and attnum > 0")
        ).all()
    assert ("x" in stored) == has_lz4


def test_an_upgraded_database_declares_the_keys_of_child_tables_and_enforces_none(database: Engine) -> None:
    with database.connect() as connection:
        enforced = connection.execute(
            text("select conenforced from pg_constraint where contype = 'f' and connamespace = 'silver'::regnamespace")
        ).scalars()
        assert set(enforced) == {False}
