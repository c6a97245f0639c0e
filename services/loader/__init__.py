"""Silver batch in, rows in Postgres out."""
