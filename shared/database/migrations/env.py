"""Alembic's entry point: one transaction, one migrator at a time."""

from alembic import context
from sqlalchemy import text

from shared.database import ops_tables
from shared.database.migrate import MIGRATION_LOCK, VERSION_TABLE
from shared.database.upgrade import PATIENCE, bounded

patience = context.config.attributes.get("patience", PATIENCE)

with bounded(context.config.attributes["url"], patience).connect() as connection:
    connection.execute(text("set local lock_timeout = 0"))  # another upgrade is waited for as long as a statement takes
    connection.execute(text(MIGRATION_LOCK))
    connection.execute(text(f"set local lock_timeout = '{patience.lock}s'"))
    connection.execute(text("create schema if not exists ops"))
    connection.execute(text("create schema if not exists silver"))
    context.configure(
        connection=connection,
        target_metadata=ops_tables.METADATA,
        include_schemas=True,
        include_name=lambda name, kind, _: kind != "schema" or name == "ops",
        **VERSION_TABLE,
    )
    context.run_migrations()
    connection.commit()
