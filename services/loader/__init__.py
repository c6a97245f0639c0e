"""Silver batch in, rows in Postgres out."""

from shared import native

native.settle()
