"""The age of datasets, shared by all displays and rules of freshness.

A dataset with a source is as old as its newest complete run, a dataset of files as its newest file. Uploads do not
refresh the former, nor do partial runs if full runs are scheduled.
"""

import json
from typing import cast

from sqlalchemy import Connection, TextClause, text

from shared.datasets import registry
from shared.errors import PermanentError

# By the database's clock; the start is the plan's time by S3's clock.
OF_RUNS = text("""
    select extract(epoch from clock_timestamp() - max(planned_at))::float from ops.run
    where dataset = :dataset and completed_at is not null and params = coalesce(cast(:whole as jsonb), params)
""")
OF_FILES = text("""
    select extract(epoch from clock_timestamp() - max(observed_at))::float
    from ops.loaded_object where dataset = :dataset
""")


def ages(connection: Connection) -> dict[str, float]:
    """{dataset: age in seconds}, without datasets that were never complete. Raises sqlalchemy's DBAPIError."""
    values = {dataset: _age(connection, dataset) for dataset in registry.names()}
    return {dataset: max(0.0, age) for dataset, age in values.items() if age is not None}  # the two clocks may differ


def _age(connection: Connection, dataset: str) -> float | None:
    try:
        whole = registry.dataset(dataset).source.first_run
    except PermanentError:
        return _seconds(connection, OF_FILES, dataset=dataset)
    return _seconds(connection, OF_RUNS, dataset=dataset, whole=None if whole is None else json.dumps(dict(whole)))


def _seconds(connection: Connection, query: TextClause, **params: str | None) -> float | None:
    return cast("float | None", connection.scalar(query, params))
