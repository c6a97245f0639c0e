"""What follows once the last page of a run, or the last batch of an upload, is loaded."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, null, select, update
from sqlalchemy.dialects.postgresql import insert

from services.loader import deactivation, drift, evolution, ledger, snapshot, source_state
from services.loader.drift import Shares
from shared.database.ops_tables import FIELD_BASELINE, LOADED_OBJECT, RUN, SCHEMA_DRIFT
from shared.datasets import registry
from shared.datasets.contract.document import RESCUED
from shared.formats.silver import FieldProfile, RuleWarning, SilverHeader

log = structlog.get_logger()

RECENT_RUNS = 5  # to compare a run's record count with
MAX_DIFFERENCES = 500  # stored per run or upload
MIN_SHARE = 0.001  # of objects; rarer fields are dropped from the baseline


def complete_run(connection: Connection, run_id: str) -> None:
    """Mark the run complete if all its pages are loaded, and compare it with previous runs."""
    if not ledger.mark_complete(connection, run_id):
        ledger.clear_working_data(connection, run_id)
        return
    run = connection.execute(select(RUN).where(RUN.c.run_id == run_id)).one()
    deactivation.deactivate_missing(connection, run)
    warnings = [
        *source_state.advance(connection, run),
        *_count_warning(connection, run),
        *_compare(connection, run.dataset, run_id, LOADED_OBJECT.c.run_id == run_id),
    ]
    warnings_json = [warning.model_dump() for warning in warnings]
    connection.execute(update(RUN).where(RUN.c.run_id == run_id).values(warnings=warnings_json))
    log.info("run.complete", run_id=run_id, dataset=run.dataset, warnings=len(warnings))


def complete_upload(connection: Connection, header: SilverHeader) -> None:
    """Compare an upload with the baseline once all its batches are loaded.

    The lock serialises two loaders with the last two batches, so that the second sees both.
    """
    source = header.source
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(source.key, 0))))
    if ledger.is_complete(connection, source, header.transform_version):
        own_batches = and_(LOADED_OBJECT.c.key == source.key, LOADED_OBJECT.c.version == source.version)
        _compare(connection, header.dataset, source.key, own_batches)
        if registry.dataset(header.dataset).is_snapshot:
            snapshot.settle(connection, header.dataset)


def _compare(connection: Connection, dataset: str, source: str, objects: ColumnElement[bool]) -> list[RuleWarning]:
    """Record drift, update the baseline, and return warnings about fields that have become rarer."""
    raw = registry.dataset(dataset)
    profile, before = _field_profile(connection, objects), _baseline(connection, dataset)
    drifts = [
        *drift.schema_drifts(profile, before, _declared_paths(dataset), raw.known_values, _places(connection, dataset)),
        *drift.vanished_fields(profile, before, raw.limits),
    ]
    _record(connection, dataset, source, drifts)
    if profile.get("", {}).get("object", 0) >= raw.limits.smallest:
        _update_baseline(connection, dataset, drift.averaged(drift.shares(profile), before))
    connection.execute(update(LOADED_OBJECT).where(objects).values(field_profile=null()))
    return list(drift.null_shares(profile, before, raw.limits))


def _places(connection: Connection, dataset: str) -> Callable[[str], str | None]:
    """Which column has an undeclared field."""
    columns = evolution.columns_of(connection, dataset) if registry.dataset(dataset).evolves else {}
    rescued = RESCUED if registry.dataset(dataset).rescues else None
    return lambda path: columns[path].name if path in columns else rescued


@cache
def _declared_paths(dataset: str) -> frozenset[str]:
    """Paths of the fields that the dataset declares or ignores."""
    raw = registry.dataset(dataset)
    return frozenset((*drift.declared_paths(raw.record_model), *raw.ignored))


def _field_profile(connection: Connection, objects: ColumnElement[bool]) -> FieldProfile:
    """The sum of the objects' field profiles."""
    total: dict[str, Counter[str]] = defaultdict(Counter)
    for (profile,) in connection.execute(
        select(LOADED_OBJECT.c.field_profile).where(objects, LOADED_OBJECT.c.field_profile.is_not(None))
    ):
        for path, types in profile.items():
            total[path].update(types)
    return {path: dict(types) for path, types in total.items()}


def _baseline(connection: Connection, dataset: str) -> Shares:
    before: Shares = defaultdict(dict)
    for row in connection.execute(select(FIELD_BASELINE).where(FIELD_BASELINE.c.dataset == dataset)):
        before[row.path][row.type] = row.share
    return before


def _update_baseline(connection: Connection, dataset: str, shares: Shares) -> None:
    times = {"first_seen_at": func.now(), "last_seen_at": func.now()}
    rows = [
        {"dataset": dataset, "path": path, "type": kind, "share": share} | times
        for path, types in sorted(shares.items())
        for kind, share in sorted(types.items())
        if share >= MIN_SHARE
    ]
    connection.execute(
        delete(FIELD_BASELINE).where(
            FIELD_BASELINE.c.dataset == dataset, FIELD_BASELINE.c.share < MIN_SHARE / (1 - drift.WEIGHT)
        )
    )
    statement = insert(FIELD_BASELINE).values(rows)  # one statement is ten times as fast as one per row
    newer = {"share": statement.excluded.share, "last_seen_at": func.now()}
    connection.execute(statement.on_conflict_do_update(index_elements=["dataset", "path", "type"], set_=newer))


def _record(connection: Connection, dataset: str, source: str, drifts: list[drift.Drift]) -> None:
    if drifts:
        rows = [
            {"dataset": dataset, "source": source, **difference.__dict__} for difference in drifts[:MAX_DIFFERENCES]
        ]
        connection.execute(insert(SCHEMA_DRIFT).on_conflict_do_nothing(), rows)
        log.warning("drift.found", dataset=dataset, source=source, differences=len(drifts))


def _count_warning(connection: Connection, run: Row[Any]) -> Iterator[RuleWarning]:
    """A warning if the run has far fewer records than recent runs with the same params."""
    if registry.dataset(run.dataset).cursor is not None:
        return  # the number of changes varies
    same_params = (RUN.c.dataset == run.dataset, RUN.c.params == run.params, RUN.c.run_id != run.run_id)
    recent = (
        select(RUN.c.distinct_records)
        .where(*same_params, RUN.c.completed_at.is_not(None))
        .order_by(RUN.c.planned_at.desc())
    )
    usual = connection.scalar(select(func.avg(recent.limit(RECENT_RUNS).subquery().c.distinct_records)))
    limits = registry.dataset(run.dataset).limits
    if usual is not None and usual >= limits.smallest and run.distinct_records < limits.count_fall * float(usual):
        message = f"{run.distinct_records} records, the latest runs of the same params had {usual:.0f}"
        yield RuleWarning(rule="row_count", field="", message=message, records=0)
