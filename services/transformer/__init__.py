"""Bronze object in, silver batch and quarantine out."""

from shared import polars_env

polars_env.configure()
