"""The extractor: run command in, plan and page commands out; page command in, bronze page out."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import httpx
import orjson
import structlog

from services.extractor import bronze, plan
from services.extractor.fetch import Answer, RateLimitedError, client, fetch
from services.extractor.limit import RateLimit, connection_pool
from shared import objects, run_plan, telemetry
from shared.datasets import contract
from shared.datasets.contract import Request
from shared.engine import worker
from shared.engine.delivery import Handler
from shared.engine.message import Message
from shared.errors import TransientError
from shared.events import PageCommand, RunCommand, command
from shared.objects import ObjectId
from shared.run_plan import RunPlan
from shared.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

log = structlog.get_logger()

LARGEST_BATCH = 10  # messages, SQS's limit
LARGEST_PLAN = 16 << 20  # bytes


@dataclass(frozen=True)
class Extractor:
    """What the handler works with."""

    s3: "S3Client"
    sqs: "SQSClient"
    http: httpx.Client
    limit: RateLimit
    bucket: str
    queue_url: str

    def handle(self, message: Message) -> str:
        """Plan a run, or fetch a page."""
        match command(message.body):
            case RunCommand() as run:
                return self.plan(run, plan.run_id(run, message.id, message.sent))
            case PageCommand() as page:
                return self.page(page)

    def plan(self, run: RunCommand, run_id: str) -> str:
        """Store the plan, then send its pages. A command delivered twice sends the pages of the plan that is stored."""
        key = objects.plan_key(run.dataset, run_id)
        if objects.exists(self.s3, self.bucket, key):
            stored = objects.get(self.s3, ObjectId(self.bucket, key), LARGEST_PLAN)
            planned = run_plan.read(stored.body)
        else:
            planned = self._made_plan(run, run_id)
            objects.put(self.s3, self.bucket, key, planned.model_dump_json().encode(), "application/json")
        self._send(planned.commands())
        log.info("run.planned", run_id=run_id, dataset=run.dataset, pages=planned.pages, announced=planned.announced)
        return "planned"

    def page(self, page: PageCommand) -> str:
        """Fetch a page into bronze, unless it is there: a page of a run is fetched once."""
        key = objects.page_key(page.dataset, page.run_id, page.part, page.page)
        if objects.exists(self.s3, self.bucket, key):
            return "duplicate"
        request = contract.source(page.dataset).request(page.params, page.page)
        answer = self._fetch(page.dataset, request)
        body = bronze.envelope(page, request, answer, datetime.now(UTC))
        objects.put(self.s3, self.bucket, key, body, "application/gzip")
        log.info("bronze.written", dataset=page.dataset, key=key, run_id=page.run_id, bytes=len(body))
        return "fetched"

    def _made_plan(self, run: RunCommand, run_id: str) -> RunPlan:
        source = contract.source(run.dataset)
        made = source.plan(run.params, lambda request: orjson.loads(self._fetch(run.dataset, request).body))
        return RunPlan(
            run_id=run_id,
            dataset=run.dataset,
            params=run.params,
            trigger=run.trigger,
            announced=made.announced,
            parts=made.parts,
        )

    def _fetch(self, dataset: str, request: Request) -> Answer:
        self.limit.wait(dataset, contract.source(dataset).requests_per_second)
        try:
            with telemetry.tracer.start_as_current_span("extractor.fetch"):
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


def bootstrap(settings: Settings) -> Handler:
    """Compose the extractor: S3, SQS, Redis, HTTP; no database."""
    return Extractor(
        s3=boto3.client("s3"),
        sqs=worker.sqs_client(settings.receive_wait),
        http=client(),
        limit=RateLimit(connection_pool(settings.redis_url.get_secret_value())),
        bucket=settings.bucket,
        queue_url=settings.extract_queue_url,
    ).handle


if __name__ == "__main__":
    worker.run("extractor", bootstrap)
