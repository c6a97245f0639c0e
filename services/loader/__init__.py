"""Silver batch in, rows in Postgres out."""

from shared import polars_env

polars_env.configure()
