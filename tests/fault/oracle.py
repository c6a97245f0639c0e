"""The oracle: what was put into the bucket, and what must have become of every record of it.

Every accepted object and record is an obligation: obligations = rows + quarantined + superseded. The oracle knows
nothing of queues, workers or the ledger's ways; it reads the tables at the end.
"""

import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

from services.transformer.fingerprint import fingerprint
from shared.datasets import registry
from shared.formats.observation import source_number
from shared.storage.object_keys import page_key, upload_key
from tests.fault.dispositions import CHECKS, File, file

DATASET = "usajobs_search"
RAW = registry.dataset(DATASET)
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
BAD_SHARE = 0.08
UPLOADED = 2  # of every three objects, counted from 0

VERSION = registry.dataset("usajobs_search").version


@dataclass(frozen=True)
class Upload:
    """An object to be put: its key, its postings, and how many other records it has, which must be rejected.

    Its records were seen when S3 stored it.
    """

    key: str
    records: tuple[dict[str, Any], ...]
    bad: int

    def body(self) -> bytes:
        """The document as somebody drops it."""
        return json.dumps(self._document()).encode()

    def _document(self) -> dict[str, Any]:
        return {"SearchResult": {"SearchResultCountAll": len(self.records), "SearchResultItems": list(self.records)}}


@dataclass(frozen=True)
class Page(Upload):
    """A page of a run, under a key of bronze. Its records were seen when its source says."""

    seen_at: datetime
    ingest: dict[str, Any]

    def body(self) -> bytes:
        """The document in the extractor's envelope."""
        headers = {"date": format_datetime(self.seen_at, usegmt=True)}
        response = {"status": 200, "headers": headers, "payload": self._document()}
        return json.dumps({"request": {}, "response": response, "ingest": self.ingest}).encode()


@dataclass
class Oracle:
    """The obligations of one run. Control numbers of a run are its own: `number * 1000` and up.

    Its pages claim a run that has no plan; `run_id` is that of an extraction that must complete, too.
    """

    seed: int
    number: int
    accepted: list[tuple[Upload | File, str]] = field(default_factory=list)  # in the order of puts, with S3's version
    stored_at: dict[str, datetime] = field(default_factory=dict)  # S3's time by version, of uploads
    run_id: str = ""
    fault_ended: float = 0.0  # monotonic
    log_began: int = 0  # bytes that the workers had logged before

    def uploads(self, objects: int = 10, *, ties: bool = True) -> Iterator[Upload | File]:
        """A workload: pages and uploads of postings, and after each a file of a dataset with another disposition."""
        rng = random.Random(f"{self.seed}/{self.number}/files")
        names = itertools.cycle(CHECKS)
        for postings in self.postings(objects, ties=ties):
            yield postings
            yield file(rng, next(names), self.folder, self.number)

    def postings(self, objects: int = 10, postings: int = 12, *, ties: bool = True) -> Iterator[Upload]:
        """Pages of few keys, so that some are overwritten, and of few postings, so that all meet often.

        With `ties` some are of the same second, so that key and sequencer decide. Every third object is an upload, with
        a key and postings of its own: only S3 knows when it is stored.
        """
        rng = random.Random(f"{self.seed}/{self.number}")
        choose = rng.choices if ties else rng.sample
        seconds = choose(range(objects * 2), k=objects)  # most out of order
        for n in range(objects):
            is_page = n % 3 != UPLOADED
            page = 1 + rng.randrange(objects * 2 // 3)
            first = self.number * 1000 + 1 + (0 if is_page else (n + 1) * postings)
            wanted = [rng.randrange(postings) for _ in range(rng.randrange(1, postings))]
            records = [_posting(first + p, f"title {rng.randrange(4)}", p % 3) for p in wanted]
            bad = sum(rng.random() < BAD_SHARE for _ in records)
            for _ in range(bad):
                records.insert(rng.randrange(len(records) + 1), {"MatchedObjectId": "broken"})
            if is_page:
                ingest = {"run_id": self.claimed, "part": 1, "page": page, "of": objects}
                key = page_key(DATASET, self.claimed, 1, page)
                yield Page(key, tuple(records), bad, MONDAY + timedelta(seconds=seconds[n]), ingest)
            else:
                yield Upload(upload_key(DATASET, f"{self.folder}{n}.json"), tuple(records), bad)

    def accept(self, upload: Upload | File, version: str) -> None:
        """S3 has stored it: from now on it is owed."""
        self.accepted.append((upload, version))

    @property
    def claimed(self) -> str:
        """The run that its pages claim to be of."""
        return f"{MONDAY:%Y%m%dT%H%M%SZ}-{self.number:08x}"

    @property
    def folder(self) -> str:
        """Where its uploads lie among those of the dataset."""
        return f"fault/{self.number}/"

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What the keys of its pages and of its uploads begin with."""
        pages = page_key(DATASET, self.claimed, 1, 1).partition("part=")[0]
        return pages, *(upload_key(dataset, self.folder) for dataset in (DATASET, *CHECKS))

    @property
    def silver_prefixes(self) -> tuple[str, ...]:
        """What the keys of all that is made of them begin with."""
        pages, *_ = self.prefixes
        uploads = (f"silver/{dataset}/uploads/{self.folder}" for dataset in (DATASET, *CHECKS))
        return pages.replace("bronze/", "silver/"), *uploads

    @property
    def obligations(self) -> int:
        """Records owed."""
        return sum(len(upload.records) for upload, _ in self.accepted)

    def losses(self, database: Engine, versions: tuple[int, ...] = (VERSION,)) -> list[str]:
        """Everything that is not as it must be; empty if all obligations are met."""
        with database.connect() as connection:
            scope = {"keys": [f"{prefix}%" for prefix in self.prefixes]}
            objects = connection.execute(text("select * from ops.loaded_object where key like any(:keys)"), scope).all()
            rejected = connection.scalar(text("select count(*) from ops.quarantine where key like any(:keys)"), scope)
            low = self.number * 1000
            rows = connection.execute(ROWS, {"low": low, "high": low + 1000}).all()
            others = [*self._wrong_others(connection)]
        wrong = [*self._wrong_objects(objects), *self._wrong_rows(rows, versions), *others]
        return [*wrong, *self._wrong_sums(objects, rejected)]

    def _wrong_others(self, connection: Connection) -> Iterator[str]:
        """Of the datasets with other dispositions."""
        for dataset, check in CHECKS.items():
            ordered = sorted(
                ((self.stored_at[version], source_number(stored.key), order), stored)
                for order, (stored, version) in enumerate(self.accepted)
                if isinstance(stored, File) and stored.dataset == dataset
            )
            yield from check(connection, f"{self.number}-%", [(rank[0], stored) for rank, stored in ordered])

    def _wrong_objects(self, objects: Any) -> Iterator[str]:
        loaded: dict[tuple[str, str], dict[int, list[Any]]] = {}
        for row in objects:
            loaded.setdefault((row.key, row.version), {}).setdefault(row.transform_version, []).append(row)
        for upload, version in self.accepted:
            transforms = loaded.get((upload.key, version), {})
            if not any(_is_whole(batches) for batches in transforms.values()):
                yield f"lost: {upload.key} version {version} was never loaded completely"
            for batches in transforms.values():
                read, quarantined = (
                    sum(counts) for counts in zip(*((b.read, b.quarantined) for b in batches), strict=True)
                )
                if _is_whole(batches) and (read, quarantined) != (len(upload.records), upload.bad):
                    yield f"miscounted: {upload.key}: read {read}, quarantined {quarantined}"
        if extra := loaded.keys() - {(upload.key, version) for upload, version in self.accepted}:
            yield f"from nowhere: {extra}"

    def _wrong_rows(self, rows: Any, versions: tuple[int, ...]) -> Iterator[str]:
        newest = self._newest()
        found = {row.control_number: row for row in rows}
        if found.keys() != newest.keys():
            yield f"rows {sorted(found)} are not the records {sorted(newest)}"
        for number in found.keys() & newest.keys():
            seen_at, record = newest[number]
            row, title = found[number], record["MatchedObjectDescriptor"]["PositionTitle"]
            places = len(record["MatchedObjectDescriptor"]["PositionLocation"])
            hashes = {fingerprint(json.dumps(record).encode(), RAW, version)[1] for version in versions}
            if (row.position_title, row.places, row.observed_at) != (title, places, seen_at):
                yield f"stale: {number} is {row.position_title!r} of {row.observed_at}, not {title!r} of {seen_at}"
            elif bytes(row.content_hash) not in hashes:
                yield f"hash: {number} has not the hash of its content"

    def _wrong_sums(self, objects: Any, rejected: int | None) -> Iterator[str]:
        bad = sum(upload.bad for upload, _ in self.accepted)
        expected = sum(row.quarantined for row in objects)  # each version of the transform rejects them again
        if rejected != expected or expected < bad:
            yield f"quarantine: {rejected} entries for {bad} broken records"
        inserted = sum(row.inserted for row in objects if row.dataset == DATASET)
        if inserted != (distinct := len(self._newest())):
            yield f"twice: {inserted} inserts for {distinct} records"

    def _newest(self) -> dict[int, tuple[datetime, dict[str, Any]]]:
        """For each control number its newest sighting. Within an object the last entry counts."""
        newest: dict[int, tuple[tuple[datetime, int, int], dict[str, Any]]] = {}
        postings = [(upload, version) for upload, version in self.accepted if isinstance(upload, Upload)]
        for order, (upload, version) in enumerate(postings):
            seen_at = upload.seen_at if isinstance(upload, Page) else self.stored_at[version]
            rank = (seen_at, source_number(upload.key), order)
            for record in upload.records:
                number = record["MatchedObjectId"]
                if number != "broken" and (int(number) not in newest or newest[int(number)][0] <= rank):
                    newest[int(number)] = (rank, record)
        return {number: (rank[0], record) for number, (rank, record) in newest.items()}


def _is_whole(batches: list[Any]) -> bool:
    """Whether all of an object's batches are there: numbered from 1, and the last one says so."""
    numbers = sorted(batch.batch for batch in batches)
    return numbers == list(range(1, len(batches) + 1)) and max(batches, key=lambda batch: batch.batch).is_last_batch


ROWS = text("""
    select job.control_number, position_title, seen.observed_at, seen.content_hash,
           (select count(*) from silver.job_location as place where place.control_number = job.control_number) as places
    from silver.job join silver.job_last_seen as seen using (control_number)
    where job.control_number > :low and job.control_number < :high
""")


def _posting(number: int, title: str, places: int) -> dict[str, Any]:
    return {
        "MatchedObjectId": str(number),
        "MatchedObjectDescriptor": {
            "PositionTitle": title,
            "PositionLocation": [{"LocationName": f"{title} {n}"} for n in range(places)],
        },
    }
