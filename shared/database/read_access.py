"""The role that reads: which columns of datasets it may select (ADR 23)."""

from collections.abc import Iterable, Iterator

from alembic.operations import ops
from sqlalchemy import Connection, Engine, text

from shared.database import dataset_tables
from shared.database.dataset_tables import Change
from shared.database.migrate import MIGRATION_LOCK
from shared.datasets import readable, registry
from shared.datasets.silver_tables import METADATA

ROLE = "smelt_read"
LOCK_TIMEOUT_SECONDS = 30
EXISTS = text("select exists (select from pg_roles where rolname = :role)")
USAGE = text("select has_schema_privilege(:role, :schema, 'usage')")
PRIVILEGES = text("""
    select relname, attname, has_column_privilege(:role, attrelid, attnum, 'select')
    from pg_attribute join pg_class on pg_class.oid = attrelid
    where relnamespace = cast(:schema as regnamespace) and relkind = 'r' and attnum > 0 and not attisdropped
""")


def changes(connection: Connection, datasets: Iterable[str] | None = None) -> list[Change]:
    """What the role may not select yet, or no longer, of the tables that are there, by default of all datasets.

    None where there is no such role: the service that reads makes it.
    """
    names = {"role": ROLE, "schema": METADATA.schema}
    if not connection.scalar(EXISTS, names):
        return []
    privileges: dict[str, dict[str, bool]] = {}
    for table, column, is_granted in connection.execute(PRIVILEGES, names):
        privileges.setdefault(table, {})[column] = is_granted
    found = [change for name in datasets or registry.names() for change in _of_dataset(name, privileges)]
    if connection.scalar(USAGE, names):
        return found
    return [_change("", f"{ROLE} may use schema {METADATA.schema}", f"usage on schema {METADATA.schema}"), *found]


def grant(engine: Engine) -> None:
    """Make the changes for all datasets, if there are any. Waits for a migration that is running, but not for long."""
    with engine.begin() as connection:
        if changes(connection):
            connection.execute(text(f"set local lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'"))
            connection.execute(text(MIGRATION_LOCK))  # privileges of one table cannot be changed by two at a time
            dataset_tables.apply(connection, changes(connection))


def _of_dataset(name: str, privileges: dict[str, dict[str, bool]]) -> Iterator[Change]:
    dataset = registry.dataset(name)
    for table in dataset.tables.all:
        granted = privileges.get(table.name, {})
        wanted = {column.name for column in readable.columns(dataset, table)}
        added = [column for column, is_granted in granted.items() if column in wanted and not is_granted]
        removed = [
            column for column in readable.withheld(dataset, table) if granted.get(column)
        ]  # what the contract does not have stays as it is
        if added:
            what = f"select ({_quoted(added)}) on {table.fullname}"
            yield _change(table.name, f"{ROLE} may select {', '.join(added)}", what)
        if removed:
            what = f"select ({_quoted(removed)}) on {table.fullname}"
            yield _change(table.name, f"{ROLE} may no longer select {', '.join(removed)}", what, revoke=True)


def _change(table: str, text: str, what: str, *, revoke: bool = False) -> Change:
    statement = f"revoke {what} from {ROLE}" if revoke else f"grant {what} to {ROLE}"
    return Change(table, text, ops.ExecuteSQLOp(statement), is_needed=False)


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
