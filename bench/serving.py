"""Searches of 100,000 postings: 95th percentile, warm, through the API as a client sees it, one at a time.

`python -m bench.serving` on the stack that the environment names (`eval "$(smelt env)"`). It fills what is missing up
to 100,000 with copies of the postings in silver, moved a little, and builds gold; that takes some minutes, once. Use a
stack of its own: the copies stay.
"""

import argparse
import json
import os
import random
import socket
import statistics
import sys
import time
from threading import Thread

import httpx
import uvicorn
from pydantic import SecretStr
from sqlalchemy import Engine, text

from services.serving import readers
from services.serving.app import application
from services.serving.limit import Limit
from services.serving.refresh import refresh
from shared.database.migrate import engine_of

TARGET = 50.0  # ms
COPY = 1_000_000_000  # control numbers of copies begin here
OWN = text("select count(*) from silver.job where control_number < :copy")
NAMES = text("""
    select attname from pg_attribute where attrelid = cast(:relation as regclass) and attnum > 0 and not attisdropped
""")
TABLES = (
    "job",
    "job_details",
    "job_location",
    "job_category",
    "job_grade",
    "job_schedule",
    "job_offering_type",
    "job_remuneration",
    "job_last_seen",
)
MOVED = {
    "control_number": f"control_number + copy * {COPY}",
    "latitude": "latitude + (copy % 7 - 3) * 0.05",
    "longitude": "longitude + (copy % 5 - 2) * 0.05",
}
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
    "contract specialist",
    "forestry technician",
)


def fill(engine: Engine, postings: int) -> None:
    """Copy postings until there are so many, and bring gold up to date."""
    with engine.begin() as connection:
        own = connection.scalar(OWN, {"copy": COPY}) or 0
        held = connection.scalar(text("select count(*) from silver.job")) or 0
        if not own:
            sys.exit("bench: silver.job is empty; extract something first (smelt run …)")
        for copy in range(held // own, -(-postings // own)):
            for table in TABLES:
                names = connection.scalars(NAMES, {"relation": f"silver.{table}"}).all()
                values = ", ".join(MOVED.get(name, name) for name in names).replace("copy", str(copy))
                source = f"select {values} from silver.{table} where control_number < {COPY}"  # noqa: S608 - our names
                connection.execute(text(f"insert into silver.{table} ({', '.join(names)}) {source}"))
    refresh(engine, always=True)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum analyze gold.posting_stored, gold.posting_location"))


def questions(engine: Engine, count: int) -> dict[str, list[dict[str, str]]]:
    """Search and near as people ask them: places in proportion to their postings."""
    chance = random.Random(7)  # noqa: S311 - repeatable, no secret
    with engine.connect() as connection:
        places = connection.execute(text("select latitude, longitude, postings from gold.place")).all()
    chosen = chance.choices(places, [place.postings for place in places], k=count)
    return {
        "search": [{"q": chance.choice(WORDS)} for _ in range(count)],
        "near": [
            {"near": f"{place.latitude:.4f},{place.longitude:.4f}", "radius": chance.choice(("10", "25", "50", "100"))}
            for place in chosen
        ],
    }


def measure(client: httpx.Client, asked: list[dict[str, str]]) -> dict[str, float]:
    """Milliseconds of the second time that each question is asked: the first warms the caches."""
    took = []
    for question in [*asked, *asked]:
        started = time.perf_counter()
        client.get("/v1/postings", params=question).raise_for_status()
        took.append(1_000 * (time.perf_counter() - started))
    warm = statistics.quantiles(took[len(asked) :], n=100)
    return {"p50": round(warm[49], 1), "p95": round(warm[94], 1), "p99": round(warm[98], 1)}


def main() -> None:
    """Print what was measured as JSON; exit 1 if the target is missed."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--postings", type=int, default=100_000)
    options.add_argument("--questions", type=int, default=200)
    given = options.parse_args()
    url = os.environ["SMELT_DATABASE_URL"]
    owner = engine_of(url)
    readers.admit(owner)
    fill(owner, given.postings)
    app = application(readers.connect(SecretStr(url)), readers.connect(SecretStr(url)), Limit(1_000_000, None))
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as services.serving does
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
    thread = Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=30, trust_env=False) as client:
        found = {kind: measure(client, asked) for kind, asked in questions(owner, given.questions).items()}
    server.should_exit = True
    thread.join()
    with owner.connect() as connection:
        held = connection.scalar(text("select count(*) from gold.posting"))
    print(json.dumps({"postings": held, "unit": "ms", "target_p95": TARGET, **found}, indent=2))  # noqa: T201 - a command
    sys.exit(any(one["p95"] > TARGET for one in found.values()))


if __name__ == "__main__":
    main()
