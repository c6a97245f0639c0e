"""Everything bad that a queue or a bucket may be given, and where each must end. Made by code, nothing is stored."""

from tests.contract.poison import envelopes, fields, files, keys, messages, records, replays, rows, texts
from tests.contract.poison.case import Case

# Bounds of the stack under test, in MiB and levels: small, so that bombs need not be large.
BOUNDS = {
    "SMELT_MAX_OBJECT_MIB": "8",
    "SMELT_MAX_EXPANDED_MIB": "16",
    "SMELT_MAX_DOCUMENT_MIB": "12",
    "SMELT_MAX_RECORD_MIB": "4",
    "SMELT_MAX_NESTING": "64",
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
