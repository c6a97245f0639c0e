"""What is loaded: the same postings three times, as three runs of the extractor would leave them in bronze."""

import gzip
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import orjson

from infra.embedded.simulator.market import Market
from services.extractor import page_envelope
from services.extractor.responses import SourcePage
from shared.datasets.source import PageCounts, Part, Request
from shared.formats import envelope
from shared.formats.commands import PageCommand
from shared.formats.run_plan import RunPlan
from shared.storage import object_keys

DATASET = "usajobs_search"
KEY = "MatchedObjectId"
PER_PAGE = 500  # postings, the most that the API gives
LARGEST = 128 << 20  # bytes of a page
CHANGED_EVERY = 33  # postings: the 3 % that change from one real day to the next
COLD, AGAIN, CHANGED = "cold", "unchanged", "3 % changed"
SIMULATED_DAY = date(2026, 3, 2)
MAKER = Path(__file__).resolve().parents[2] / "shared" / "tools" / "make_workload.py"  # on developers' machines only


@dataclass(frozen=True)
class Fetch:
    """One run: its plan, and its pages as they lie in bronze."""

    phase: str
    plan: RunPlan
    pages: tuple[bytes, ...]
    postings: int

    @property
    def objects(self) -> Iterator[tuple[str, bytes]]:
        """Key and content of all that the run leaves in the bucket, the plan first."""
        yield object_keys.plan_key(DATASET, self.plan.run_id), self.plan.model_dump_json().encode()
        for number, page in enumerate(self.pages, start=1):
            yield object_keys.page_key(DATASET, self.plan.run_id, 1, number), page


@dataclass(frozen=True)
class Workload:
    """`size` is in bytes of JSON a posting, `distinct` the number of natural keys among the postings."""

    name: str
    origin: str
    fetches: tuple[Fetch, ...]
    distinct: int
    size: int

    @property
    def cold(self) -> Fetch:
        """Its first run."""
        return self.fetches[0]


Pages = list[list[bytes]]  # postings as JSON


def simulated(postings: int, per_page: int = PER_PAGE) -> Workload:
    """Pages of the simulator, whose mix of postings is that of real ones."""
    return _workload("realistic", "the simulator", simulated_pages(postings, per_page))


def simulated_pages(postings: int, per_page: int = PER_PAGE) -> Pages:
    """So many postings of the simulator."""
    market = Market(seed=1, size=postings + PER_PAGE)
    shown = market.open_on(SIMULATED_DAY)[:postings]
    items = [market.encoded(posting, SIMULATED_DAY) for posting in shown]
    return [items[start : start + per_page] for start in range(0, len(items), per_page)]


def from_folder(folder: Path, postings: int, name: str = "") -> Workload:
    """The first pages of a folder of bronze pages, with so many postings at least. Raises ValueError if it has none."""
    pages: Pages = []
    for path in sorted(folder.glob("**/*.json.gz")):
        if sum(map(len, pages)) < postings:
            pages.append(_items(path))
    if not any(pages):
        message = f"no bronze pages (*.json.gz) with postings in {folder}"
        raise ValueError(message)
    return _workload(name or folder.resolve().name, "a folder", pages)


def made(mix: str, postings: int, folder: Path) -> Workload:
    """Pages that the developers' `make_workload.py` makes from a real one, in `folder`."""
    out = folder / mix
    per_page = min(postings, PER_PAGE)
    command = [sys.executable, MAKER, out, "--mix", mix, "--pages", postings // per_page, "--per-page", per_page]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)  # noqa: S603 - our own tool
    return from_folder(out, postings, mix)


def _items(path: Path) -> list[bytes]:
    payload = envelope.read(path.read_bytes(), LARGEST).payload
    items: list[Any] = payload["SearchResult"]["SearchResultItems"]  # type: ignore[index]
    return [orjson.dumps(item) for item in items]


def _workload(name: str, origin: str, pages: Pages) -> Workload:
    first = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
    phases = {COLD: pages, AGAIN: pages, CHANGED: _changed(pages)}
    return Workload(
        name=name,
        origin=origin,
        fetches=tuple(
            _fetch(phase, fetched, first + timedelta(days=day)) for day, (phase, fetched) in enumerate(phases.items())
        ),
        distinct=len({orjson.loads(item)[KEY] for page in pages for item in page}),
        size=round(sum(len(item) for page in pages for item in page) / sum(map(len, pages))),
    )


def _changed(pages: Pages) -> Pages:
    """One posting in 33 with another title."""
    count = iter(range(sum(map(len, pages))))
    return [[item if next(count) % CHANGED_EVERY else amended(item) for item in page] for page in pages]


def amended(item: bytes) -> bytes:
    """The posting with another title."""
    posting = orjson.loads(item)
    posting["MatchedObjectDescriptor"]["PositionTitle"] += " - AMENDED"
    return orjson.dumps(posting)


def _fetch(phase: str, pages: Pages, at: datetime) -> Fetch:
    run_id = f"{at:%Y%m%dT%H%M%SZ}-{0:08x}"
    total = sum(map(len, pages))
    part = Part(params={}, rows=total, pages=len(pages))
    plan = RunPlan(run_id=run_id, dataset=DATASET, params={}, trigger="bench", expected_records=total, parts=(part,))
    enveloped = tuple(
        _envelope(command, items, total, at) for command, items in zip(plan.commands(), pages, strict=True)
    )
    return Fetch(phase, plan, enveloped, total)


def _envelope(command: PageCommand, items: Sequence[bytes], total: int, at: datetime) -> bytes:
    """As the extractor writes it."""
    headers = {"date": format_datetime(at, usegmt=True), "content-type": "application/json"}
    params = {"Page": str(command.page), "ResultsPerPage": str(PER_PAGE)}
    request = Request("https://data.usajobs.gov/api/search", params, {})
    text = answer(items, total, command.of)
    page = SourcePage(200, text, None, PageCounts(len(items), total, command.of))
    return page_envelope.compressed(page_envelope.envelope(command, request, (), page, headers, at), LARGEST)


def answer(items: Sequence[bytes], total: int, pages: int) -> bytes:
    """One page as the API answers."""
    payload = {
        "LanguageCode": "EN",
        "SearchParameters": {},
        "SearchResult": {
            "SearchResultCount": len(items),
            "SearchResultCountAll": total,
            "SearchResultItems": [orjson.Fragment(item) for item in items],
            "UserArea": {"NumberOfPages": str(pages), "IsRadialSearch": False},
        },
    }
    return orjson.dumps(payload)


def postings_of(page: bytes) -> list[Any]:
    """The postings of a bronze page, as a pipeline without smelt would read them."""
    items: list[Any] = orjson.loads(gzip.decompress(page))["response"]["payload"]["SearchResult"]["SearchResultItems"]
    return items
