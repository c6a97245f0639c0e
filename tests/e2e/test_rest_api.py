"""A REST API that is described in contracts, on a stack as somebody starts it: incremental runs, records of parents."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from infra.embedded import stack
from tests.support.eventually import eventually
from tests.support.own_dataset import contract, smelt, write
from tests.support.rest_server import RestServer, rest_server

pytestmark = pytest.mark.e2e


@pytest.fixture
def server() -> Iterator[RestServer]:
    with rest_server() as served:
        yield served


def write_contracts(folder: Path, server: RestServer) -> None:
    folder.mkdir()
    changes = {
        "baseUrl": server.url,
        "path": "/changes",
        "params": {"since": "{since}"},
        "pagination": {"type": "page", "param": "page", "size": 2},
        "incremental": {"cursor": "updated_at", "param": "since", "overlap": "1d"},
        "requestsPerSecond": 100,
    }
    columns = [{"name": "updated_at", "logicalType": "timestamp"}, {"name": "price", "logicalType": "integer"}]
    options = smelt(records="items", total="total", source=changes)
    write(folder, contract("change", columns, **options), "change")
    following = {"type": "cursor", "param": "from", "cursor": "meta.next"}
    items = {
        "baseUrl": server.url,
        "path": "/orders/{order}/items",
        "pagination": following,
        "parent": {"path": "/orders", "records": "orders", "fields": {"order": "id"}, "pagination": following},
        "requestsPerSecond": 100,
    }
    keys = [
        {"name": "order", "physicalName": "order_id", "logicalType": "string", "primaryKey": True},
        {"name": "line", "logicalType": "integer", "primaryKey": True},
    ]
    write(folder, contract("line_item", keys, **smelt(records="items", source=items)), "line_item")


def test_runs_bring_changes_and_the_records_of_each_parent(server: RestServer, tmp_path: Path) -> None:
    write_contracts(tmp_path / "datasets", server)
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("SMELT_", "AWS_"))}
    home = tmp_path / ".smelt"
    environment = bare | {"SMELT_HOME": str(home), "SMELT_DATASETS": str(tmp_path / "datasets")}

    def said(*arguments: str) -> Any:
        """The JSON that a command prints; it must succeed."""
        command = [str(Path(sys.executable).with_name("smelt")), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout) if "--json" in arguments else done.stdout

    def rows(query: str) -> list[tuple[Any, ...]]:
        url = stack.environment(home)["SMELT_DATABASE_URL"]
        with psycopg2.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()

    def is_published(cursor: str) -> bool:
        """Whether the extractor has this state, which is copied after the run is complete."""
        states = said("datasets", "state", "change", "--json")["states"]
        return [(state["cursor"], state["is_published"]) for state in states] == [(cursor, True)]

    try:
        said("up", "--detach", "--no-first-run")
        server.changes = [{"id": f"r{n}", "updated_at": f"2026-01-0{n}T00:00:00Z", "price": n} for n in range(1, 6)]
        said("runs", "start", "change", "--wait", "--json")
        eventually(lambda: is_published("2026-01-05T00:00:00Z"))
        server.changes[0] |= {"updated_at": "2026-01-06T00:00:00Z", "price": 9}
        said("runs", "start", "change", "--wait", "--json")
        assert server.calls[-1].query["since"] == "2026-01-04T00:00:00Z"
        assert rows("select id, price from silver.change order by 1") == [
            ("r1", 9),
            *((f"r{number}", number) for number in range(2, 6)),
        ]
        eventually(lambda: is_published("2026-01-06T00:00:00Z"))

        server.orders = {f"o{number}": [{"line": 1}, {"line": 2}] for number in range(5)}
        said("runs", "start", "line_item", "--wait", "--json")
        assert rows("select count(*), count(distinct order_id) from silver.line_item") == [(10, 5)]
    finally:
        stack.erase(home)
