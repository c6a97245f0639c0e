"""The extractor: run command in, plan and page commands out; page command in, bronze page out."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import httpx
import structlog

from services.extractor import bronze, plan, sequence
from services.extractor.cache import AnswerCache
from services.extractor.counting import counted
from services.extractor.fetch import LARGEST_RESPONSE, Answer, RateLimitedError, client, fetch
from services.extractor.limit import RateLimit, connection_pool
from services.extractor.slot import Slots, understood
from shared import lenient_json, objects, run_plan, telemetry
from shared.datasets import contract
from shared.datasets.contract import Params, Plan, Request, SequentialSource, Source
from shared.engine import worker
from shared.engine.delivery import Handler
from shared.engine.message import Message
from shared.engine.pressure import Pressure
from shared.errors import TransientError
from shared.events import PageCommand, RunCommand, command
from shared.objects import ObjectId
from shared.run_plan import RunPlan
from shared.settings import Settings
from shared.telemetry import metrics
from shared.topology import BRONZE, SILVER

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

log = structlog.get_logger()

LARGEST_BATCH = 10  # messages, SQS's limit
LARGEST_PLAN = 16 << 20  # bytes
# Messages that may wait before extraction pauses: at a page a second one transformer needs 500 s for them, and after
# 600 s somebody is told (services/ops/alerts.py). A loader is faster.
LIMITS = {BRONZE: 500, SILVER: 500}


@dataclass(frozen=True)
class Extractor:
    """What the handler works with."""

    s3: "S3Client"
    sqs: "SQSClient"
    http: httpx.Client
    limit: RateLimit
    cache: AnswerCache
    slots: Slots
    pressure: Pressure
    bucket: str
    queue_url: str

    def handle(self, message: Message) -> str:
        """Plan a run, or fetch a page."""
        match command(message.body):
            case RunCommand() as told:
                run = understood(told)
                return self.plan(run, plan.run_id(run, message.id, message.sent))
            case PageCommand() as page:
                return self.page(page)

    def plan(self, run: RunCommand, run_id: str) -> str:
        """Store the plan, then send its pages. A command delivered twice sends the pages of the plan that is stored."""
        telemetry.note(dataset=run.dataset, run_id=run_id)
        key = objects.plan_key(run.dataset, run_id)
        if objects.exists(self.s3, self.bucket, key):
            stored = objects.get(self.s3, ObjectId(self.bucket, key), LARGEST_PLAN)
            planned = run_plan.read(stored.body)
        else:
            planned = self._made_plan(run, run_id)
            objects.put(self.s3, self.bucket, key, planned.model_dump_json().encode(), "application/json")
        if planned.refused:
            log.warning("run.refused", run_id=run_id, dataset=run.dataset, trigger=run.trigger, why=planned.refused)
            return "refused"
        pages = list(planned.commands())
        self.slots.begins(planned, pages)
        self._send(pages)
        log.info("run.planned", run_id=run_id, dataset=run.dataset, pages=planned.pages, announced=planned.announced)
        return "planned"

    def page(self, page: PageCommand) -> str:
        """Fetch a page into bronze, unless it is there: a page of a run is fetched once. Then send what it brings."""
        telemetry.note(dataset=page.dataset, run_id=page.run_id, part=page.part, page=page.page)
        source, key = contract.source(page.dataset), _key(page)
        known = objects.exists(self.s3, self.bucket, key)
        if not known:
            self.pressure.wait()
            self._capture(source, page, key)
        following: list[PageCommand] = []
        if isinstance(source, SequentialSource):
            following += sequence.next_pages(source, page, self._payload(key))
            self._send(following)
        self.slots.fetched(page, following)
        return "duplicate" if known else "fetched"

    def _capture(self, source: Source, page: PageCommand, key: str) -> None:
        request = source.request(self._params(source, page), page.page)
        answer = self._fetch(page.dataset, request)
        of = sequence.pages_known(source, page, lenient_json.loads(answer.body))
        body = bronze.envelope(page.model_copy(update={"of": of}), request, answer, datetime.now(UTC))
        objects.put(self.s3, self.bucket, key, body, "application/gzip")
        log.info("bronze.written", dataset=page.dataset, key=key, run_id=page.run_id, bytes=len(body))

    def _params(self, source: Source, page: PageCommand) -> Params:
        if page.page == 1 or not isinstance(source, SequentialSource):
            return page.params
        before = _key(page.model_copy(update={"page": page.page - 1}))
        if not objects.exists(self.s3, self.bucket, before):
            message = f"{before} is not there yet: it says how to ask for page {page.page}"
            raise TransientError(message)
        return sequence.params_after(source, page, self._payload(before))

    def _payload(self, key: str) -> object:
        """Of a page in bronze."""
        stored = objects.get(self.s3, ObjectId(self.bucket, key), LARGEST_RESPONSE)
        return bronze.payload(stored.body)

    def _made_plan(self, run: RunCommand, run_id: str) -> RunPlan:
        """What to fetch, or nothing and why: by the plan of a refused run the ledger learns of it."""
        refused = self.slots.refusal(run, run_id)
        made = Plan(parts=(), announced=0) if refused else self._divided(run)
        return RunPlan(
            run_id=run_id,
            dataset=run.dataset,
            params=run.params,
            trigger=run.trigger,
            announced=made.announced,
            parts=made.parts,
            slot=plan.slot_time(run.slot) if run.slot else None,
            refused=refused,
        )

    def _divided(self, run: RunCommand) -> Plan:
        source = contract.source(run.dataset)

        def look(request: Request) -> object:
            return lenient_json.loads(self.cache.body(request, lambda: self._fetch(run.dataset, request).body))

        return source.plan(run.params, look)

    def _fetch(self, dataset: str, request: Request) -> Answer:
        began = time.monotonic()
        self.limit.wait(dataset, contract.source(dataset).requests_per_second)
        metrics.API_WAIT.record(time.monotonic() - began, {"dataset": dataset})
        try:
            with telemetry.span("extractor.fetch", dataset=dataset):
                return fetch(self.http, request)
        except RateLimitedError as error:
            self.limit.hold(dataset, error.after or 1.0)
            raise

    def _send(self, pages: Iterable[PageCommand]) -> None:
        carrier = telemetry.carrier()
        commands = list(pages)
        for start in range(0, len(commands), LARGEST_BATCH):
            answer = self.sqs.send_message_batch(
                QueueUrl=self.queue_url,
                Entries=[
                    {
                        "Id": str(number),
                        "MessageBody": page.model_dump_json(),
                        "MessageAttributes": {
                            name: {"DataType": "String", "StringValue": value} for name, value in carrier.items()
                        },
                    }
                    for number, page in enumerate(commands[start : start + LARGEST_BATCH])
                ],
            )
            if refused := answer.get("Failed"):
                message = f"SQS took only a part of the page commands: {refused[0].get('Message', '')}"
                raise TransientError(message)


def _key(page: PageCommand) -> str:
    return objects.page_key(page.dataset, page.run_id, page.part, page.page)


def bootstrap(settings: Settings) -> Handler:
    """Compose the extractor: S3, SQS, Redis, HTTP; no database."""
    redis, sqs = connection_pool(settings.redis_url.get_secret_value()), worker.sqs_client(settings.receive_wait)
    return Extractor(
        s3=boto3.client("s3"),
        sqs=sqs,
        http=counted(client()),
        limit=RateLimit(redis),
        cache=AnswerCache(redis),
        slots=Slots(redis),
        pressure=Pressure(sqs, {settings.queue_url(queue): limit for queue, limit in LIMITS.items()}),
        bucket=settings.bucket,
        queue_url=settings.extract_queue_url,
    ).handle


if __name__ == "__main__":
    worker.run("extractor", bootstrap)
