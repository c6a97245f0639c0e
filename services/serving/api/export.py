"""`/v1/export`: the complete result of a search as a file."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import polars as pl
from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response, StreamingResponse
from pydantic import Field
from sqlalchemy import Engine
from starlette.background import BackgroundTask

from services.serving.api.result_stream import Slices, csv, json, parquet, slices
from services.serving.api.routes import ERROR_RESPONSES, resolve_near
from services.serving.api.search import Filters, filter_clause
from services.serving.database import Statement

# Also the columns of the Parquet snapshots in the bucket (`services.serving.gold.snapshots`).
COLUMNS = (
    "control_number, sources, position_id, title, agency, department, office, series, series_names, pay_plan,"
    " grade_low, grade_high, pay_minimum, pay_maximum, pay_interval, annual_minimum, annual_maximum, opened_on,"
    " closes_on, ended_on, is_open, days_open, is_remote, is_telework, schedules, offering_types, hiring_paths,"
    " who_may_apply, security_clearance, openings, location, places, summary, url, first_seen_at"
)
Writer = Callable[[pl.Schema, Slices], Iterator[bytes]]

STREAMS: dict[str, tuple[Writer, str]] = {"csv": (csv, "text/csv"), "json": (json, "application/json")}
RAW_CSV: tuple[Writer, str] = (partial(csv, escape_formulas=False), "text/csv")
PARQUET = "application/vnd.apache.parquet"


class ExportParams(Filters):
    """Search filters and file format."""

    format: Literal["json", "csv", "parquet"] = "json"
    raw: bool = Field(default=False, description="CSV only: do not escape text that a spreadsheet takes for a formula")


def routes(query_engine: Engine, export_engine: Engine) -> APIRouter:
    """`export_engine` has a small pool that limits concurrent exports."""
    router = APIRouter(prefix="/v1", responses=ERROR_RESPONSES)
    files: dict[str, dict[str, dict[str, str]]] = {
        kind: {"schema": {"type": "string"}} for kind in ("text/csv", PARQUET)
    }
    files["application/json"] = {"schema": {"type": "array"}}

    @router.get("/export", tags=["postings"], response_class=Response, responses={200: {"content": files}})
    def export(params: Annotated[ExportParams, Query()], request: Request) -> Response:
        """All postings that match, unpaginated and unordered, as JSON, CSV or Parquet."""
        clause = filter_clause(params, resolve_near(query_engine, params))
        statement = Statement(f"select {COLUMNS} {clause.sql}", clause.values)
        name = f"postings.{params.format}"
        if request.scope.get("head"):
            return head_response(name)
        with ExitStack() as stack:
            schema, frames = stack.enter_context(slices(export_engine, statement))
            if params.format == "parquet":
                return file_response(schema, frames, name)
            return stream_response(schema, frames, name, stack.pop_all(), raw=params.raw)

    return router


def head_response(name: str) -> Response:
    """The headers of a file that is not made."""
    suffix = name.rpartition(".")[2]
    media_type = PARQUET if suffix == "parquet" else STREAMS[suffix][1]
    return StreamingResponse(iter(()), headers=_attachment(name), media_type=media_type)


def stream_response(
    schema: pl.Schema, frames: Slices, name: str, resources: ExitStack, *, raw: bool = False
) -> Response:
    """Rows as CSV or JSON, by the name's suffix, as they are fetched. `resources` are closed at the end."""
    suffix = name.rpartition(".")[2]
    write, media_type = RAW_CSV if raw and suffix == "csv" else STREAMS[suffix]

    def body() -> Iterator[bytes]:
        with resources:
            yield from write(schema, frames)

    return StreamingResponse(
        body(), headers=_attachment(name), media_type=media_type, background=BackgroundTask(resources.close)
    )


def file_response(schema: pl.Schema, frames: Slices, name: str) -> Response:
    """Rows as Parquet. Written to disk first: its footer comes last, and the cursor must not wait for a slow client."""
    with ExitStack() as stack:
        path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="smelt-export-"))) / name
        parquet(schema, frames, path)
        resources = stack.pop_all()
    return FileResponse(path, headers=_attachment(name), media_type=PARQUET, background=BackgroundTask(resources.close))


def _attachment(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
