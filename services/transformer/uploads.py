"""A transformer for uploads and replays, on a queue of its own (ADR 16)."""

from dataclasses import dataclass

from services.transformer.worker import Transformer, compose
from shared.config.settings import Settings
from shared.config.topology import SILVER
from shared.datasets import consistency
from shared.engine import worker
from shared.engine.backpressure import Backpressure
from shared.engine.consumer import Handler
from shared.engine.message import Message

# Messages that may wait for the loader before an upload does: what a run's page then has before it, a minute at most.
LIMITS = {SILVER: 100}


@dataclass(frozen=True)
class Uploads:
    """Refines like any transformer, but lets runs go first where the loader is what is slow."""

    pressure: Backpressure
    transformer: Transformer

    def handle(self, message: Message) -> str:
        """Refine every object that the event names, when there is room behind."""
        self.pressure.wait()
        return self.transformer.handle(message)


def bootstrap(settings: Settings) -> Handler:
    """Compose the handler: the transformer, and SQS to see what waits behind it."""
    limits = {settings.queue_url(queue): limit for queue, limit in LIMITS.items()}
    return Uploads(Backpressure(worker.sqs_client(settings.receive_wait_seconds), limits), compose(settings)).handle


if __name__ == "__main__":
    worker.run("uploads", bootstrap, consistency.check_all)
