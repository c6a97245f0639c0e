"""Serving: searches of 100,000 postings as a client sees them, warm, one at a time; and what gold costs the loads.

`python -m bench.serving` measures only this, in a stack of its own, and prints it as JSON.
"""

import json
import os
import random
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import httpx
from sqlalchemy import Engine, text

from bench import api, gold, refreshing
from bench.refreshing import Cost
from bench.stack import Rig
from services.serving.gold import db_role
from services.serving.gold.refresh import refresh
from shared import telemetry
from shared.database.migrate import engine_of

WORDS = (
    "data engineer",
    "nurse",
    "engineer",
    "program analyst",
    "electrical engineer",
    "attorney",
    '"human resources"',
    "logistics management",
    "information technology specialist",
    "biologist",
    "aviation safety",
    "police officer",
    "registered nurse",
    "budget analysis",
    "contract specialist",  # nearly every posting of the simulator has both words
    "forestry technician",
)


@dataclass(frozen=True)
class Times:
    """Milliseconds."""

    p50: float
    p95: float


@dataclass(frozen=True)
class Serving:
    """What was measured over so many postings."""

    postings: int
    search: Times
    near: Times
    cost: Cost


def measure(rig: Rig, postings: int, asked: int) -> Serving:
    """`asked` are questions of each kind. Leaves postings in silver and in gold."""
    owner = engine_of(rig.database_url)
    db_role.grant_read_access(owner)
    cost = refreshing.measure(rig)
    refresh(owner, always=True)
    held = gold.fill(owner, postings)
    with api.client(rig.database_url) as client:
        search, near = (_times(client, questions) for questions in _questions(owner, asked))
    owner.dispose()
    return Serving(held, search, near, cost)


def _questions(engine: Engine, count: int) -> Iterator[list[dict[str, str]]]:
    """Search and near as people ask them: places in proportion to their postings."""
    chance = random.Random(7)  # noqa: S311 - repeatable, no secret
    with engine.connect() as connection:
        places = connection.execute(text("select latitude, longitude, postings from gold.place order by name")).all()
    chosen = chance.choices(places, [place.postings for place in places], k=count)
    yield [{"q": chance.choice(WORDS)} for _ in range(count)]
    yield [
        {"near": f"{place.latitude:.4f},{place.longitude:.4f}", "radius": chance.choice(("10", "25", "50", "100"))}
        for place in chosen
    ]


def _times(client: httpx.Client, asked: list[dict[str, str]]) -> Times:
    """Of the second time that each question is asked: the first warms the caches."""
    took = []
    for question in [*asked, *asked]:
        started = time.perf_counter()
        client.get("/v1/postings", params=question).raise_for_status()
        took.append(1_000 * (time.perf_counter() - started))
    warm = statistics.quantiles(took[len(asked) :], n=20, method="inclusive")
    return Times(warm[9], warm[18])


if __name__ == "__main__":
    telemetry.configure("bench", "ERROR")
    with Rig(simulated=1) as only:
        sys.stdout.write(
            json.dumps(asdict(measure(only, 100_000, 150)) | {"load": os.getloadavg()[0]}, indent=2) + "\n"
        )
