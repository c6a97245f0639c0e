"""Everything bad that a queue or a bucket may be given, and where each must end. Made by code, nothing is stored."""

from tests.contract.poison import envelopes, fields, files, keys, messages, records, replays, rows, texts
from tests.contract.poison.case import Case

# Bounds of the stack under test, in MiB and levels: small, so that bombs need not be large.
BOUNDS = {
    "SMELT_LARGEST_OBJECT": "8",
    "SMELT_LARGEST_EXPANDED": "16",
    "SMELT_LARGEST_DOCUMENT": "12",
    "SMELT_LARGEST_RECORD": "4",
    "SMELT_DEEPEST_NESTING": "64",
}

CASES: tuple[Case, ...] = (
    *files.CASES,
    *rows.CASES,
    *envelopes.CASES,
    *replays.CASES,
    *records.CASES,
    *texts.CASES,
    *fields.CASES,
    *keys.CASES,
    *messages.CASES,
)
