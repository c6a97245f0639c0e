"""Alembic's entry point: one transaction, one migrator at a time."""

from alembic import context
from sqlalchemy import text

from shared.database import ops_tables
from shared.database.migrate import VERSION_TABLE
from shared.database.upgrade import PATIENCE, bounded
from shared.datasets import contract, silver_tables

for dataset in contract.names():
    contract.tables(dataset)

wanted = context.config.attributes.get("tables")  # of one dataset, where a migration is written for it

patience = context.config.attributes.get("patience", PATIENCE)

with bounded(context.config.attributes["url"], patience).connect() as connection:
    connection.execute(text("set local lock_timeout = 0"))  # another upgrade is waited for as long as a statement takes
    connection.execute(text("select pg_advisory_xact_lock(hashtext('smelt migrations'))"))
    connection.execute(text(f"set local lock_timeout = '{patience.lock}s'"))
    connection.execute(text("create schema if not exists ops"))
    connection.execute(text("create schema if not exists silver"))
    context.configure(
        connection=connection,
        target_metadata=[ops_tables.METADATA, silver_tables.METADATA],
        include_schemas=True,
        include_name=lambda name, kind, _: kind != "schema" or name in {"ops", "silver"},
        include_object=lambda _, name, kind, *__: kind != "table" or wanted is None or name in wanted,
        **VERSION_TABLE,
    )
    context.run_migrations()
    connection.commit()
