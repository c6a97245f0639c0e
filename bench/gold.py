"""Gold of a size that loading would take minutes for: some postings built as ever, and moved copies of them."""

from sqlalchemy import Connection, Engine, text

TABLES = ("posting_stored", "posting_location")
COPY = 1_000_000_000  # control numbers of the copies begin here
COPIED = text("""
    select attname from pg_attribute
    where attrelid = cast(:relation as regclass) and attnum > 0 and not attisdropped and attgenerated = ''
""")
# Each copy opened a day before the last one, the newest today; places are some miles away.
DAY = "+ (current_date - (select max(opened_on) from gold.posting_stored)) - copy"
MOVED = {
    "control_number": f"control_number + copy * cast({COPY} as bigint)",
    "latitude": "latitude + (copy % 7 - 3) * 0.05",
    "longitude": "longitude + (copy % 5 - 2) * 0.05",
    "opened_on": f"opened_on {DAY}",
    "closes_on": f"closes_on {DAY}",
    "ended_on": f"ended_on {DAY}",
}
INDEXES = text("""
    select indexname, indexdef from pg_indexes
    where schemaname = 'gold' and tablename = any (:tables) and indexname not like '%_pkey'
""")
MATERIALISED = ("agency_daily", "pay_by_series", "time_to_close", "place")


def fill(engine: Engine, postings: int) -> int:
    """Copy what gold has until it has so many; how many it has then. Indexes are made at the end: that is faster."""
    with engine.begin() as connection:
        held = connection.scalar(text("select count(*) from gold.posting_stored")) or 0
        copies = -(-postings // held) - 1
        indexes = {row.indexname: row.indexdef for row in connection.execute(INDEXES, {"tables": list(TABLES)})}
        for name in indexes:
            connection.execute(text(f'drop index gold."{name}"'))
        for table in TABLES:
            _copy(connection, table, copies)
        connection.execute(text("set local maintenance_work_mem = '512MB'"))
        for definition in indexes.values():
            connection.execute(text(definition))
        for view in MATERIALISED:
            connection.execute(text(f"refresh materialized view gold.{view}"))
        connection.execute(text("analyze gold.posting_stored, gold.posting_location, gold.place"))
    return held * (copies + 1)


def _copy(connection: Connection, table: str, copies: int) -> None:
    names = connection.scalars(COPIED, {"relation": f"gold.{table}"}).all()
    values = ", ".join(MOVED.get(name, name) for name in names)
    source = f"select {values} from gold.{table} cross join generate_series(1, :copies) as copy"  # noqa: S608 - our names
    connection.execute(text(f"insert into gold.{table} ({', '.join(names)}) {source}"), {"copies": copies})
