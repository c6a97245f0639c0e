"""The database: engine, the `ops` tables, what silver tables have in common, migrations."""
