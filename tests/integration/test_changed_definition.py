"""Workers and the definitions of datasets: inconsistent ones are not started with, changed ones are not mixed."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from services.loader import worker as loading
from shared.config.topology import SILVER
from shared.datasets import registry
from shared.datasets.definition import ChangedDefinitionError
from shared.storage import object_keys
from tests.integration.pipeline import Pipeline, emptied
from tests.support.own_dataset import contract, own_dataset, own_tables

pytestmark = pytest.mark.integration

DATASET = "mine"


@pytest.fixture
def pipeline(database: Engine, tmp_path: Path) -> Iterator[Pipeline]:
    with own_dataset(tmp_path, contract(DATASET)), own_tables(database), emptied() as pipeline:
        yield pipeline


def upload(pipeline: Pipeline, name: str) -> None:
    pipeline.put_body(object_keys.upload_key(DATASET, name), f"id\n{name}\n".encode())


def ledger(pipeline: Pipeline) -> list[str | None]:
    with pipeline.connections.database.connect() as connection:
        return [*connection.execute(text("select definition from ops.loaded_object order by id")).scalars()]


def test_the_ledger_says_which_definition_an_object_was_made_by(pipeline: Pipeline) -> None:
    upload(pipeline, "a")
    assert pipeline.work() == ["refined", "loaded"]
    assert ledger(pipeline) == [registry.dataset(DATASET).digest]


def test_after_a_change_nothing_is_refined_or_loaded_until_the_workers_are_restarted(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    upload(pipeline, "a")
    assert pipeline.refined() == ["refined"]
    changed = tmp_path / f"{DATASET}.odcs.yaml"
    changed.write_text(changed.read_text().replace("version: 1.0.0", "version: 2.0.0"))
    upload(pipeline, "b")
    with pytest.raises(ChangedDefinitionError, match="restart the workers"):
        pipeline.refined()
    load = loading.bootstrap(pipeline.connections.settings)
    with pytest.raises(ChangedDefinitionError, match="restart the workers"):
        next(load(message) for message in pipeline.taken(SILVER))
    assert ledger(pipeline) == []


@pytest.mark.parametrize("service", ["transformer.worker", "transformer.uploads", "loader.worker"])
def test_a_worker_does_not_start_with_a_dataset_that_is_inconsistent(
    backends: Mapping[str, str], tmp_path: Path, service: str
) -> None:
    assert backends
    code = 'def normalise(row):\n    return row | {"day": "x"}\n'
    with own_dataset(tmp_path, contract(DATASET, [{"name": "day", "logicalType": "date"}]), code):
        done = started(service)
    assert (done.returncode, done.stderr) == (1, "smelt: dataset mine: mine.day is DATE, and normalise gives str\n")


@pytest.mark.parametrize("service", ["transformer.worker", "transformer.uploads"])
def test_a_worker_does_not_start_with_threads_that_its_children_would_wait_for(
    backends: Mapping[str, str], tmp_path: Path, service: str
) -> None:
    assert backends
    with own_dataset(tmp_path, contract(DATASET), "import polars as pl\n\nSTATES = pl.select(pl.lit('DC'))\n"):
        done = started(service)
    words = "smelt: a dataset's module ran a query of polars while it was imported; run it in a function\n"
    assert (done.returncode, done.stderr) == (1, words)


def started(service: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"services.{service}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
