"""Foreign keys of child tables: declared, for whoever reads the schema, and not checked (ADR 36).

The loader writes and deletes a record's rows of all tables in one transaction; a check of each row once more is a third
of Postgres's work. `services.ops.reconcile.orphans` counts rows without a record.
"""

from sqlalchemy import Engine, text

NOT_ENFORCED = text("""
    do $$ declare statement text; begin
        for statement in
            select format('alter table %s alter constraint %I not enforced', conrelid::regclass, conname)
            from pg_constraint where contype = 'f' and conenforced and conparentid = 0
                                 and connamespace = 'silver'::regnamespace
        loop
            execute statement;
        end loop;
    end $$
""")


def stop_enforcing(engine: Engine) -> None:
    """Alter the foreign keys of all datasets' tables to `NOT ENFORCED`; those that are so already stay."""
    with engine.begin() as connection:
        connection.execute(NOT_ENFORCED)
