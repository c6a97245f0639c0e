"""The queues' and workers' pulse: looks one after another, so that there are rates, and the last minutes to plot."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event, Lock, Thread
from typing import Final

from services.ops.console.gauge import Known, Unknown
from services.ops.console.plots import SPAN, Sample
from services.ops.flow import Flow, flows
from services.ops.measure import Look
from shared.topology import QUEUES

WINDOW: Final = 5  # looks that rates are measured over, so that one odd second does not shake them
EVERY: Final = 5.0  # s between two looks while nobody watches: about $1.40 a month of requests to SQS
MOST: Final = int(SPAN.total_seconds())  # samples kept of a queue; a watched console looks once a second at most


@dataclass(frozen=True)
class Depth:
    """Messages of a queue, all of them known: waiting, being worked on, delayed, and dead letters."""

    name: str
    visible: int
    in_flight: int
    delayed: int
    dead: int

    @property
    def busy(self) -> bool:
        """Whether anything is still on its way (dead letters are not)."""
        return bool(self.visible or self.in_flight or self.delayed)


@dataclass(frozen=True)
class Beat:
    """A look, the one that rates are measured from, what both say of the queues, and when it was."""

    at: datetime
    look: Look
    earlier: Look | None
    flows: tuple[Flow, ...]


class Pulse:
    """Remembers looks; call it from any thread. `ages` gives how long the oldest messages have waited."""

    def __init__(self, look: Callable[[], Look], ages: Callable[[], Mapping[str, float]]) -> None:
        self._look, self._ages = look, ages
        self._looks: deque[Look] = deque(maxlen=WINDOW)
        self._samples: Mapping[str, deque[Sample]] = {queue.name: deque(maxlen=MOST) for queue in QUEUES}
        self._lock = Lock()

    def beat(self) -> Beat:
        """A new look."""
        look, ages, at = self._look(), self._ages(), datetime.now(UTC)
        with self._lock:
            earlier = self._looks[0] if self._looks else None
            self._looks.append(look)
            found = tuple(flows(earlier, look, ages))
            for flow in found:
                self._samples[flow.queue].append(Sample(at, depth(flow), flow.oldest, flow.rate_out))
        return Beat(at, look, earlier, found)

    def history(self) -> Mapping[str, tuple[Sample, ...]]:
        """What was seen of each queue, the oldest first."""
        with self._lock:
            return {name: tuple(samples) for name, samples in self._samples.items()}


class Metronome:
    """Beats also while nobody watches, until it is stopped."""

    def __init__(self, beat: Callable[[], object]) -> None:
        self._beat, self._over = beat, Event()

    def start(self) -> None:
        """In the background."""
        Thread(target=self._run, name="metronome", daemon=True).start()

    def stop(self) -> None:
        """No further beat."""
        self._over.set()

    def _run(self) -> None:
        while not self._over.wait(EVERY):
            self._beat()


def depth(flow: Flow) -> int | None:
    """All messages of a queue, visible or not."""
    counts = (flow.visible, flow.in_flight, flow.delayed)
    return None if None in counts else sum(count or 0 for count in counts)


def depths(beat: Known[Beat] | Unknown) -> Known[list[Depth]] | Unknown:
    """All queues, or why not all of them are known."""
    if isinstance(beat, Unknown):
        return beat
    found = [_depth(flow) for flow in beat.value.flows]
    known = [one for one in found if one]
    if len(known) < len(found):
        return Unknown(next((why for why in beat.value.look.problems if why.startswith("SQS")), "no answer"))
    return Known(known, beat.at)


def _depth(flow: Flow) -> Depth | None:
    if flow.visible is None or flow.in_flight is None or flow.delayed is None or flow.dead is None:
        return None
    return Depth(flow.queue, flow.visible, flow.in_flight, flow.delayed, flow.dead)
