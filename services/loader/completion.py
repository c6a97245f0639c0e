"""What there is to do once the last page of a run, or the last batch of an upload, has been loaded."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, null, select, update
from sqlalchemy.dialects.postgresql import insert

from services.loader import deactivation, drift, ledger
from services.loader.drift import Shares
from shared.database.ops_tables import FIELD_BASELINE, LOADED_OBJECT, RUN, SCHEMA_DRIFT
from shared.datasets import registry
from shared.formats.silver import Header, RuleWarning, Shape

log = structlog.get_logger()

RECENT = 5  # runs that a run is compared with
MOST = 500  # differences recorded of one run or upload
FORGOTTEN = 0.001  # share of objects below which the baseline knows a field no longer


def complete_run(connection: Connection, run_id: str) -> None:
    """Mark the run complete if it is, and compare it with what came before."""
    if not ledger.complete(connection, run_id):
        ledger.clear_working_data(connection, run_id)
        return
    run = connection.execute(select(RUN).where(RUN.c.run_id == run_id)).one()
    deactivation.deactivate_missing(connection, run)
    warnings = [
        *_count_warning(connection, run),
        *_compare(connection, run.dataset, run_id, LOADED_OBJECT.c.run_id == run_id),
    ]
    described = [warning.model_dump() for warning in warnings]
    connection.execute(update(RUN).where(RUN.c.run_id == run_id).values(warnings=described))
    log.info("run.complete", run_id=run_id, dataset=run.dataset, warnings=len(warnings))


def complete_upload(connection: Connection, header: Header) -> None:
    """Compare an upload with what came before, once all of it is there.

    The lock makes two loaders with its last two batches come one after the other: the second sees both.
    """
    source = header.source
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(source.key, 0))))
    if ledger.is_complete(connection, source, header.transform_version):
        mine = and_(LOADED_OBJECT.c.key == source.key, LOADED_OBJECT.c.version == source.version)
        _compare(connection, header.dataset, source.key, mine)


def _compare(connection: Connection, dataset: str, source: str, objects: ColumnElement[bool]) -> list[RuleWarning]:
    """Record drift, bring the baseline up to date, and return what has become rarer."""
    raw = registry.dataset(dataset)
    shape, before = _shape(connection, objects), _baseline(connection, dataset)
    found = [
        *drift.drifts(shape, before, _known(dataset), raw.known_values),
        *drift.vanished(shape, before, raw.limits),
    ]
    _record(connection, dataset, source, found)
    if shape.get("", {}).get("object", 0) >= raw.limits.smallest:
        _update_baseline(connection, dataset, drift.averaged(drift.shares(shape), before))
    connection.execute(update(LOADED_OBJECT).where(objects).values(field_profile=null()))
    return list(drift.null_shares(shape, before, raw.limits))


@cache
def _known(dataset: str) -> frozenset[str]:
    """Paths of the fields that the dataset knows."""
    raw = registry.dataset(dataset)
    return frozenset((*drift.declared(raw.record_model), *raw.ignored))


def _shape(connection: Connection, objects: ColumnElement[bool]) -> Shape:
    """Of all objects together."""
    total: dict[str, Counter[str]] = defaultdict(Counter)
    for (shape,) in connection.execute(
        select(LOADED_OBJECT.c.field_profile).where(objects, LOADED_OBJECT.c.field_profile.is_not(None))
    ):
        for path, types in shape.items():
            total[path].update(types)
    return {path: dict(types) for path, types in total.items()}


def _baseline(connection: Connection, dataset: str) -> Shares:
    before: Shares = defaultdict(dict)
    for row in connection.execute(select(FIELD_BASELINE).where(FIELD_BASELINE.c.dataset == dataset)):
        before[row.path][row.type] = row.share
    return before


def _update_baseline(connection: Connection, dataset: str, shares: Shares) -> None:
    seen = {"first_seen_at": func.now(), "last_seen_at": func.now()}
    rows = [
        {"dataset": dataset, "path": path, "type": kind, "share": share} | seen
        for path, types in sorted(shares.items())
        for kind, share in sorted(types.items())
        if share >= FORGOTTEN
    ]
    connection.execute(
        delete(FIELD_BASELINE).where(
            FIELD_BASELINE.c.dataset == dataset, FIELD_BASELINE.c.share < FORGOTTEN / (1 - drift.WEIGHT)
        )
    )
    statement = insert(FIELD_BASELINE).values(
        rows
    )  # one statement: executed for each row it would take ten times as long
    newer = {"share": statement.excluded.share, "last_seen_at": func.now()}
    connection.execute(statement.on_conflict_do_update(index_elements=["dataset", "path", "type"], set_=newer))


def _record(connection: Connection, dataset: str, source: str, found: list[drift.Drift]) -> None:
    if found:
        rows = [{"dataset": dataset, "source": source, **one.__dict__} for one in found[:MOST]]
        connection.execute(insert(SCHEMA_DRIFT).on_conflict_do_nothing(), rows)
        log.warning("drift.found", dataset=dataset, source=source, differences=len(found))


def _count_warning(connection: Connection, run: Row[Any]) -> Iterator[RuleWarning]:
    """Where a run covers far fewer records than the latest ones of the same params."""
    alike = (RUN.c.dataset == run.dataset, RUN.c.params == run.params, RUN.c.run_id != run.run_id)
    recent = (
        select(RUN.c.distinct_records).where(*alike, RUN.c.completed_at.is_not(None)).order_by(RUN.c.planned_at.desc())
    )
    usual = connection.scalar(select(func.avg(recent.limit(RECENT).subquery().c.distinct_records)))
    limits = registry.dataset(run.dataset).limits
    if usual is not None and usual >= limits.smallest and run.distinct_records < limits.count_fall * float(usual):
        message = f"{run.distinct_records} records, the latest runs of the same params had {usual:.0f}"
        yield RuleWarning(rule="row_count", field="", message=message, records=0)
