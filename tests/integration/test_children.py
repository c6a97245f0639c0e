"""Records that are requested for each parent: /orders, then /orders/17/items, from a REST API to Postgres."""

import gzip
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine, text

from shared.errors import PermanentError, TransientError
from tests.integration.extraction import Extraction, extraction
from tests.support.own_dataset import contract, own_dataset, own_tables, smelt
from tests.support.rest_server import RestServer, rest_server

pytestmark = pytest.mark.integration

COLUMNS: list[dict[str, Any]] = [
    {"name": "order", "physicalName": "order_id", "logicalType": "string", "primaryKey": True},
    {"name": "line", "logicalType": "integer", "primaryKey": True},
    {"name": "sku", "logicalType": "string", "required": True},
]
PARENT = {
    "path": "/orders",
    "records": "orders",
    "fields": {"order": "id"},
    "pagination": {"type": "cursor", "param": "from", "cursor": "meta.next"},
}
Extract = Callable[..., AbstractContextManager[Extraction]]


@pytest.fixture
def server() -> Iterator[RestServer]:
    with rest_server() as served:
        yield served


@pytest.fixture
def items(server: RestServer, database: Engine, tmp_path: Path) -> Extract:
    """The items of orders, with these options of the source."""

    @contextmanager
    def ready(**options: Any) -> Iterator[Extraction]:
        source = {
            "baseUrl": server.url,
            "path": "/orders/{order}/items",
            "pagination": {"type": "cursor", "param": "from", "cursor": "meta.next"},
            "parent": PARENT,
            "requestsPerSecond": 1000,
            **options,
        }
        content = contract("line_item", COLUMNS, **smelt(records="items", source=source))
        with (
            own_dataset(tmp_path, content, name="line_item"),
            own_tables(database, "line_item"),
            extraction("line_item", "children") as extracting,
        ):
            yield extracting

    return ready


def rows(of: Extraction, query: str = "select order_id, line, sku from silver.line_item order by 1, 2") -> list[Any]:
    with of.connections.database.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def item(line: int, **fields: Any) -> dict[str, Any]:
    return {"line": line, "sku": f"sku{line}", **fields}


def test_the_records_of_every_parent_have_its_key(server: RestServer, items: Extract) -> None:
    server.orders = {"a": [item(1), item(2)], "b": [], "c/d é": [item(1)]}
    with items() as of:
        of.plan()
        of.work()
        assert rows(of) == [("a", 1, "sku1"), ("a", 2, "sku2"), ("c/d é", 1, "sku1")]
        assert of.run() == (True, 3, 0)


def test_the_response_in_bronze_is_as_it_came(server: RestServer, items: Extract) -> None:
    server.orders = {"a": [item(1)]}
    with items() as of:
        of.plan()
        (page,) = of.commands()
        of.fetch(page)
        stored = of.stored(of.key(page))
        assert stored is not None
        envelope = orjson.loads(gzip.decompress(stored))
        assert envelope["response"]["payload"]["items"] == [item(1)]
        assert envelope["ingest"]["fields"] == {"order": "a"}


def test_a_record_s_own_field_counts(server: RestServer, items: Extract) -> None:
    server.orders = {"a": [item(1, order="A")]}
    with items() as of:
        of.plan()
        of.work()
        assert rows(of) == [("A", 1, "sku1")]


def test_a_rejected_record_keeps_the_key_of_its_parent(server: RestServer, items: Extract) -> None:
    server.orders = {"a": [{"line": 1}, "no object", item(2)]}  # type: ignore[list-item]
    with items() as of:
        of.plan()
        of.work()
        quarantined = rows(of, "select natural_key, raw from ops.quarantine order by record_index, key")
        assert sorted(quarantined, key=repr) == sorted(
            [("a\t1", '{"order":"a","line": 1}'), (None, '"no object"')], key=repr
        )
        assert rows(of) == [("a", 2, "sku2")]


def test_a_second_run_changes_nothing_and_reports_no_drift(server: RestServer, items: Extract) -> None:
    server.orders = {"a": [item(1)]}
    with items() as of:
        for _ in range(2):
            of.plan()
            of.work()
        assert rows(of, "select inserted, unchanged from ops.loaded_object order by id") == [(1, 0), (0, 1)]
        assert rows(of, "select path from ops.schema_drift") == []


def test_a_listing_without_parents_is_a_complete_run(items: Extract) -> None:
    with items() as of:
        of.plan()
        assert of.work() == 0
        assert of.run() == (True, 0, 0)


def test_a_parent_that_is_listed_twice_is_requested_once(server: RestServer, items: Extract) -> None:
    server.orders = {"a": [item(1)], "b": [item(1)]}
    with items(parent={**PARENT, "fields": {"order": "shop.number"}}, statuses={404: "empty"}) as of:
        of.plan()
        assert [page.params for page in of.commands()] == [{"order": "7"}]


def test_a_parent_that_is_gone_may_have_no_records(server: RestServer, items: Extract) -> None:
    server.orders = {"a": [item(1)], "b": [item(1)]}
    with items(statuses={404: "empty"}) as of:
        of.plan()
        del server.orders["b"]
        of.work()
        assert rows(of) == [("a", 1, "sku1")]
        assert of.run()[0]


def test_more_parents_than_the_limit_are_an_error(server: RestServer, items: Extract) -> None:
    server.orders = {name: [] for name in "abcde"}
    with items(parent={**PARENT, "limit": 4}) as of, pytest.raises(PermanentError, match="lists more than 4 parents"):
        of.plan()


def test_a_parent_without_a_key_is_an_error(server: RestServer, items: Extract) -> None:
    server.orders = {"a": []}
    error = pytest.raises(PermanentError, match="no text or whole number at number")
    with items(parent={**PARENT, "fields": {"order": "number"}}) as of, error:
        of.plan()


def test_a_listing_that_does_not_end_is_an_error(server: RestServer, items: Extract) -> None:
    server.orders = {"a": [], "b": [], "c": []}
    circle = {**PARENT["pagination"], "param": "ignored"}  # type: ignore[dict-item]
    error = pytest.raises(PermanentError, match="leads back to an earlier one")
    with items(parent={**PARENT, "pagination": circle}) as of, error:
        of.plan()


def test_a_listing_that_fails_is_tried_again_and_nothing_is_planned(server: RestServer, items: Extract) -> None:
    server.orders = {"a": [item(1)]}
    server.statuses = [500]
    with items() as of:
        with pytest.raises(TransientError):
            of.plan()
        of.plan()
        of.work()
        assert rows(of) == [("a", 1, "sku1")]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"path": "/orders"}, "no template {order}"),
        ({"runParams": {"order": "a"}}, "order: a field of the parent"),
        ({"parent": {**PARENT, "path": "/{shop}/orders"}}, "shop: not in runParams"),
        ({"parent": {**PARENT, "fields": {}}}, "at least 1 item"),
        ({"parent": {**PARENT, "pagination": {"type": "linkHeader"}}}, "does not match any of the expected tags"),
        (
            {"params": {"since": "{since}"}, "incremental": {"cursor": "line", "param": "since"}},
            "incremental could miss what changes between",
        ),
    ],
)
def test_options_that_do_not_fit_together_are_errors(items: Extract, options: dict[str, Any], error: str) -> None:
    with pytest.raises(PermanentError, match=error), items(**options):
        pass
