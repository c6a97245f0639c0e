"""Converts names of fields to names of tables and columns."""

import re
import unicodedata
from collections.abc import Collection

from shared.datasets.contract.document import RESERVED, VALIDITY

MAX_LENGTH = 63  # of Postgres
WORD_BEGINS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
SYSTEM = frozenset(("tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"))  # columns that every table of Postgres has
NO_IDENTIFIER = re.compile(r"[^a-z0-9]+")


def identifier(name: str, used: Collection[str] = ()) -> str:
    """A name in small letters, digits and underscores; a number is added where it is in use."""
    words = WORD_BEGINS.sub("_", unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode())
    plain = NO_IDENTIFIER.sub("_", words.lower()).strip("_") or "field"
    plain = f"field_{plain}" if plain[0].isdigit() else plain
    plain = f"{plain}_value" if plain in RESERVED | SYSTEM | VALIDITY else plain
    candidate, number = plain[:MAX_LENGTH], 1
    while candidate in used:
        number += 1
        candidate = f"{plain[: MAX_LENGTH - len(f'_{number}')]}_{number}"
    return candidate
