"""Runs a service as a Celery worker on its queue."""

import functools
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import boto3
import celery
import structlog
from botocore.config import Config
from celery.platforms import SecurityWarning
from celery.signals import (
    setup_logging,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)

from shared import telemetry
from shared.config.settings import Settings, load_settings
from shared.config.topology import Queue, queue_of
from shared.engine import probes as aws_probes
from shared.engine.availability import Availability, Probe
from shared.engine.child_watch import ChildWatch
from shared.engine.consumer import Handler, MessageContext, process_message
from shared.engine.gc_tuning import tune_gc
from shared.engine.message import Message
from shared.engine.pending_retries import PendingRetryStore
from shared.engine.preflight import check_queue
from shared.engine.transport import TASK, Transport
from shared.engine.worker_status import WorkerReporter
from shared.errors import Part, PermanentError
from shared.version import VERSION

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

log = structlog.get_logger()

Bootstrap = Callable[[Settings], Handler]
Check = Callable[[Settings], None]
Probes = Callable[[Settings], Mapping[Part, Probe]]

HARD_LIMIT_MARGIN = 30  # s between the soft limit, which raises an exception, and the hard one, which kills

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
    "worker_lost_wait": 1.0,  # s to wait for the result of a dead child, which carries no information
}


def run(service: str, bootstrap: Bootstrap, check: Check = lambda _: None, probes: Probes = lambda _: {}) -> NoReturn:
    """Consume the service's queue until told to stop, then exit the process.

    `bootstrap` composes the handler from the settings without I/O; it is called once in each child, after the fork.
    `check` is called before anything starts; its PermanentError is printed as one line, with exit code 1. `probes` test
    the parts that this service needs besides S3 and SQS.
    """
    try:
        serve(load_settings(), queue_of(service), bootstrap, check, probes)
    except PermanentError as error:
        sys.exit(f"smelt: {error}")


def serve(
    settings: Settings,
    queue: Queue,
    bootstrap: Bootstrap,
    check: Check = lambda _: None,
    probes: Probes = lambda _: {},
) -> NoReturn:
    """Consume a given queue. Raises PermanentError if a check fails, or if its children could not work."""
    telemetry.configure(queue.service, settings.log_level)
    check_queue(sqs_client(settings.receive_wait_seconds), settings.queue_url(queue), queue)
    check(settings)
    setup_logging.connect(lambda **_: None, weak=False)  # a receiver stops Celery from configuring logging
    warnings.simplefilter("ignore", SecurityWarning)  # about running as root with pickle; only JSON is accepted
    availability = Availability(
        {**aws_probes.s3_and_sqs(settings.bucket, settings.queue_url(queue)), **probes(settings)}
    )
    worker = application(settings, queue, bootstrap, availability).Worker(
        pool=settings.pool,
        concurrency=settings.concurrency,
        max_tasks_per_child=settings.max_tasks_per_child,
        max_memory_per_child=settings.max_memory_per_child_mib * 1024,  # Celery counts KiB, the setting MiB
        hostname=f"{queue.service}@%h",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )
    worker_shutting_down.connect(functools.partial(_bound_the_stop, settings.stop_timeout_seconds), weak=False)
    if settings.pool == "prefork":
        _check_no_polars_threads()
        children = ChildWatch()
        worker_process_init.connect(lambda **_: children.start_in_child(), weak=False)
        children.start_in_parent()
    log.info("worker.started", version=VERSION)
    worker.start()
    sys.exit(worker.exitcode)


def _check_no_polars_threads() -> None:
    """The threads of polars, which its first query starts, do not survive a fork: a child's queries would never end."""
    if any(re.match(r"polars-\d", name) for name in _thread_names()):
        line = "a dataset's module ran a query of polars while it was imported; run it in a function"
        raise PermanentError(line)


def _thread_names() -> Iterator[str]:
    """Of this process, also of threads that no Python code started; none where there is no /proc."""
    for task in Path("/proc/self/task").glob("*"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            yield (task / "comm").read_text()


def _bound_the_stop(seconds: int, **_: Any) -> None:
    """Start Celery's cold shutdown after this time: it ends the children, and their messages become visible again."""
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGQUIT))
    timer.daemon = True
    timer.start()


def application(settings: Settings, queue: Queue, bootstrap: Bootstrap, availability: Availability) -> celery.Celery:
    """The Celery application with one task, which passes each message to the service's handler."""
    app = celery.Celery(queue.service, set_as_current=True)
    limits = {"soft_time_limit": queue.time_limit, "time_limit": queue.time_limit + HARD_LIMIT_MARGIN}
    app.conf.update(
        CELERY_SETTINGS,
        task_queues={queue.name: {"exchange": "", "routing_key": queue.name}},
        task_default_queue=queue.name,
        broker_transport_options={
            "sqs": sqs_client(settings.receive_wait_seconds),
            "queue_url": settings.queue_url(queue),
            "receive_wait": settings.receive_wait_seconds,
            "liveness_file": settings.liveness_file,
            "longest_task": limits["time_limit"],
            "availability": availability,
        },
    )

    @functools.cache
    def components() -> tuple[MessageContext, Handler]:
        redis_url = settings.redis_url.get_secret_value()
        pending_retries, reporter = (
            PendingRetryStore(redis_url),
            WorkerReporter(redis_url, queue.service, availability.outage),
        )
        sqs, own = sqs_client(settings.receive_wait_seconds), settings.pool == "prefork"
        context = MessageContext(sqs, queue, pending_retries, reporter, availability, own_process=own)
        handle = bootstrap(settings)
        reporter.start()
        tune_gc()
        return context, handle

    @worker_process_init.connect(weak=False)  # type: ignore[untyped-decorator]
    def _(**_: Any) -> None:
        telemetry.configure(queue.service, settings.log_level)
        components()

    def leave(**_: Any) -> None:
        if components.cache_info().currsize:
            components()[0].reporter.stop()

    worker_process_shutdown.connect(leave, weak=False)
    if settings.pool == "threads":  # the main process handles the messages
        worker_ready.connect(lambda **_: components(), weak=False)
        worker_shutdown.connect(leave, weak=False)

    @app.task(name=TASK, **limits)  # type: ignore[untyped-decorator]
    def _(message: dict[str, Any]) -> None:
        context, handle = components()
        process_message(context, Message(**message), handle)

    return app


def sqs_client(receive_wait: int) -> "SQSClient":
    """A client whose read timeout exceeds a long poll. Its own retries cover brief faults."""
    config = Config(
        connect_timeout=5, read_timeout=receive_wait + 10, retries={"mode": "standard", "total_max_attempts": 3}
    )
    return boto3.client("sqs", config=config)
