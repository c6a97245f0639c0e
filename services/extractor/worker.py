"""The extractor: run command in, plan and page commands out; page command in, bronze page out."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import httpx
import structlog

from services.extractor import answers, page_envelope, pagination
from services.extractor import run_id as plan
from services.extractor.cache import AnswerCache
from services.extractor.fetch import Answer, RateLimitedError, client, fetch
from services.extractor.http_metrics import instrument
from services.extractor.rate_limit import RateLimit, connection_pool
from services.extractor.run_guard import RunGuard, without_placeholder
from shared import telemetry
from shared.config.settings import Settings
from shared.config.topology import BRONZE, SILVER
from shared.datasets import definition, registry
from shared.datasets.source import PageCounts, Params, Plan, Request, SequentialSource, Source, UnexpectedAnswerError
from shared.engine import worker
from shared.engine.backpressure import Backpressure
from shared.engine.consumer import Handler
from shared.engine.message import Message
from shared.errors import PermanentError, TransientError
from shared.formats import envelope, run_plan
from shared.formats.commands import PageCommand, RunCommand, command
from shared.formats.envelope import Envelope
from shared.formats.run_plan import RunPlan
from shared.storage import object_keys, objects
from shared.storage.object_id import ObjectId
from shared.telemetry import metrics

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

log = structlog.get_logger()

LARGEST_BATCH = 10  # messages, SQS's limit
LARGEST_PLAN = 16 << 20  # bytes
LARGEST_REJECTED = 1 << 20  # bytes kept of an answer that is not a page: enough to see what it is
PAUSE_WITHOUT_RETRY_AFTER_SECONDS = 1.0  # after a 429 that does not say how long to wait
# Messages that may wait before extraction pauses: at a page a second one transformer needs 500 s for them, and after
# 600 s somebody is told (services/ops/health/rules.py). A loader is faster.
LIMITS = {BRONZE: 500, SILVER: 500}


@dataclass(frozen=True)
class Extractor:
    """What the handler works with."""

    s3: "S3Client"
    sqs: "SQSClient"
    http: httpx.Client
    limit: RateLimit
    cache: AnswerCache
    slots: RunGuard
    pressure: Backpressure
    bucket: str
    queue_url: str
    largest: int  # bytes of an answer, and of a page in its envelope: what the transformer reads

    def handle(self, message: Message) -> str:
        """Plan a run, or fetch a page."""
        told = command(message.body)
        definition.refuse_changed(told.dataset)
        match told:
            case RunCommand():
                run = without_placeholder(told)
                return self.plan(run, plan.run_id(run, message.id, message.sent))
            case PageCommand() as page:
                return self.page(page)

    def plan(self, run: RunCommand, run_id: str) -> str:
        """Store the plan, then send its pages. A command delivered twice sends the pages of the plan that is stored."""
        telemetry.set_span_attributes(dataset=run.dataset, run_id=run_id)
        planned = self._stored_plan(run.dataset, run_id)
        if planned is None:
            planned = self._made_plan(run, run_id)
            key = object_keys.plan_key(run.dataset, run_id)
            objects.put(self.s3, self.bucket, key, planned.model_dump_json().encode(), "application/json")
        if planned.rejected_reason:
            log.warning(
                "run.refused", run_id=run_id, dataset=run.dataset, trigger=run.trigger, why=planned.rejected_reason
            )
            return "refused"
        pages = list(planned.commands())
        self.slots.begins(planned, pages)
        self._send(pages)
        log.info(
            "run.planned",
            run_id=run_id,
            dataset=run.dataset,
            pages=planned.pages,
            expected_records=planned.expected_records,
        )
        return "planned"

    def page(self, page: PageCommand) -> str:
        """Fetch a page into bronze, unless it is there: a page of a run is fetched once. Then send what it brings."""
        telemetry.set_span_attributes(dataset=page.dataset, run_id=page.run_id, part=page.part, page=page.page)
        source = registry.dataset(page.dataset).source
        stored = self._stored_page(source, page)
        known = stored is not None
        if stored is None:
            self.pressure.wait()
            stored = self._captured(source, page)
        of = self._pages_known(source, page, stored.payload, stored.counts(source))
        following = list(pagination.next_pages(source, page, stored, of))
        self._send(following)
        self.slots.fetched(page, following)
        return "duplicate" if known else "fetched"

    def _captured(self, source: Source, page: PageCommand) -> Envelope:
        """The page from the source, once it is in bronze."""
        params, before = self._params(source, page)
        fingerprints = (*before, pagination.fingerprint(params)) if isinstance(source, SequentialSource) else ()
        request = source.request(params, page.page)
        answer = self._fetch(page.dataset, request)
        came = self._checked(source, page, request, answer)
        of = self._pages_known(source, page, came.payload, came.counts)
        numbered = page.model_copy(update={"of": of})
        content = page_envelope.envelope(numbered, request, fingerprints, came, answer.headers, datetime.now(UTC))
        body, key = page_envelope.compressed(content, self.largest), _key(page)
        objects.put(self.s3, self.bucket, key, body, "application/gzip")
        log.info("bronze.written", dataset=page.dataset, key=key, run_id=page.run_id, bytes=len(body))
        return Envelope(fingerprints, came.status, came.payload)

    def _checked(self, source: Source, page: PageCommand, request: Request, answer: Answer) -> answers.Page:
        """The answer as a page. What is none is kept for inspection; asking again may help."""
        try:
            return answers.page(source, answer)
        except UnexpectedAnswerError as error:
            key = object_keys.rejected_response_key(page.dataset, page.run_id, page.part, page.page)
            objects.put(self.s3, self.bucket, key, answer.body[:LARGEST_REJECTED], "application/octet-stream")
            message = f"{request.url}: {answer.status}, but not a page: {error}; what came is at {key}"
            raise UnexpectedAnswerError(message) from error

    def _pages_known(self, source: Source, page: PageCommand, payload: object, counts: PageCounts) -> int:
        """The plan is read only where the page says that it is no longer right."""
        planned = page.of
        grown = counts.pages is not None and counts.pages > page.of
        if grown and (stored := self._stored_plan(page.dataset, page.run_id)) and page.part <= len(stored.parts):
            planned = stored.parts[page.part - 1].pages
        return pagination.pages_known(source, page, payload, counts, planned)

    def _params(self, source: Source, page: PageCommand) -> tuple[Params, tuple[str, ...]]:
        """What to ask for a page with, and the fingerprints of the requests before it."""
        if page.page == 1 or not isinstance(source, SequentialSource):
            return page.params, ()
        before = page.model_copy(update={"page": page.page - 1, "replaces": None})
        stored = self._stored_page(source, before)
        if stored is None:
            message = f"{_key(before)} is not there yet: it says how to ask for page {page.page}"
            raise TransientError(message)
        return pagination.params_after(source, before, stored), stored.fingerprints

    def _stored_page(self, source: Source, page: PageCommand) -> Envelope | None:
        """What bronze has of the page, unless it is to be replaced. Raises PermanentError for what cannot be read."""
        stored = objects.newest(self.s3, self.bucket, _key(page))
        if stored is None or page.replaces in {stored.version_id, stored.etag} - {None}:
            return None
        try:
            found = envelope.read(objects.get(self.s3, stored, self.largest).body, self.largest)
            found.counts(source)
        except (PermanentError, UnexpectedAnswerError) as error:
            message = f"{stored.key}: {error}; `smelt reconcile --repair` fetches it anew"
            raise PermanentError(message) from error
        return found

    def _stored_plan(self, dataset: str, run_id: str) -> RunPlan | None:
        key = object_keys.plan_key(dataset, run_id)
        if not objects.exists(self.s3, self.bucket, key):
            return None
        return run_plan.read(objects.get(self.s3, ObjectId(self.bucket, key), LARGEST_PLAN).body)

    def _made_plan(self, run: RunCommand, run_id: str) -> RunPlan:
        """What to fetch, or nothing and why: by the plan of a refused run the ledger learns of it."""
        refused = self.slots.refusal(run, run_id)
        made = Plan(parts=(), expected_records=0) if refused else self._divided(run)
        return RunPlan(
            run_id=run_id,
            dataset=run.dataset,
            params=run.params,
            trigger=run.trigger,
            expected_records=made.expected_records,
            parts=made.parts,
            scheduled_for=plan.slot_time(run.scheduled_for) if run.scheduled_for else None,
            rejected_reason=refused,
        )

    def _divided(self, run: RunCommand) -> Plan:
        source = registry.dataset(run.dataset).source
        fresh: list[tuple[Request, bytes]] = []

        def look(request: Request) -> object:
            text = self.cache.get(request)
            if text is None:
                text = answers.json_text(self._fetch(run.dataset, request))
                if request.keep_for:
                    fresh.append((request, text))
            return answers.parsed(text)

        made = source.plan(run.params, look)
        for request, text in fresh:  # only what the source could plan with
            self.cache.put(request, text)
        return made

    def _fetch(self, dataset: str, request: Request) -> Answer:
        began = time.monotonic()
        self.limit.wait(dataset, registry.dataset(dataset).source.requests_per_second)
        metrics.API_WAIT.record(time.monotonic() - began, {"dataset": dataset})
        try:
            with telemetry.span("extractor.fetch", dataset=dataset):
                return fetch(self.http, request, self.largest)
        except TransientError as error:
            if error.after or isinstance(error, RateLimitedError):
                self.limit.hold(dataset, error.after or PAUSE_WITHOUT_RETRY_AFTER_SECONDS)
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
    return object_keys.page_key(page.dataset, page.run_id, page.part, page.page)


def bootstrap(settings: Settings) -> Handler:
    """Compose the extractor: S3, SQS, Redis, HTTP; no database."""
    redis, sqs = (
        connection_pool(settings.redis_url.get_secret_value()),
        worker.sqs_client(settings.receive_wait_seconds),
    )
    return Extractor(
        s3=boto3.client("s3"),
        sqs=sqs,
        http=instrument(client()),
        limit=RateLimit(redis),
        cache=AnswerCache(redis),
        slots=RunGuard(redis),
        pressure=Backpressure(sqs, {settings.queue_url(queue): limit for queue, limit in LIMITS.items()}),
        bucket=settings.bucket,
        queue_url=settings.extract_queue_url,
        largest=settings.max_document_mib << 20,
    ).handle


if __name__ == "__main__":
    worker.run("extractor", bootstrap)
