"""Runs a service: a Celery worker on the service's queue."""

import functools
import sys
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import boto3
import celery
from botocore.config import Config
from celery.platforms import SecurityWarning
from celery.signals import worker_process_init

from shared import telemetry
from shared.engine.delivery import Delivery, Handler, deliver
from shared.engine.message import Message
from shared.engine.transport import TASK, Transport
from shared.engine.trouble import TroubleBoard
from shared.errors import PermanentError
from shared.settings import Settings, load_settings
from shared.topology import Queue, queue_of

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

SOFT_STOP = 60  # s that a stop waits for work under way before giving it back; with a poll of 20 s below ECS's 120 s
HARD_LIMIT_MARGIN = 30  # s from the soft time limit, which leaves a reason, to the hard one, which kills

CELERY_SETTINGS = {
    "broker_url": "sqs://",
    "broker_transport": Transport,
    "broker_connection_retry_on_startup": True,
    "task_serializer": "json",
    "accept_content": ["json"],
    "task_acks_late": True,
    "task_acks_on_failure": False,
    "task_acks_on_timeout": False,
    "task_reject_on_worker_lost": True,
    "task_ignore_result": True,
    "task_create_missing_queues": False,
    "worker_prefetch_multiplier": 1,
    "worker_enable_remote_control": False,
    "worker_send_task_events": False,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "worker_soft_shutdown_timeout": SOFT_STOP,
}


def run(service: str, bootstrap: Callable[[Settings], Handler]) -> None:
    """Consume the service's queue until told to stop (SIGTERM: finish or give back), then exit the process.

    `bootstrap` composes the handler from the settings; it is called once in each working process, after the fork.
    """
    try:
        settings = load_settings()
    except PermanentError as error:
        sys.exit(f"smelt: {error}")
    queue = queue_of(service)
    telemetry.configure(service, settings.log_level)
    warnings.simplefilter("ignore", SecurityWarning)  # of running as root: it is about pickle, and we take only JSON
    worker = application(settings, queue, bootstrap).Worker(
        pool="prefork",
        concurrency=settings.concurrency,
        hostname=f"{service}@%h",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
        loglevel="WARNING",
    )
    worker.start()
    sys.exit(worker.exitcode)


def application(settings: Settings, queue: Queue, bootstrap: Callable[[Settings], Handler]) -> celery.Celery:
    """The Celery application with its one task, which delivers whatever arrives to the service's handler."""
    app = celery.Celery(queue.service, set_as_current=True)
    app.conf.update(
        CELERY_SETTINGS,
        task_queues={queue.name: {"exchange": "", "routing_key": queue.name}},
        task_default_queue=queue.name,
        broker_transport_options={
            "sqs": sqs_client(settings.receive_wait),
            "queue_url": settings.queue_url(queue),
            "receive_wait": settings.receive_wait,
            "liveness_file": settings.liveness_file,
        },
    )

    @functools.cache
    def composed() -> tuple[Delivery, Handler]:
        board = TroubleBoard(settings.redis_url.get_secret_value())
        return Delivery(sqs_client(settings.receive_wait), queue, board), bootstrap(settings)

    @worker_process_init.connect(weak=False)  # type: ignore[untyped-decorator]
    def _(**_: Any) -> None:
        telemetry.configure(queue.service, settings.log_level)
        composed()

    limits = {"soft_time_limit": queue.time_limit, "time_limit": queue.time_limit + HARD_LIMIT_MARGIN}

    @app.task(name=TASK, **limits)  # type: ignore[untyped-decorator]
    def _(message: dict[str, Any]) -> None:
        delivery, handle = composed()
        deliver(delivery, Message(**message), handle)

    return app


def sqs_client(receive_wait: int) -> "SQSClient":
    """A client whose read timeout outlives a long poll. Its own retries cover a passing fault."""
    config = Config(
        connect_timeout=5, read_timeout=receive_wait + 10, retries={"mode": "standard", "total_max_attempts": 3}
    )
    return boto3.client("sqs", config=config)
