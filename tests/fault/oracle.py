"""The oracle: what was put into the bucket, and what must have become of every record of it.

Every accepted object and record is an obligation: obligations = rows + quarantined + superseded. The oracle knows
nothing of queues, workers or the ledger's ways; it reads the tables at the end.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from sqlalchemy import Engine, text

from services.transformer.fingerprint import fingerprint
from shared.datasets.usajobs_search import raw
from shared.datasets.usajobs_search.normalise import VERSION
from shared.formats.observation import source_number

DATASET = "usajobs_search"
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
BAD_SHARE = 0.08


@dataclass(frozen=True)
class Upload:
    """An object to be put: its key, its postings (None: a record that must be rejected), and when they were seen."""

    key: str
    seen_at: datetime
    records: tuple[dict[str, Any], ...]
    bad: int

    def body(self) -> bytes:
        """An envelope with the source's own time."""
        headers = {"Date": format_datetime(self.seen_at, usegmt=True)}
        payload = {"SearchResult": {"SearchResultItems": list(self.records)}}
        return json.dumps({"response": {"headers": headers, "payload": payload}}).encode()


@dataclass
class Oracle:
    """The obligations of one run. Control numbers of a run are its own: `number * 1000` and up."""

    seed: int
    number: int
    accepted: list[tuple[Upload, str]] = field(default_factory=list)  # in the order of their puts, with S3's version
    run_id: str = ""  # of an extraction that must complete, too
    fault_ended: float = 0.0  # monotonic
    log_began: int = 0  # bytes that the workers had logged before

    def uploads(self, objects: int = 10, postings: int = 12, *, ties: bool = True) -> Iterator[Upload]:
        """A workload: few keys, so that some are overwritten; few postings, so that all meet often.

        With `ties` some are of the same second, so that key and sequencer decide.
        """
        rng = random.Random(f"{self.seed}/{self.number}")
        choose = rng.choices if ties else rng.sample
        seconds = choose(range(objects * 2), k=objects)  # most out of order
        for n in range(objects):
            key = f"uploads/{DATASET}/fault/{self.number}/{rng.randrange(objects * 2 // 3)}.json"
            wanted = [rng.randrange(postings) for _ in range(rng.randrange(1, postings))]
            records = [_posting(self.number * 1000 + 1 + p, f"title {rng.randrange(4)}", p % 3) for p in wanted]
            bad = sum(rng.random() < BAD_SHARE for _ in records)
            for _ in range(bad):
                records.insert(rng.randrange(len(records) + 1), {"MatchedObjectId": "broken"})
            yield Upload(key, MONDAY + timedelta(seconds=seconds[n]), tuple(records), bad)

    def accept(self, upload: Upload, version: str) -> None:
        """S3 has stored it: from now on it is owed."""
        self.accepted.append((upload, version))

    @property
    def obligations(self) -> int:
        """Records owed."""
        return sum(len(upload.records) for upload, _ in self.accepted)

    def losses(self, database: Engine, versions: tuple[int, ...] = (VERSION,)) -> list[str]:
        """Everything that is not as it must be; empty if all obligations are met."""
        with database.connect() as connection:
            scope = {"keys": f"uploads/{DATASET}/fault/{self.number}/%"}
            objects = connection.execute(text("select * from ops.object where key like :keys"), scope).all()
            rejected = connection.scalar(text("select count(*) from ops.quarantine where key like :keys"), scope)
            low = self.number * 1000
            rows = connection.execute(ROWS, {"low": low, "high": low + 1000}).all()
        return [*self._wrong_objects(objects), *self._wrong_rows(rows, versions), *self._wrong_sums(objects, rejected)]

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
            hashes = {fingerprint(json.dumps(record).encode(), raw, version)[1] for version in versions}
            if (row.position_title, row.places, row.observed_at) != (title, places, seen_at):
                yield f"stale: {number} is {row.position_title!r} of {row.observed_at}, not {title!r} of {seen_at}"
            elif bytes(row.content_hash) not in hashes:
                yield f"hash: {number} has not the hash of its content"

    def _wrong_sums(self, objects: Any, rejected: int | None) -> Iterator[str]:
        bad = sum(upload.bad for upload, _ in self.accepted)
        expected = sum(row.quarantined for row in objects)  # each version of the transform rejects them again
        if rejected != expected or expected < bad:
            yield f"quarantine: {rejected} entries for {bad} broken records"
        inserted, distinct = sum(row.inserted for row in objects), len(self._newest())
        if inserted != distinct:
            yield f"twice: {inserted} inserts for {distinct} records"

    def _newest(self) -> dict[int, tuple[datetime, dict[str, Any]]]:
        """For each control number its newest sighting. Within an object the last entry counts."""
        newest: dict[int, tuple[tuple[datetime, int, int], dict[str, Any]]] = {}
        for order, (upload, _) in enumerate(self.accepted):
            rank = (upload.seen_at, source_number(upload.key), order)
            for record in upload.records:
                number = record["MatchedObjectId"]
                if number != "broken" and (int(number) not in newest or newest[int(number)][0] <= rank):
                    newest[int(number)] = (rank, record)
        return {number: (rank[0], record) for number, (rank, record) in newest.items()}


def _is_whole(batches: list[Any]) -> bool:
    """Whether all of an object's batches are there: numbered from 1, and the last one says so."""
    numbers = sorted(batch.batch for batch in batches)
    return numbers == list(range(1, len(batches) + 1)) and max(batches, key=lambda batch: batch.batch).last


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
