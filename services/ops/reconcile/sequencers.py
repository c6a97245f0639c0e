"""Sequencers of listed versions, from the ledger or constructed to keep their order."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from operator import attrgetter

from sqlalchemy import Connection, func, select

from shared.database.ops_tables import LOADED_OBJECT
from shared.formats.observation import SEQUENCER_LENGTH
from shared.storage.versions import ObjectVersion

HEXADECIMAL = re.compile(f"[0-9A-Fa-f]{{1,{SEQUENCER_LENGTH}}}")

Sequencers = Mapping[tuple[str, str], str | None]


def ordered(connection: Connection, stored: Iterable[ObjectVersion]) -> list[ObjectVersion]:
    """Add a sequencer to each version, as events that we send have none from S3 and the fence orders by it.

    All versions of a key must be included, oldest first.
    """
    versions = [*stored]
    keys = {version.object.key for version in versions}
    query = select(LOADED_OBJECT.c.key, LOADED_OBJECT.c.version, func.max(LOADED_OBJECT.c.sequencer)).where(
        LOADED_OBJECT.c.key.in_(keys)
    )
    sequencers = {
        (key, version): sequencer
        for key, version, sequencer in connection.execute(query.group_by(LOADED_OBJECT.c.key, LOADED_OBJECT.c.version))
    }
    return [
        version
        for _, same in groupby(versions, key=attrgetter("object.key"))
        for version in sequenced(same, sequencers)
    ]


def sequenced(versions: Iterable[ObjectVersion], sequencers: Sequencers) -> Iterator[ObjectVersion]:
    """The versions of one key, oldest first, each with its sequencer from `sequencers` or a constructed one. No I/O.

    A constructed one is the padded predecessor plus one: above everything older and below S3's next one, as S3's are
    shorter than the padded length. The first version needs none.
    """
    before = None
    for version in versions:
        own = sequencers.get((version.object.key, version.object.version))
        if own is None and before is not None:
            own = f"{before + 1:0{SEQUENCER_LENGTH}X}"
        before = _number(own) if own and HEXADECIMAL.fullmatch(own) else before or 0
        yield replace(version, object=replace(version.object, sequencer=own))


def _number(sequencer: str) -> int:
    return int(sequencer.ljust(SEQUENCER_LENGTH, "0"), 16)
