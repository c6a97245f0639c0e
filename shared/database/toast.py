"""Disables TOAST compression for silver tables on servers without lz4."""

from sqlalchemy import Engine, text

# pglz costs more CPU than the rest of a load: 0.44 s instead of 0.24 for 1,000 postings. Without lz4 (the embedded
# server) long texts are stored uncompressed. Explicit column settings are kept.
AS_THEY_ARE = text("""
    do $$ declare found record; begin
        if (select 'lz4' = any (enumvals) from pg_settings where name = 'default_toast_compression') then
            return;
        end if;
        for found in
            select format('alter table %s alter column %I set storage external', attrelid::regclass, attname) as change
            from pg_attribute join pg_class on pg_class.oid = attrelid
            where relnamespace = 'silver'::regnamespace and relkind = 'r' and attstorage = 'x' and attnum > 0
              and not attisdropped
        loop
            execute found.change;
        end loop;
    end $$
""")


def disable_compression_without_lz4(engine: Engine) -> None:
    """Set the storage of text columns in all datasets' tables. Existing rows are not rewritten."""
    with engine.begin() as connection:
        connection.execute(AS_THEY_ARE)
