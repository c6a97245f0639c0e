"""How Postgres keeps long texts: compressed where the server has lz4, and as they are where it has not."""

from sqlalchemy import Engine, text

# pglz, which every server has, costs more CPU than all else that a load does there: 0.44 s instead of 0.24 for 1,000
# postings. Without lz4 (the embedded server) long texts take disk instead. A column that somebody has set stays so.
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
    """For the tables of all datasets. Rows that are there already stay as they are."""
    with engine.begin() as connection:
        connection.execute(AS_THEY_ARE)
