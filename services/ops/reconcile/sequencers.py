"""Sequencers of listed versions, which order those of a key: from the ledger, or made up to fit between."""

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

Held = Mapping[tuple[str, str], str | None]


def ordered(connection: Connection, stored: Iterable[ObjectVersion]) -> list[ObjectVersion]:
    """The versions, each with a sequencer: an event that we send has none of S3's, and the fence orders by it.

    All versions of a key must be among them, the oldest first.
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
