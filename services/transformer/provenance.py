"""Provenance of a bronze object, shared by all its batches."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from pydantic import AwareDatetime, BaseModel, TypeAdapter, ValidationError

from services.transformer.batch_rules import warn_of_count
from services.transformer.batching import RecordBatch
from services.transformer.content import Content
from services.transformer.cursors import NO_CURSOR, BatchCursor
from services.transformer.transform import TransformResult
from shared.datasets import registry
from shared.errors import PermanentError
from shared.fields import NonNegativeInt32, PositiveInt32, RunId
from shared.formats.observation import observed_at
from shared.formats.silver import Counts, Replayed, RuleWarning, SilverHeader
from shared.storage import object_keys
from shared.storage.object_id import ObjectId
from shared.storage.objects import Stream
from shared.version import VERSION

AWARE: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)
ID_DIGITS = 32  # of the digest of an object in the key of an appended record


class Ingest(BaseModel):
    """The page of a run that an envelope holds, and the pages and rows of its part, as known when it was fetched."""

    run_id: RunId
    part: PositiveInt32
    page: PositiveInt32
    of: PositiveInt32
    part_rows: NonNegativeInt32 | None = None


@dataclass(frozen=True)
class Provenance:
    """`ingest` is None unless the object is a page of a run, `replay` unless it repeats quarantined records."""

    dataset: str
    bronze: ObjectId
    observed_at: datetime
    transform_version: int
    ingest: Ingest | None
    replay: Replayed | None
    expected_records: int | None

    def record_id(self, index: int) -> str:
        """The key of an appended record, the same however often its object, or a replay of the record, is loaded."""
        source = self.replay.source if self.replay else self.bronze
        place = self.replay.indexes[index] if self.replay else index
        digest = sha256(f"{source.key}\0{source.version}".encode()).hexdigest()[:ID_DIGITS]
        return f"{digest}-{place}"

    def header(self, batch: RecordBatch, result: TransformResult, cursor: BatchCursor = NO_CURSOR) -> SilverHeader:
        """The header of one batch's silver object."""
        valid, quarantined = len(result.frame), len(result.problems)
        page = self.ingest
        return SilverHeader(
            dataset=self.dataset,
            transform_version=self.transform_version,
            source=self.bronze,
            observed_at=self.observed_at,
            run_id=page.run_id if page else None,
            part=page.part if page else None,
            page=page.page if page else None,
            part_pages=page.of if page else None,
            part_rows=page.part_rows if page else None,
            batch=batch.number,
            last=batch.last,
            counts=Counts(read=valid + quarantined, valid=valid, quarantined=quarantined),
            warnings=(*result.warnings, *cursor.warnings, *self._count_warnings(batch)),
            field_profile=result.field_profile,
            cursor=cursor.newest,
            replay=self.replay,
            made_by=f"smelt {VERSION}",
            definition=registry.dataset(self.dataset).digest,
        )

    def _count_warnings(self, batch: RecordBatch) -> tuple[RuleWarning, ...]:
        return warn_of_count(self.expected_records, batch.first + len(batch.records)) if batch.last else ()


def provenance_of(dataset: str, bronze: ObjectId, content: Content, last_modified: datetime) -> Provenance:
    """The provenance from the object's key and envelope. Raises PermanentError for an invalid envelope.

    Replayed records keep their original observation time, at most the time at which S3 stored the replay.
    """
    key = bronze.key
    try:
        replay = Replayed.model_validate(content.replay) if object_keys.is_replay(key) else None
        ingest = Ingest.model_validate(content.ingest) if not replay and not object_keys.is_upload(key) else None
    except ValidationError as error:
        part = "replay" if object_keys.is_replay(key) else "ingest"
        message = f"{key}: not the envelope of a page or a replay: {_described(error, part)}"
        raise PermanentError(message) from None
    return Provenance(
        dataset=dataset,
        bronze=bronze,
        observed_at=min(replay.observed_at, last_modified) if replay else observed_at(content.date, last_modified),
        transform_version=registry.dataset(dataset).version,
        ingest=ingest,
        replay=replay,
        expected_records=content.expected_records,
    )


def stored_at(key: str, stream: Stream) -> datetime:
    """When S3 stored the object; for a copy that operators have taken in, when it stored the source."""
    source = stream.metadata.get(object_keys.SOURCE_STORED_AT) if object_keys.is_upload(key) else None
    try:
        moment = AWARE.validate_python(source) if source else stream.last_modified
    except ValidationError:
        return stream.last_modified
    return min(moment, stream.last_modified)


def _described(error: ValidationError, part: str) -> str:
    """The first invalid field in this part of the envelope, and its error."""
    first = error.errors(include_url=False)[0]
    return ".".join(map(str, (part, *first["loc"]))) + f": {first['msg']}"
