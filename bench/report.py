"""What a run of the benchmarks says: on a terminal, and as docs/performance.md."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench import tables
from bench.goals import goals
from bench.latency import percentiles
from bench.memory import Peaks
from bench.processes import MIB
from bench.run import Result
from bench.serving import Serving

TEMPLATE = Path(__file__).parents[1] / "docs" / "performance.md.in"


def summary(result: Result) -> str:
    """For a terminal."""
    return "\n\n".join([tables.of_goals(goals(result.outcome)), *_comparisons(result), _others(result), _notes(result)])


def document(result: Result, minutes: float) -> str:
    """docs/performance.md."""
    requests = result.outcome.requests
    return TEMPLATE.read_text().format(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        minutes=round(minutes),
        rounds=max(one.round for one in result.outcome.samples.every),
        main=result.outcome.main,
        machine=result.machine,
        goals=tables.of_goals(goals(result.outcome)),
        missed=_missed(result),
        workloads=tables.of_workloads(result.workloads),
        comparisons="\n\n".join(_comparisons(result)),
        others=_others(result),
        requests=tables.of_requests(requests) if requests else "Not measured.",
        empty_polls=requests.empty_polls if requests else "-",
        profile=tables.of_profile(result.profile),
        notes=_notes(result),
    )


def _comparisons(result: Result) -> Iterator[str]:
    for workload in result.workloads:
        size = f"{workload.cold.postings:,} postings of {workload.size / 1_000:.1f} kB"
        yield f"**{workload.name}**, from {workload.origin}: {size}, pages: {len(workload.cold.pages)}"
        yield tables.of_comparison(result.outcome.samples, workload.name)


def _missed(result: Result) -> str:
    missed = [goal for goal in goals(result.outcome) if goal.met is False]
    if not missed:
        return "All goals that were measured are met."
    lines = [f"- {goal.what}: {goal.shown} where {goal.wanted} was wanted" for goal in missed]
    return "\n".join(["Missed; the profile below shows where the time goes:", "", *lines])


def _others(result: Result) -> str:
    outcome, lines = result.outcome, []
    if outcome.latencies:
        p50, p95 = (f"{seconds * 1_000:.0f} ms" for seconds in percentiles(outcome.latencies))
        lines.append(f"upload to committed row, {len(outcome.latencies)} uploads of one posting: p50 {p50}, p95 {p95}")
    if small := outcome.small_file:
        lines.append(
            f"a file of one posting: transformer {small.transformer:.1f} ms of CPU, loader {small.loader:.1f} ms,"
            f" Postgres {small.postgres:.1f} ms"
        )
    if cost := outcome.declared:
        lines.append(
            f"from a record to its rows, by the contract {cost.declared:.0f} us of CPU, by a model written by hand"
            f" {cost.hand_written:.0f} us"
        )
    if outcome.drained:
        one, two = outcome.drained
        lines.append(f"a backlog of silver objects: one loader {one:,.0f} postings/s, two {two:,.0f}")
    lines += _serving(outcome.serving) if outcome.serving else []
    lines += _peaks("a page of 500 captured postings", outcome.page)
    lines += _peaks("an upload of 1 GB of JSON lines", outcome.upload)
    lines += [
        f"`smelt dlq {cost.command}` of {result.letters:,} dead letters: {cost.seconds:.1f} s, {cost.cpu:.1f} CPU s, "
        f"{cost.peak / MIB:.0f} MiB"
        for cost in outcome.letters
    ]
    return "\n".join(f"- {line}" for line in lines)


def _serving(serving: Serving) -> Iterator[str]:
    cost = serving.cost
    for what, times in (("by words", serving.search), ("around a place", serving.near)):
        yield f"searches {what} of {serving.postings:,} postings: p50 {times.p50:.0f} ms, p95 {times.p95:.0f} ms"
    yield f"loads, the loader alone: {cost.alone:,.0f} postings/s, while gold is refreshed {cost.refreshing:,.0f}"
    each = f"{cost.kept * 1_000:.2f} ms for each posting that is replaced, {1_000 / cost.alone:.2f} ms to load one"
    yield f"history: {each}; what is new or unchanged costs nothing"


def _peaks(what: str, peaks: Peaks | None) -> Iterator[str]:
    if peaks:
        transformer, loader = peaks.transformer / MIB, peaks.loader / MIB
        yield f"peak memory, {what}: transformer {transformer:.0f} MiB, loader {loader:.0f} MiB"


def _notes(result: Result) -> str:
    alike = [f"- DIFFERENT: {line}" for line in result.differences] or [
        "- all contenders have the same postings; those with the same columns the same rows, by a digest of all content"
    ]
    return "\n".join([*alike, *(f"- left out: {line}" for line in result.left_out)])
