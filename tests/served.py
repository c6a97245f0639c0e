"""What tests of serving share: a database with gold, postings in it, and the API over it."""

import hashlib
import os
from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import polars as pl
from pydantic import SecretStr
from sqlalchemy import Engine, insert, text

from bench.api import client
from infra.embedded import applications, postgres, state
from services.loader import deletion
from services.serving.gold import db_role
from services.serving.gold.refresh import refresh
from shared.database import ops_tables
from shared.database.migrate import engine_of
from shared.datasets import registry, silver_tables

SEARCH, HISTORIC, CODES = "usajobs_search", "usajobs_historic", "usajobs_codes"
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
TODAY = datetime.now(UTC).date()
CHICAGO = (41.8781, -87.6298)
SEEN = """
    insert into {table}
        ({key}, observed_at, source_key_hash, sequencer, transform_version, content_hash, object_id, first_seen_at)
    values (:key, :at, 1, '', 1, '', :number, :at)
    on conflict ({key}) do update set observed_at = excluded.observed_at, object_id = excluded.object_id
"""
EMPTIED = "gold.posting_stored, gold.posting_location, gold.freshness, history.job_version"


def empty_gold() -> Engine:
    """The owner's engine of the running stack's database, with empty tables and the readers' role."""
    assert all(registry.dataset(name).tables for name in registry.names())  # they enter the metadata
    tables = [*ops_tables.METADATA.sorted_tables, *silver_tables.METADATA.sorted_tables]
    names = ", ".join(table.fullname for table in tables)
    engine = engine_of(os.environ["SMELT_DATABASE_URL"])
    with engine.begin() as connection:
        connection.execute(text(f"truncate {names}, {EMPTIED} restart identity cascade"))
    make_role()
    db_role.grant_read_access(engine)
    refresh(engine, always=True)
    return engine


def make_role() -> None:
    """What an administrator does once where the database's owner may not create roles."""
    held = state.load(Path(os.environ["SMELT_HOME"]))
    assert held is not None
    with postgres._administer(applications.database_server(held)) as connection:
        if not connection.scalar(text("select 1 from pg_roles where rolname = 'smelt_read'")):
            connection.execute(text("create role smelt_read nologin"))
        connection.execute(text(f"grant smelt_read to {postgres.OWNER}"))


def reading() -> Engine:
    """An engine as the API has it."""
    return db_role.connect(SecretStr(os.environ["SMELT_DATABASE_URL"]))


def api(requests: int = 1_000_000) -> AbstractContextManager[httpx.Client]:
    """A client of the API, served on a port of its own; so many requests a minute are allowed."""
    return client(os.environ["SMELT_DATABASE_URL"], requests)


def posting(number: int, title: str = "Data Engineer", **descriptor: Any) -> dict[str, Any]:
    """A posting as the Search API sends it; `details` and any field of the descriptor can be given."""
    details = {"JobSummary": "Smelts.", "LowGrade": "11", "HighGrade": "13"} | descriptor.pop("details", {})
    return {
        "MatchedObjectId": str(number),
        "MatchedObjectDescriptor": {
            "PositionID": f"P-{number}",
            "PositionTitle": title,
            "OrganizationName": "Bureau of Smelting",
            "DepartmentName": "Department of Ores",
            "PositionLocationDisplay": "Chicago, Illinois",
            "PositionLocation": [place("Chicago, Illinois", *CHICAGO)],
            "JobCategory": [{"Code": "2210", "Name": "Information Technology"}],
            "JobGrade": [{"Code": "GS"}],
            "PositionRemuneration": pay(80_000, 120_000),
            "PublicationStartDate": f"{TODAY - timedelta(days=9)}T00:00:00.0000",
            "ApplicationCloseDate": f"{TODAY + timedelta(days=9)}T23:59:59.9970",
            "UserArea": {"Details": details},
        }
        | descriptor,
    }


def place(name: str, latitude: float, longitude: float) -> dict[str, Any]:
    """A location of a posting."""
    return {
        "LocationName": name,
        "CountryCode": "United States",
        "CityName": name,
        "Latitude": latitude,
        "Longitude": longitude,
    }


def pay(low: float, high: float, interval: str = "PA") -> list[dict[str, Any]]:
    """What a posting pays."""
    return [{"MinimumRange": str(low), "MaximumRange": str(high), "RateIntervalCode": interval}]


def historic(number: int, **fields: Any) -> dict[str, Any]:
    """A posting as the Historic JOA API sends it."""
    return {
        "usajobsControlNumber": number,
        "hiringAgencyCode": "ORBS",
        "hiringAgencyName": "Smelting, Bureau of",
        "hiringDepartmentName": "Department of Ores",
        "positionTitle": "Assayer",
        "positionOpenDate": "2016-01-04",
        "positionCloseDate": "2016-01-14",
        "minimumGrade": "07",
        "maximumGrade": "09",
        "minimumSalary": 40_000.0,
        "maximumSalary": 60_000.0,
        "salaryType": "Per Year",
        "jobCategories": [{"series": "2210"}],
        "positionLocations": [{"positionLocationCity": "Chicago", "positionLocationState": "Illinois"}],
    } | fields


def code_list(name: str, **labels: str) -> dict[str, Any]:
    """A list of codes as the code list API sends it: code=label."""
    return {"id": name, "ValidValue": [{"Code": c.removeprefix("_"), "Value": v} for c, v in labels.items()]}


def hold(engine: Engine, dataset: str, records: Iterable[dict[str, Any]], at: datetime = MONDAY) -> int:
    """Put records into silver, replacing those of the same key as the loader does; returns the ledger's object."""
    own_dataset, tables = registry.dataset(dataset), registry.dataset(dataset).tables
    rows = [own_dataset.normalise(own_dataset.record_model.model_validate(record)) for record in records]
    key = next(column.name for column in tables.root.primary_key.columns)
    keys = [row[key] for row in rows]
    children = {child.name: child for child in tables.children}
    with engine.begin() as connection:
        number = connection.scalar(
            insert(ops_tables.LOADED_OBJECT).returning(ops_tables.LOADED_OBJECT.c.id), _object(dataset, at)
        )
        deletion.delete(connection, tables, pl.DataFrame({key: keys}))
        for row in rows:
            own = {name: row[name] for name in (column.name for column in tables.root.columns) if name in row}
            connection.execute(insert(tables.root).values(own | {"object_id": number}))
            for name, child in children.items():
                if items := [item | {key: row[key]} for item in row[name]]:
                    connection.execute(insert(child), items)
            seen = {"key": row[key], "at": at, "number": number}
            connection.execute(text(SEEN.format(table=tables.last_seen.fullname, key=key)), seen)
    assert number is not None
    return number


def _object(dataset: str, at: datetime) -> dict[str, Any]:
    name = hashlib.sha256(os.urandom(8)).hexdigest()[:12]
    return {
        "dataset": dataset,
        "bucket": "bucket",
        "key": f"uploads/{dataset}/{name}.json",
        "version": "v1",
        "transform_version": 1,
        "silver_key": f"silver/{dataset}/{name}.parquet",
        "observed_at": at,
        "read": 0,
        "quarantined": 0,
    }
