"""Foreign keys of child tables are declared as documentation and not enforced (ADR 36).

The loader writes and deletes a record's rows in all tables in one transaction, and enforcing the keys takes a third of
Postgres's work. `services.ops.reconcile.orphans` counts child rows without a record.
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
    """Alter the enforced foreign keys of all datasets' tables to `NOT ENFORCED`."""
    with engine.begin() as connection:
        connection.execute(NOT_ENFORCED)
