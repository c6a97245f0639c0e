"""A simulation of queues and of the tasks behind them, as infra/terraform scales them. Seconds; seeded, deterministic.

Time goes in steps of a second. Messages wait in line, each task takes one at a time, service times vary. Each
minute the alarms of scaling.tf look at the minute before and start or stop tasks.
"""

import heapq
import math
import random
import re
from collections import deque
from dataclasses import dataclass, field

MINUTE, HOUR, DAY = 60, 3_600, 86_400
VARIATION = 4.0  # shape of the gamma distribution of service times: a standard deviation of half the mean
STARTING = 90  # s from the alarm to a task that works: Fargate pulls an image and starts Python
DELAY = 60  # s that a metric is late
OUT_COOLDOWN, AGE_COOLDOWN, IN_COOLDOWN = 120, 180, 300
AGE_MINUTES, IN_MINUTES = 3, 10  # in a row before the alarm fires


@dataclass(frozen=True)
class Scaling:
    """What workers.tf says of a service."""

    cpu: float  # virtual processors of a task
    memory: float  # GiB of a task
    least: int
    most: int
    backlog_per_task: int
    oldest: float


@dataclass(frozen=True)
class Stage:
    """A service in a simulation: a message takes `cpu` s of a virtual processor and `wait` s of waiting for others."""

    scaling: Scaling
    cpu: float
    wait: float
    together: float = math.inf  # processors that all tasks share besides their own (Postgres)
    shared_cpu: float = 0.0  # s of those that a message takes

    def seconds(self, tasks: int) -> float:
        """Mean service time of a message while so many are in work."""
        alone = self.cpu / min(1.0, self.scaling.cpu) + self.wait + self.shared_cpu
        return max(alone, tasks * self.shared_cpu / self.together)


@dataclass
class Seen:
    """What happened at a stage."""

    waited: list[float] = field(default_factory=list)  # of each message, until a task took it
    deepest: int = 0
    most_tasks: int = 0
    task_seconds: float = 0.0
    done: list[int] = field(default_factory=list)  # messages by second
    finished_at: int = 0

    def wait(self, quantile: float) -> float:
        """Seconds that this share of messages did not wait longer than."""
        ordered = sorted(self.waited)
        return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))] if ordered else 0.0


class Tasks:
    """How many run, as the alarms of scaling.tf have it."""

    def __init__(self, scaling: Scaling) -> None:
        self.running, self._scaling = scaling.least, scaling
        self._changes: list[tuple[int, int]] = []  # (when, how many more)
        self._minute: list[tuple[int, int, int]] = []  # (waiting, age, in flight) of each second
        self._old_minutes = self._idle_minutes = 0
        self._rest = {"backlog": 0, "age": 0, "load": 0}  # when each policy may act again

    def look(self, now: int, waiting: int, age: int, in_flight: int) -> None:
        """Note how it is, and once a minute decide."""
        while self._changes and self._changes[0][0] <= now:
            _, change = heapq.heappop(self._changes)
            self.running = min(max(self.running + change, self._scaling.least), self._scaling.most)
        self._minute.append((waiting, age, in_flight))
        if len(self._minute) == MINUTE:
            highest = [max(values) for values in zip(*self._minute, strict=True)]
            self._minute.clear()
            self._decide(now, *highest)

    def _decide(self, now: int, waiting: int, age: int, in_flight: int) -> None:
        wanted = self._scaling.backlog_per_task
        backlog = max(waiting, wanted) if not self.running and waiting else waiting / max(1, self.running)
        self._old_minutes = self._old_minutes + 1 if waiting and age >= self._scaling.oldest else 0
        load = (waiting + in_flight) / max(1, self.running) if self.running else 1.0
        self._idle_minutes = self._idle_minutes + 1 if load < 1 / 2 else 0
        if backlog >= wanted:
            self._act("backlog", now, self._step(backlog - wanted), OUT_COOLDOWN)
        if self._old_minutes >= AGE_MINUTES:
            self._act("age", now, 1, AGE_COOLDOWN)
        if self._idle_minutes >= IN_MINUTES:
            self._act("load", now, -self._scaling.most if load < 1 / 100 else -1, IN_COOLDOWN)

    def _step(self, beyond: float) -> int:
        wanted, most = self._scaling.backlog_per_task, self._scaling.most
        if beyond < 3 * wanted:
            return 1
        return math.ceil(most / 4) if beyond < 15 * wanted else most

    def _act(self, policy: str, now: int, change: int, cooldown: int) -> None:
        if now >= self._rest[policy]:
            self._rest[policy] = now + cooldown
            heapq.heappush(self._changes, (now + DELAY + (STARTING if change > 0 else 0), change))


def scaling_of(text: str) -> dict[str, Scaling]:
    """{service: its scaling}, read from workers.tf."""
    found = {}
    for service, block in re.findall(r"(\w+) = optional\(object\(\{(.*?)\}\), \{\}\)", text, re.DOTALL):
        values = {name: float(value) for name, value in re.findall(r"(\w+)\s*= optional\(number, (\d+)\)", block)}
        found[service] = Scaling(
            cpu=values["cpu"] / 1024,
            memory=values["memory"] / 1024,
            least=int(values["least"]),
            most=int(values["most"]),
            backlog_per_task=int(values["backlog_per_task"]),
            oldest=values["oldest"],
        )
    return found


def simulate(stage: Stage, arrivals: list[int], seed: int) -> Seen:
    """Messages by second, through one stage, until the last one is done; `done` are the arrivals of the next stage."""
    chance, seen = random.Random(seed), Seen()  # noqa: S311 - a simulation
    waiting: deque[int] = deque()
    busy: list[float] = []
    tasks = Tasks(stage.scaling)
    now = 0
    while now < len(arrivals) or waiting or busy:
        waiting.extend([now] * (arrivals[now] if now < len(arrivals) else 0))
        finished = _finished(busy, now)
        seen.done.append(finished)
        while waiting and len(busy) < tasks.running:
            seen.waited.append(now - waiting.popleft())
            mean = stage.seconds(len(busy) + 1)
            heapq.heappush(busy, now + chance.gammavariate(VARIATION, mean / VARIATION))
        seen.deepest, seen.most_tasks = max(seen.deepest, len(waiting)), max(seen.most_tasks, tasks.running)
        seen.task_seconds += tasks.running
        tasks.look(now, len(waiting), now - waiting[0] if waiting else 0, len(busy))
        now += 1
    seen.finished_at = now
    return seen


def _finished(busy: list[float], now: int) -> int:
    count = 0
    while busy and busy[0] <= now:
        heapq.heappop(busy)
        count += 1
    return count


def daily(messages: int, peak: float, seed: int) -> list[int]:
    """Arrivals of a day by second, at random, following the sun: at its peak so many times the average."""
    chance = random.Random(seed)  # noqa: S311 - a simulation
    sharpness = _sharpness(peak)
    weights = [math.exp(sharpness * math.cos(2 * math.pi * (hour / 24 - 0.5))) for hour in range(24)]
    arrivals = [0] * DAY
    for hour in chance.choices(range(24), weights, k=messages):
        arrivals[hour * HOUR + chance.randrange(HOUR)] += 1
    return arrivals


def burst(messages: int, a_second: int) -> list[int]:
    """All at the rate that a source allows."""
    whole, rest = divmod(messages, a_second)
    return [a_second] * whole + ([rest] if rest else [])


def _sharpness(peak: float) -> float:
    """Of a von Mises distribution whose highest density is so many times the average."""
    low, high = 0.0, 50.0
    for _ in range(60):
        middle = (low + high) / 2
        average = sum(math.exp(middle * math.cos(2 * math.pi * hour / 24)) for hour in range(24)) / 24
        low, high = (middle, high) if math.exp(middle) / average < peak else (low, middle)
    return low
