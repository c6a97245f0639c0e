"""The extractor: turns run commands into a plan and page commands, and page commands into bronze pages."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import httpx
import structlog

from services.extractor import page_envelope, pagination, responses, run_ids
from services.extractor.cache import ResponseCache
from services.extractor.fetch import RateLimitedError, Response, client, fetch
from services.extractor.http_metrics import instrument
from services.extractor.rate_limit import RateLimit, connection_pool
from services.extractor.run_guard import RunGuard, without_placeholder
from shared import telemetry
from shared.config.settings import Settings
from shared.config.topology import BRONZE, SILVER
from shared.datasets import definition, registry
from shared.datasets.source import (
    PageCounts,
    Params,
    Plan,
    ReceivedPage,
    Request,
    SequentialSource,
    Source,
    UnexpectedAnswerError,
)
from shared.engine import worker
from shared.engine.backpressure import Backpressure
from shared.engine.consumer import Handler
from shared.engine.message import Message
from shared.errors import PermanentError, TransientError
from shared.formats import envelope, run_plan, source_state
from shared.formats.commands import PageCommand, RunCommand, parse_command
from shared.formats.envelope import Envelope
from shared.formats.run_plan import RunPlan, RunStart
from shared.storage import object_keys, objects
from shared.storage.object_id import ObjectId
from shared.telemetry import metrics

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

log = structlog.get_logger()

MAX_BATCH = 10  # messages, SQS's limit
MAX_PLAN_BYTES = 16 << 20  # bytes
MAX_STATE_BYTES = 1 << 16  # bytes
MAX_REJECTED_BYTES = 1 << 20  # stored of a response that is not a page, for inspection
PAUSE_WITHOUT_RETRY_AFTER_SECONDS = 1.0  # after a 429 that does not say how long to wait
# Extraction pauses above this many waiting messages: at a page a second one transformer needs 500 s for them, and after
# 600 s an alert fires (services/ops/health/rules.py). A loader is faster.
LIMITS = {BRONZE: 500, SILVER: 500}


@dataclass(frozen=True)
class Extractor:
    """The handler and its dependencies."""

    s3: "S3Client"
    sqs: "SQSClient"
    http: httpx.Client
    limit: RateLimit
    cache: ResponseCache
    slots: RunGuard
    pressure: Backpressure
    bucket: str
    queue_url: str
    max_bytes: int  # of a response, and of a page in its envelope; the transformer's limit

    def handle(self, message: Message) -> str:
        """Plan a run, or fetch a page."""
        command = parse_command(message.body)
        definition.refuse_changed(command.dataset)
        match command:
            case RunCommand():
                run = without_placeholder(command)
                return self.plan(run, run_ids.run_id(run, message.id, message.sent))
            case PageCommand() as page:
                return self.page(page)

    def plan(self, run: RunCommand, run_id: str) -> str:
        """Store the plan, then send its pages. A redelivered command sends the pages of the stored plan."""
        telemetry.set_span_attributes(dataset=run.dataset, run_id=run_id)
        stored = self._stored_plan(run.dataset, run_id)
        if stored is None:
            stored = self._new_plan(run, run_id)
            key = object_keys.plan_key(run.dataset, run_id)
            objects.put(self.s3, self.bucket, key, stored.model_dump_json().encode(), "application/json")
        if stored.rejected_reason:
            log.warning(
                "run.rejected", run_id=run_id, dataset=run.dataset, trigger=run.trigger, why=stored.rejected_reason
            )
            return "rejected"
        pages = list(stored.commands())
        self.slots.mark_started(stored, pages)
        self._send(pages)
        log.info(
            "run.planned",
            run_id=run_id,
            dataset=run.dataset,
            pages=stored.pages,
            expected_records=stored.expected_records,
        )
        return "planned"

    def page(self, page: PageCommand) -> str:
        """Fetch a page into bronze unless it is there already, then send the pages that follow it."""
        telemetry.set_span_attributes(dataset=page.dataset, run_id=page.run_id, part=page.part, page=page.page)
        source = registry.dataset(page.dataset).source
        stored = self._stored_page(source, page)
        is_stored = stored is not None
        if stored is None:
            self.pressure.wait()
            stored = self._fetch_to_bronze(source, page)
        of = self._page_count(source, page, stored, stored.counts(source))
        following = list(pagination.next_pages(source, page, stored, of))
        self._send(following)
        self.slots.mark_fetched(page, following)
        return "duplicate" if is_stored else "fetched"

    def _fetch_to_bronze(self, source: Source, page: PageCommand) -> Envelope:
        """Fetch a page from its source and store it in bronze."""
        params, before = self._params(source, page)
        earlier = before.fingerprints if before else ()
        fingerprints = (*earlier, pagination.fingerprint(params)) if isinstance(source, SequentialSource) else ()
        request = source.request(params, page.page)
        response = self._fetch(page.dataset, request)
        source_page = self._source_page(source, page, request, response)
        received = Envelope(
            fingerprints, source_page.status, ReceivedPage(request, response.headers, source_page.payload)
        )
        pagination.refuse_repeated(page, received, before, source_page.counts)
        of = self._page_count(source, page, received, source_page.counts)
        numbered = page.model_copy(update={"of": of})
        content = page_envelope.envelope(
            numbered, request, fingerprints, source_page, response.headers, datetime.now(UTC)
        )
        body, key = page_envelope.compressed(content, self.max_bytes), _key(page)
        objects.put(self.s3, self.bucket, key, body, "application/gzip")
        log.info("bronze.written", dataset=page.dataset, key=key, run_id=page.run_id, bytes=len(body))
        return received

    def _source_page(
        self, source: Source, page: PageCommand, request: Request, response: Response
    ) -> responses.SourcePage:
        """The response as a page. If it is not one, its body is stored for inspection; a retry may help."""
        try:
            return responses.page(source, response)
        except UnexpectedAnswerError as error:
            key = object_keys.rejected_response_key(page.dataset, page.run_id, page.part, page.page)
            objects.put(self.s3, self.bucket, key, response.body[:MAX_REJECTED_BYTES], "application/octet-stream")
            message = f"{request.url}: {response.status}, but not a page: {error}; the response is at {key}"
            raise UnexpectedAnswerError(message) from error

    def _page_count(self, source: Source, page: PageCommand, stored: Envelope, counts: PageCounts) -> int:
        """The number of pages of the part. Reads the plan only if the page announces more pages than planned."""
        planned = page.of
        has_grown = counts.pages is not None and counts.pages > page.of
        if has_grown and (plan := self._stored_plan(page.dataset, page.run_id)) and page.part <= len(plan.parts):
            planned = plan.parts[page.part - 1].pages
        return pagination.page_count(source, page, stored, counts, planned)

    def _params(self, source: Source, page: PageCommand) -> tuple[Params, Envelope | None]:
        """The params of a page's request, and the page before it if that leads to this one."""
        if page.page == 1 or not isinstance(source, SequentialSource):
            return page.params, None
        before = page.model_copy(update={"page": page.page - 1, "replaces": None})
        stored = self._stored_page(source, before)
        if stored is None:
            message = f"{_key(before)} does not exist yet; it has the parameters for page {page.page}"
            raise TransientError(message)
        return pagination.params_after(source, before, stored), stored

    def _stored_page(self, source: Source, page: PageCommand) -> Envelope | None:
        """The page in bronze, or None if it is absent or to be replaced. Raises PermanentError if it is unreadable."""
        stored = objects.newest(self.s3, self.bucket, _key(page))
        if stored is None or page.replaces in {stored.version_id, stored.etag} - {None}:
            return None
        try:
            content = envelope.read(objects.get(self.s3, stored, self.max_bytes).body, self.max_bytes)
            content.counts(source)
        except (PermanentError, UnexpectedAnswerError) as error:
            message = f"{stored.key}: {error}; `smelt reconcile --repair` fetches it again"
            raise PermanentError(message) from error
        return content

    def _stored_plan(self, dataset: str, run_id: str) -> RunPlan | None:
        key = object_keys.plan_key(dataset, run_id)
        if not objects.exists(self.s3, self.bucket, key):
            return None
        return run_plan.read(objects.get(self.s3, ObjectId(self.bucket, key), MAX_PLAN_BYTES).body)

    def _new_plan(self, run: RunCommand, run_id: str) -> RunPlan:
        """The plan of a run. A rejected run gets an empty plan with the reason, which records it in the ledger."""
        reason = self.slots.rejection_reason(run, run_id)
        start = None if reason else self._start(run)
        source_plan = Plan(parts=(), expected_records=0) if reason else self._planned_parts(run, start)
        return RunPlan(
            run_id=run_id,
            dataset=run.dataset,
            params=run.params,
            trigger=run.trigger,
            expected_records=source_plan.expected_records,
            parts=source_plan.parts,
            scheduled_for=run_ids.slot_time(run.scheduled_for) if run.scheduled_for else None,
            rejected_reason=reason,
            start=start,
        )

    def _start(self, run: RunCommand) -> RunStart | None:
        """The state that a run of an incremental source begins from; None for a run that has the param by hand."""
        cursor = registry.dataset(run.dataset).cursor
        if cursor is None or cursor.param in run.params:
            return None
        stored = objects.newest(self.s3, self.bucket, object_keys.state_key(run.dataset, run.params))
        if stored is None:
            return RunStart(generation=0, cursor=None)
        state = source_state.read(objects.get(self.s3, stored, MAX_STATE_BYTES).body)
        return RunStart(generation=state.generation, cursor=state.cursor)

    def _planned_parts(self, run: RunCommand, start: RunStart | None) -> Plan:
        source, cursor = registry.dataset(run.dataset).source, registry.dataset(run.dataset).cursor
        params = {**run.params, cursor.param: cursor.start(start.cursor)} if cursor and start else run.params
        fresh: list[tuple[Request, bytes]] = []

        def lookup(request: Request) -> object:
            text = self.cache.get(request)
            if text is None:
                text = responses.json_text(self._fetch(run.dataset, request))
                if request.keep_for:
                    fresh.append((request, text))
            return responses.parsed(text)

        source_plan = source.plan(params, lookup)
        for request, text in fresh:  # only after planning succeeded
            self.cache.put(request, text)
        return source_plan

    def _fetch(self, dataset: str, request: Request) -> Response:
        began = time.monotonic()
        self.limit.wait(dataset, registry.dataset(dataset).source.requests_per_second)
        metrics.API_WAIT.record(time.monotonic() - began, {"dataset": dataset})
        try:
            with telemetry.span("extractor.fetch", dataset=dataset):
                return fetch(self.http, request, self.max_bytes)
        except TransientError as error:
            if error.after or isinstance(error, RateLimitedError):
                self.limit.pause(dataset, error.after or PAUSE_WITHOUT_RETRY_AFTER_SECONDS)
            raise

    def _send(self, pages: Iterable[PageCommand]) -> None:
        carrier = telemetry.carrier()
        commands = list(pages)
        for start in range(0, len(commands), MAX_BATCH):
            response = self.sqs.send_message_batch(
                QueueUrl=self.queue_url,
                Entries=[
                    {
                        "Id": str(number),
                        "MessageBody": page.model_dump_json(),
                        "MessageAttributes": {
                            name: {"DataType": "String", "StringValue": value} for name, value in carrier.items()
                        },
                    }
                    for number, page in enumerate(commands[start : start + MAX_BATCH])
                ],
            )
            if failed := response.get("Failed"):
                message = f"SQS accepted only some of the page commands: {failed[0].get('Message', '')}"
                raise TransientError(message)


def _key(page: PageCommand) -> str:
    return object_keys.page_key(page.dataset, page.run_id, page.part, page.page)


def bootstrap(settings: Settings) -> Handler:
    """Compose the extractor from S3, SQS, Redis and HTTP; it uses no database."""
    redis, sqs = (
        connection_pool(settings.redis_url.get_secret_value()),
        worker.sqs_client(settings.receive_wait_seconds),
    )
    return Extractor(
        s3=boto3.client("s3"),
        sqs=sqs,
        http=instrument(client()),
        limit=RateLimit(redis),
        cache=ResponseCache(redis),
        slots=RunGuard(redis),
        pressure=Backpressure(sqs, {settings.queue_url(queue): limit for queue, limit in LIMITS.items()}),
        bucket=settings.bucket,
        queue_url=settings.extract_queue_url,
        max_bytes=settings.max_document_mib << 20,
    ).handle


if __name__ == "__main__":
    worker.run("extractor", bootstrap)
