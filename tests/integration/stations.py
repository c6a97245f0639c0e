"""The dataset of docs/add-a-dataset.md: its contract, its file, and how to load it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, text

from shared.database import upgrade
from shared.datasets import registry
from shared.storage import object_keys
from tests.conftest import REPOSITORY
from tests.integration.pipeline import Pipeline, emptied
from tests.support.own_dataset import own_dataset

PAGE = (REPOSITORY / "docs" / "add-a-dataset.md").read_text()
FILES = dict(re.findall(r"^`(\S+)`\n\n```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
STATIONS = "stations"


@contextmanager
def loaded(database: Engine, folder: Path) -> Iterator[Pipeline]:
    """The dataset in a database without exports, with its file loaded."""
    with database.begin() as connection:
        connection.execute(text("truncate gold.freshness"))
    with own_dataset(folder, FILES["datasets/stations.odcs.yaml"], name=STATIONS), emptied() as pipeline:
        upgrade.apply_datasets(database.url.render_as_string(hide_password=False), [STATIONS])
        try:
            load(pipeline, "stations.csv", FILES["stations.csv"])
            yield pipeline
        finally:
            tables = [*registry.dataset(STATIONS).tables.all]
            tables[0].metadata.drop_all(database, tables)


def load(pipeline: Pipeline, name: str, content: str) -> None:
    pipeline.put_body(object_keys.upload_key(STATIONS, name), content.encode())
    pipeline.work()
