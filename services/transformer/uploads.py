"""The transformer for uploads and replays, on a queue of its own (ADR 16)."""

from dataclasses import dataclass

from services.transformer.worker import Transformer, compose
from shared.config.settings import Settings
from shared.config.topology import SILVER
from shared.datasets import consistency
from shared.engine import worker
from shared.engine.backpressure import Backpressure
from shared.engine.consumer import Handler
from shared.engine.message import Message

# Uploads wait while more messages than this wait for the loader, so that a run's page is delayed by at most a minute.
LIMITS = {SILVER: 100}


@dataclass(frozen=True)
class Uploads:
    """A transformer that gives way to runs while the loader is behind."""

    pressure: Backpressure
    transformer: Transformer

    def handle(self, message: Message) -> str:
        """Transform every object that the event names, once the loader has caught up."""
        self.pressure.wait()
        return self.transformer.handle(message)


def bootstrap(settings: Settings) -> Handler:
    """Compose the transformer with backpressure from the loader's queue."""
    limits = {settings.queue_url(queue): limit for queue, limit in LIMITS.items()}
    return Uploads(Backpressure(worker.sqs_client(settings.receive_wait_seconds), limits), compose(settings)).handle


if __name__ == "__main__":
    worker.run("uploads", bootstrap, consistency.check_all)
