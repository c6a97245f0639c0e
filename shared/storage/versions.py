"""All versions of objects in the bucket, each with a sequencer that orders it among those of its key."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from shared.database.ops_tables import LOADED_OBJECT
from shared.formats.observation import SEQUENCER_LENGTH
from shared.storage.object_id import ObjectId

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TOGETHER = 1_000  # versions handed out at a time, and a few more where a key has several
HEXADECIMAL = re.compile(f"[0-9A-Fa-f]{{1,{SEQUENCER_LENGTH}}}")

Held = Mapping[tuple[str, str], str | None]


@dataclass(frozen=True)
class ObjectVersion:
    """A version of an object as S3 lists it, with S3's time of storing it."""

    object: ObjectId
    stored_at: datetime
    size: int


def list_versions(s3: "S3Client", bucket: str, prefix: str) -> Iterator[list[ObjectVersion]]:
    """Versions under a prefix, overwritten ones too: each was accepted. All of one key come together, oldest first.

    Their sequencers are not known: `ordered` finds or makes them.
    """
    held: list[ObjectVersion] = []
    for _, versions in groupby(_newest_first(s3, bucket, prefix), key=attrgetter("object.key")):
        held += reversed([*versions])
        if len(held) >= TOGETHER:
            yield held
            held = []
    if held:
        yield held


def ordered(connection: Connection, stored: Iterable[ObjectVersion]) -> list[ObjectVersion]:
    """The same with sequencers. An event of our own making has none of S3's, and the ledger orders by it.

    Versions of one key must be all there, and in order.
    """
    versions = [*stored]
    keys = {one.object.key for one in versions}
    known = select(LOADED_OBJECT.c.key, LOADED_OBJECT.c.version, func.max(LOADED_OBJECT.c.sequencer)).where(
        LOADED_OBJECT.c.key.in_(keys)
    )
    held = {
        (key, version): sequencer
        for key, version, sequencer in connection.execute(known.group_by(LOADED_OBJECT.c.key, LOADED_OBJECT.c.version))
    }
    return [one for _, same in groupby(versions, key=attrgetter("object.key")) for one in sequenced(same, held)]


def sequenced(versions: Iterable[ObjectVersion], held: Held) -> Iterator[ObjectVersion]:
    """The versions of one key, the oldest first, each with the sequencer that `held` has of it.

    One that the ledger does not know gets the number after that of the version before: above everything older and
    below S3's next one, as S3's are shorter than what they are padded to. The first needs none. Pure.
    """
    before = None
    for one in versions:
        own = held.get((one.object.key, one.object.version))
        if own is None and before is not None:
            own = f"{before + 1:0{SEQUENCER_LENGTH}X}"
        before = _number(own) if own and HEXADECIMAL.fullmatch(own) else before or 0
        yield replace(one, object=replace(one.object, sequencer=own))


def _number(sequencer: str) -> int:
    return int(sequencer.ljust(SEQUENCER_LENGTH, "0"), 16)


def _newest_first(s3: "S3Client", bucket: str, prefix: str) -> Iterator[ObjectVersion]:
    """As S3 documents its order within a key."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        for version in page.get("Versions", []):
            key, size = version["Key"], version["Size"]
            if size or not key.endswith("/"):  # the S3 console's "folders"
                identity = version["VersionId"] if version["VersionId"] != "null" else None  # stored unversioned
                stored = ObjectId(bucket, key, identity, version["ETag"].strip('"'))
                yield ObjectVersion(stored, version["LastModified"], size)
