"""A dataset whose rows are read over HTTP."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Engine

from shared.database import upgrade
from shared.datasets import registry
from shared.storage import object_keys
from tests.integration.pipeline import Pipeline, emptied
from tests.support.own_dataset import own_dataset


@contextmanager
def dataset(
    readable: Engine, folder: Path, content: Mapping[str, Any], *records: Mapping[str, Any], name: str = "other"
) -> Iterator[Pipeline]:
    """A dataset with these records, its tables made as `smelt datasets apply` does."""
    with own_dataset(folder, content, name=name), emptied() as pipeline:
        upgrade.apply_datasets(readable.url.render_as_string(hide_password=False), [name])
        try:
            lines = "\n".join(json.dumps(record) for record in records)
            pipeline.put_body(object_keys.upload_key(name, "a.jsonl"), lines.encode())
            pipeline.work()
            yield pipeline
        finally:
            tables = [*registry.dataset(name).tables.all]
            tables[0].metadata.drop_all(readable, tables)


def exact(body: str) -> Any:
    return json.loads(body, parse_float=Decimal)


def rows(api: httpx.Client, dataset: str = "mine", **params: Any) -> list[dict[str, Any]]:
    answer = api.get(f"/v1/datasets/{dataset}/rows", params=params)
    assert answer.status_code == 200, answer.text
    return list(exact(answer.text)["rows"])
