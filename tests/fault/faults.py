"""The faults, by name: what goes wrong while a workload is under way. Each ends what it began."""

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread

import psycopg2

from services.ops.runs import runs
from shared.failpoint import POINTS
from tests.fault.oracle import Oracle
from tests.fault.rig import Rig
from tests.fault.worker import SCALE, VISIBILITY

During = Callable[[Rig, random.Random], AbstractContextManager[None]]
Strike = Callable[[Rig, random.Random], object]
Deliver = Callable[[Rig, random.Random, Oracle], None]


def as_s3_does(rig: Rig, rng: random.Random, oracle: Oracle) -> None:
    """S3 publishes the events."""
    for upload in oracle.uploads():
        rig.put(oracle, upload)
        time.sleep(rng.uniform(0, 0.05))


def many_times_in_any_order(rig: Rig, rng: random.Random, oracle: Oracle) -> None:
    """Each event 1 to 5 times, all of them shuffled, and the silver events again at the end."""
    with rig.deaf():
        events = [
            rig.put(oracle, upload) | {"sequencer": f"{n:016X}"} for n, upload in enumerate(oracle.uploads(), start=1)
        ]
    events = [event for event in events for _ in range(rng.randint(1, 5))]
    rng.shuffle(events)
    for event in events:
        rig.send_event(event)
    time.sleep(rng.uniform(1, 3))
    s3, bucket = rig.connections.s3, rig.connections.settings.bucket
    for prefix in oracle.silver_prefixes:
        for version in s3.list_object_versions(Bucket=bucket, Prefix=prefix).get("Versions", []):
            rig.send_event({"key": version["Key"], "versionId": version["VersionId"]})


def extraction(rig: Rig, rng: random.Random, oracle: Oracle) -> None:
    """A run of everything the source has, beside the uploads."""
    oracle.run_id = runs.start(rig.connections, "usajobs_search", {})
    as_s3_does(rig, rng, oracle)


def unheard(rig: Rig, rng: random.Random, oracle: Oracle) -> None:
    """Some events are never published; the audit finds them."""
    for upload in oracle.uploads(ties=False):
        with rig.deaf() if rng.random() < 0.5 else nullcontext():
            rig.put(oracle, upload)
    time.sleep(2)
    rig.repair()


@dataclass(frozen=True)
class Fault:
    """What goes wrong (`during`), and how events are delivered (`deliver`).

    With `no_attempts` it says nothing of any message: none may use up more attempts than a queue in production allows.
    """

    during: During
    deliver: Deliver = as_s3_does
    no_attempts: bool = False


@contextmanager
def at_point(name: str, action: str, rig: Rig, rng: random.Random) -> Iterator[None]:
    """A fail-point, with a probability that lets some through."""
    probability = rng.uniform(0.15, 0.4)
    with rig.failing({name: {"action": action, "probability": probability}}):
        yield
        rig_tends(rig, 3)


@contextmanager
def now_and_then(strike: Strike, times: int, rig: Rig, rng: random.Random) -> Iterator[None]:
    """Something short, several times while the work goes on."""
    yield
    for _ in range(times):
        time.sleep(rng.uniform(0.1, 0.8))
        strike(rig, rng)
        rig.tend()


@contextmanager
def proxied(which: str, mode: str, rig: Rig, rng: random.Random) -> Iterator[None]:
    """A proxy misbehaves from before the first put until some seconds after the last."""
    proxy = getattr(rig, which)
    proxy.set(mode)
    yield
    rig_tends(rig, rng.uniform(1, 3))
    proxy.set("pass")


@contextmanager
def away(which: str, mode: str, seconds: float, rig: Rig, _rng: random.Random) -> Iterator[None]:
    """A part is away for long, from before the first put."""
    proxy = getattr(rig, which)
    proxy.set(mode)
    if mode == "silent":
        proxy.hush()
    yield
    rig_tends(rig, seconds)
    proxy.set("pass")


@contextmanager
def falls_silent(rig: Rig, rng: random.Random) -> Iterator[None]:
    """In the middle of the work the database's connections, open and new ones, are answered no more."""
    yield
    time.sleep(rng.uniform(0.1, 0.8))
    rig.postgres.hush()
    rig_tends(rig, rng.uniform(5, 15))
    rig.postgres.set("pass")


@contextmanager
def locked(seconds: float, rig: Rig, _rng: random.Random) -> Iterator[None]:
    """Something holds a lock on the ledger, as a migration might, for many times a loader's lock timeout."""
    hold = f"begin; lock table ops.loaded_object in access exclusive mode; select pg_sleep({seconds}); rollback"
    holder = Thread(target=rig.administer, args=(hold,))
    holder.start()
    yield
    rig_tends(rig, seconds)
    holder.join()


@contextmanager
def put_back_and_killed(rig: Rig, rng: random.Random) -> Iterator[None]:
    """The database is away, and workers die between the copy that they put back and the original."""
    with at_point("message.put_back", "kill", rig, rng), proxied("postgres", "cut", rig, rng):
        yield


@contextmanager
def database_with(begin: tuple[str, ...], end: tuple[str, ...], rig: Rig, rng: random.Random) -> Iterator[None]:
    """A setting of the database that makes statements fail, for the connections that are opened from now on."""
    rig.administer(*begin, TERMINATE)
    yield
    rig_tends(rig, rng.uniform(1, 3))
    rig.administer(*end, TERMINATE)


@contextmanager
def slow_work(rig: Rig, rng: random.Random) -> Iterator[None]:
    """Work takes longer than a message stays invisible."""
    plan = {"action": "sleep", "probability": 0.5, "seconds": rng.uniform(1.5, 2.5) * VISIBILITY}
    with rig.failing({"object.got": plan}):
        yield
        rig_tends(rig, 4)


@contextmanager
def cut_after_commit(rig: Rig, _rng: random.Random) -> Iterator[None]:
    """The effect is there, and the word that it is done cannot be given."""
    with rig.failing({"loader.committed": {"action": "sleep", "probability": 1, "seconds": 1}}):
        yield
        time.sleep(1)
        rig.aws.set("cut")
        time.sleep(VISIBILITY)
        rig.aws.set("pass")


@contextmanager
def odd_workers(mutant: str, environment: dict[str, str], rig: Rig, rng: random.Random) -> Iterator[None]:
    """One worker of each kind is different from the other."""
    for name in rig.names[::2]:
        rig.odd[name] = (mutant, environment)
        rig.workers[name].terminate()
        rig.workers[name].wait()
    rig.tend()
    yield
    rig_tends(rig, rng.uniform(2, 3))
    for name in rig.names[::2]:
        del rig.odd[name]
        rig.workers[name].terminate()
        rig.workers[name].wait()


def rig_tends(rig: Rig, seconds: float) -> None:
    """Let the work go on, and workers be restarted."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        rig.tend()
        time.sleep(0.1)


def paused(rig: Rig, rng: random.Random) -> None:
    """A worker is stopped for longer than its messages stay invisible, and then goes on."""
    name = rng.choice(rig.names)
    worker = rig.workers[name]
    subprocess.run(["pkill", "-STOP", "-g", str(worker.pid)], check=False)  # noqa: S607
    time.sleep(VISIBILITY + 1)
    subprocess.run(["pkill", "-CONT", "-g", str(worker.pid)], check=False)  # noqa: S607


def cut_briefly(rig: Rig, _rng: random.Random) -> None:
    """Nothing gets through to AWS for a moment, and what was under way is cut."""
    rig.aws.set("cut")
    time.sleep(0.5)
    rig.aws.set("pass")


def deadlocked(rig: Rig, _rng: random.Random) -> None:
    """Another session locks records in the opposite order, so that Postgres must end one of the two."""
    with suppress(psycopg2.errors.DeadlockDetected):
        rig.administer(
            "begin; set local deadlock_timeout = '10ms'; update silver.job_last_seen set sequencer = sequencer"
            " where control_number in (select control_number from silver.job_last_seen order by 1 desc limit 5);"
            " select pg_sleep(0.3); rollback;"
        )


def faketime() -> str | None:
    """The library that shifts a process's clock, where there is one (Debian's package faketime)."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    return str(found[0]) if found and shutil.which("faketime") else None


def clock(hours: str) -> dict[str, Fault]:
    """A worker whose clock is wrong, where that can be done."""
    library = faketime()
    environment = {"LD_PRELOAD": library or "", "FAKETIME": hours, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    return {f"clock {hours}": Fault(partial(odd_workers, "", environment))} if library else {}


TERMINATE = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'smelt-loader'"

ON_THE_WAY = [name for name in POINTS if name != "message.put_back"]  # that one needs an outage
HALF_AN_HOUR = 1_800 * SCALE  # s

FAULTS: dict[str, Fault] = {
    **{f"SIGKILL at {name}": Fault(partial(at_point, name, "kill")) for name in ON_THE_WAY},
    **{f"SIGTERM at {name}": Fault(partial(at_point, name, "term")) for name in ON_THE_WAY},
    **{f"failure at {name}": Fault(partial(at_point, name, "fail")) for name in ON_THE_WAY},
    "Postgres cut, SIGKILL at message.put_back": Fault(put_back_and_killed),
    **{
        f"extraction, SIGKILL at {name}": Fault(partial(at_point, name, "kill"), extraction)
        for name in ("message.received", "object.put", "message.deleted")
    },
    "extraction, worker killed": Fault(
        partial(now_and_then, lambda rig, rng: rig.signal_one(rng, signal.SIGKILL), 4), extraction
    ),
    "extraction, AWS cut in mid-work": Fault(partial(now_and_then, cut_briefly, 3), extraction),
    "extraction, Valkey killed": Fault(
        partial(now_and_then, lambda rig, rng: rig.restart("valkey", rng), 1), extraction
    ),
    "events 1-5 times in any order": Fault(lambda *_: nullcontext(), many_times_in_any_order),
    "events many times, SIGKILL at loader.committed": Fault(
        partial(at_point, "loader.committed", "kill"), many_times_in_any_order
    ),
    "events never published": Fault(lambda *_: nullcontext(), unheard),
    "work longer than visibility": Fault(slow_work),
    "worker killed": Fault(partial(now_and_then, lambda rig, rng: rig.signal_one(rng, signal.SIGKILL), 3)),
    "worker told to stop": Fault(partial(now_and_then, lambda rig, rng: rig.signal_one(rng, signal.SIGTERM), 3)),
    "worker paused past visibility": Fault(partial(now_and_then, paused, 1)),
    "AWS cut": Fault(partial(proxied, "aws", "cut")),
    "AWS answers 503": Fault(partial(proxied, "aws", "503")),
    "AWS answers end early": Fault(partial(proxied, "aws", "early")),
    **{
        f"S3 answers {code}": Fault(partial(proxied, "aws", code), no_attempts=True)
        for code in ("ExpiredToken", "RequestTimeout", "ThrottlingException", "SlowDown")
    },
    "S3 answers SlowDown for half an hour": Fault(partial(away, "aws", "SlowDown", HALF_AN_HOUR), no_attempts=True),
    "Postgres cut for half an hour": Fault(partial(away, "postgres", "cut", HALF_AN_HOUR), no_attempts=True),
    "Postgres silent for half an hour": Fault(partial(away, "postgres", "silent", HALF_AN_HOUR), no_attempts=True),
    "Postgres falls silent": Fault(falls_silent, no_attempts=True),
    "ledger locked": Fault(partial(locked, 15.0), no_attempts=True),
    "AWS slow": Fault(partial(proxied, "aws", "slow")),
    "AWS cut in mid-work": Fault(partial(now_and_then, cut_briefly, 3)),
    "AWS cut between commit and delete": Fault(cut_after_commit),
    "Postgres cut": Fault(partial(proxied, "postgres", "cut"), no_attempts=True),
    "Postgres cut in mid-work": Fault(partial(now_and_then, lambda rig, _: rig.postgres.set("pass"), 4)),
    "Postgres killed": Fault(partial(now_and_then, lambda rig, rng: rig.restart("postgres", rng), 1)),
    "Postgres connections terminated": Fault(partial(now_and_then, lambda rig, _: rig.administer(TERMINATE), 5)),
    "Postgres read-only": Fault(
        partial(
            database_with,
            ("alter role smelt set default_transaction_read_only = on",),
            ("alter role smelt reset default_transaction_read_only",),
        )
    ),
    "Postgres out of connections": Fault(
        partial(database_with, ("alter role smelt connection limit 1",), ("alter role smelt connection limit -1",))
    ),
    "Postgres serialisation failures": Fault(
        partial(
            database_with,
            ("alter role smelt set default_transaction_isolation = 'repeatable read'",),
            ("alter role smelt reset default_transaction_isolation",),
        ),
        many_times_in_any_order,
    ),
    "Postgres deadlocks": Fault(partial(now_and_then, deadlocked, 3), many_times_in_any_order),
    "Valkey flushed": Fault(partial(now_and_then, lambda rig, _: rig.redis.flushall(), 3)),
    "Valkey killed": Fault(partial(now_and_then, lambda rig, rng: rig.restart("valkey", rng), 1)),
    "old and new version at once": Fault(partial(odd_workers, "new-version", {})),
    **clock("+1h"),
    **clock("-1h"),
}
