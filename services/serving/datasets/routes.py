"""`/v1/datasets`: which datasets there are, and their rows as JSON pages or as files."""

from contextlib import ExitStack
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, Engine

from services.serving.api import models
from services.serving.api.export import PARQUET, file_response, head_response, stream_response
from services.serving.api.result_stream import typed_slices
from services.serving.api.routes import ERROR_RESPONSES
from services.serving.database import ApiError
from services.serving.datasets import catalog, filters, row_page, row_query
from services.serving.datasets.catalog import DatasetSummary, ReadableTable
from shared.datasets import registry

MAX_ROWS = 1_000
FILTERS = {
    "name": "filters",
    "in": "query",
    "style": "form",
    "explode": True,
    "description": (
        "`column=value`, or `column.operator=value` with an operator of eq, ne, gt, gte, lt, lte, null (true or false)."
        " All filters apply; of several values that a column may equal, one suffices. `column=item` of a list: it has"
        " the item. A column that is called like a parameter: `limit.eq=value`."
    ),
    "schema": {"type": "object", "additionalProperties": {"type": "string"}},
    "example": {},
}
DATASET_RESPONSES: dict[int | str, dict[str, Any]] = {
    404: {"model": models.ErrorResponse, "description": "No such dataset"}
}
FILES: dict[str, dict[str, Any]] = {kind: {"schema": {"type": "string"}} for kind in ("text/csv", PARQUET)}
ROW_RESPONSES: dict[int | str, dict[str, Any]] = {
    **DATASET_RESPONSES,
    403: {"model": models.ErrorResponse, "description": "The key of the dataset is withheld"},
}


class RowParams(BaseModel):
    """What is read of a table, apart from the filters."""

    table: Annotated[str, Field(max_length=63)] | None = Field(
        None, description="by default the one with a row a record; `/v1/datasets` lists all"
    )
    select: list[str] = Field([], description="columns, separated by commas; by default all")
    format: Literal["json", "csv", "parquet"] = Field("json", description="CSV and Parquet have all matching rows")
    limit: int | None = Field(None, ge=1, le=MAX_ROWS, description="rows of a JSON page; by default 100")
    cursor: Annotated[str, Field(max_length=4_000)] | None = Field(None, description="`next` of the previous page")
    raw: bool = Field(default=False, description="CSV only: do not escape text that a spreadsheet takes for a formula")


class RowPage(BaseModel):
    """A page of rows in the order of the table's key."""

    rows: list[dict[str, Any]]
    next: str | None = Field(description="`cursor` of the next page; null on the last page")


def routes(query_engine: Engine, export_engine: Engine) -> APIRouter:
    """`export_engine` has a small pool that limits concurrent exports."""
    router = APIRouter(prefix="/v1", responses=ERROR_RESPONSES, tags=["datasets"])
    names = {"enum": [*registry.names()]}  # for documentation; others are 404
    Name = Annotated[str, Path(description="the dataset", json_schema_extra=names)]  # noqa: N806 - a type

    @router.get("/datasets")
    def list_datasets() -> list[DatasetSummary]:
        """All datasets: their tables and columns, as their contracts describe them."""
        return [catalog.summary(registry.dataset(name)) for name in registry.names()]

    @router.get("/datasets/{name}", responses=DATASET_RESPONSES)
    def one_dataset(name: Name) -> DatasetSummary:
        """A dataset: its tables and columns, as its contract describes them."""
        return catalog.summary(catalog.dataset(name))

    @router.get(
        "/datasets/{name}/rows",
        response_class=Response,
        responses={**ROW_RESPONSES, 200: {"model": RowPage, "content": FILES}},
        openapi_extra={"parameters": [FILTERS]},
    )
    def rows(name: Name, params: Annotated[RowParams, Query()], request: Request) -> Response:
        """Rows of a dataset: a page as JSON, in the order of the key; or all that match, as CSV or Parquet."""
        table = catalog.table(catalog.dataset(name), params.table)
        columns = row_query.columns(table, params.select)
        given = [(key, value) for key, value in request.query_params.multi_items() if key not in RowParams.model_fields]
        conditions = filters.conditions(table, given)
        if params.format == "json":
            query = row_query.page(table, columns, conditions, params.cursor)
            return row_page.read(query_engine, table, columns, query, params.limit or row_page.ROWS)
        if params.limit or params.cursor:
            raise ApiError(422, f"limit and cursor are for JSON; {params.format} has all matching rows")
        if request.scope.get("head"):
            return head_response(f"{table.name}.{params.format}")
        return _file(export_engine, table, columns, conditions, params)

    return router


def _file(
    engine: Engine,
    table: ReadableTable,
    columns: row_query.Columns,
    conditions: list[ColumnElement[bool]],
    params: RowParams,
) -> Response:
    schema, query = row_query.schema(columns), row_query.rows(columns, conditions)
    with ExitStack() as stack:
        frames = stack.enter_context(typed_slices(engine, query, schema))
        name = f"{table.name}.{params.format}"
        if params.format == "parquet":
            return file_response(schema, frames, name)
        return stream_response(schema, frames, name, stack.pop_all(), raw=params.raw)
