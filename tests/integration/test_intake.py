"""Objects of another bucket are taken in as uploads (`smelt reprocess --from s3://…`)."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from services.ops.main import app
from services.ops.reconcile import intake
from shared.errors import PermanentError
from shared.storage import objects
from tests.integration.pipeline import Pipeline, emptied
from tests.support.own_dataset import contract, own_dataset, own_tables, smelt

pytestmark = pytest.mark.integration

ELSEWHERE = "elsewhere"
SOURCE = f"s3://{ELSEWHERE}/old/"


@pytest.fixture
def pipeline(database: Engine, tmp_path: Path) -> Iterator[Pipeline]:
    content = contract("mine", [{"name": "n"}], **smelt(afterLoading="delete"))
    with own_dataset(tmp_path, content), own_tables(database), emptied() as made:
        made.connections.s3.create_bucket(Bucket=ELSEWHERE)
        for key in objects.list_keys(made.connections.s3, ELSEWHERE, ""):
            made.connections.s3.delete_object(Bucket=ELSEWHERE, Key=key)
        yield made


def put(pipeline: Pipeline, key: str, body: str) -> datetime:
    """When it was stored."""
    pipeline.connections.s3.put_object(Bucket=ELSEWHERE, Key=key, Body=body.encode())
    stored, *_ = pipeline.connections.s3.list_objects_v2(Bucket=ELSEWHERE, Prefix=key)["Contents"]
    return stored["LastModified"].replace(microsecond=0)  # headers have whole seconds


def take(*options: str) -> dict[str, Any]:
    result = CliRunner().invoke(
        app, ["reprocess", "--dataset", "mine", "--from", SOURCE, "--yes", "--json", *options], catch_exceptions=False
    )
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def rows(database: Engine, query: str) -> list[tuple[Any, ...]]:
    with database.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_objects_are_taken_in_once_with_the_time_of_their_source(database: Engine, pipeline: Pipeline) -> None:
    key = "2025/é a.csv"
    stored_at = put(pipeline, f"old/{key}", "id,n\n1,old\n")
    put(pipeline, "old/", "")
    put(pipeline, "other/b.csv", "id,n\n2,other\n")
    assert take("--dry-run")["copied"] == 0
    assert take("--rate", "100/s") == {"dry_run": False, "found": 1, "copied_before": 0, "bytes": 11, "copied": 1}
    assert pipeline.work() == ["refined", "loaded"]
    assert rows(database, "select id, n from silver.mine") == [("1", "old")]
    loaded = rows(database, "select key, date_trunc('second', observed_at) from ops.loaded_object")
    assert loaded == [(f"uploads/mine/{key}", stored_at)]
    assert take() == {"dry_run": False, "found": 1, "copied_before": 1, "bytes": 0, "copied": 0}
    assert pipeline.work() == []


def test_a_changed_object_is_taken_in_again(database: Engine, pipeline: Pipeline) -> None:
    for body in ("id,n\n1,old\n", "id,n\n1,new\n"):
        put(pipeline, "old/a.csv", body)
        assert take()["copied"] == 1
        pipeline.work()
    assert rows(database, "select n from silver.mine") == [("new",)]


def test_an_interrupted_command_goes_on_where_it_was(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        put(pipeline, f"old/{name}.csv", f"id,n\n{name},1\n")
    copy = intake._copy

    def interrupted(*arguments: Any) -> None:
        copy(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(intake, "_copy", interrupted)
        with pytest.raises(KeyboardInterrupt):
            intake.take_in(pipeline.connections, {}, intake.find(pipeline.connections, "mine", SOURCE))
    assert take()["copied"] == 2


@pytest.mark.parametrize("prefix", ["", "uploads/mine/", "bronze/"])
def test_raw_data_of_the_deployment_is_not_taken_in(pipeline: Pipeline, prefix: str) -> None:
    with pytest.raises(PermanentError, match="other than this deployment's raw data"):
        intake.find(pipeline.connections, "mine", f"s3://{pipeline.connections.settings.bucket}/{prefix}")
