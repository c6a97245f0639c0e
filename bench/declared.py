"""What a dataset that is declared in a contract costs beside the same one written by hand: from a record to its rows.

The rest of the way (parsing, checks, Parquet, loading) is the same for both.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import orjson

from bench.contenders import hand_written
from bench.workload import DATASET, simulated_pages
from shared.datasets import registry
from shared.datasets.dataset import Row

ROUNDS = 15


@dataclass(frozen=True)
class DeclaredCost:
    """CPU microseconds a record."""

    declared: float
    hand_written: float

    @property
    def ratio(self) -> float:
        """Above 1 where the declared dataset costs more."""
        return self.declared / self.hand_written


def measure(records: int) -> DeclaredCost:
    """In turn, so that what disturbs one disturbs the other. Raises ValueError if the rows differ."""
    dataset = registry.dataset(DATASET)
    postings = [orjson.loads(posting) for page in simulated_pages(records) for posting in page]
    ways: tuple[Callable[[Any], Row], ...] = (
        lambda posting: dataset.normalise(dataset.record_model.model_validate(posting)),
        lambda posting: hand_written.rows(hand_written.Record.model_validate(posting)),
    )
    if [ways[0](posting) for posting in postings] != [ways[1](posting) for posting in postings]:
        message = "the declared dataset and the hand-written one make different rows"
        raise ValueError(message)
    times = [[_cpu(way, postings) for way in ways] for _ in range(ROUNDS)]
    return DeclaredCost(*(median(times_of) / len(postings) * 1e6 for times_of in zip(*times, strict=True)))


def _cpu(way: Callable[[Any], Row], postings: Sequence[Any]) -> float:
    started = time.process_time()
    for posting in postings:
        way(posting)
    return time.process_time() - started
