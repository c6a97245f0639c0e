"""Builds and parses all object keys."""

import json
import re
from collections.abc import Mapping
from hashlib import sha256

from shared.config.topology import (
    BRONZE_PREFIX,
    PLANS_PREFIX,
    QUARANTINE_PREFIX,
    RAW_PREFIXES,
    REJECTED_RESPONSES_PREFIX,
    REPLAYS_PREFIX,
    SILVER_PREFIX,
    STATE_PREFIX,
    UPLOADS_PREFIX,
)
from shared.errors import PermanentError
from shared.fields import run_date
from shared.storage.object_id import ObjectId

MAX_PATH_BYTES = 900  # bytes of a path that stays within S3's limit of 1,024 with prefix and suffix
PAGE_KEY = re.compile(rf"{BRONZE_PREFIX}[^/]+/date=[^/]+/run=[^/]+/part=[0-9]+/page=[0-9]+\.json\.gz")
LOADED_PREFIX = "loaded/"  # uploads that were moved; nothing reads them
SOURCE_STORED_AT = "source-stored-at"  # in the metadata of an upload that is a copy: when its source was stored
LONG_KEYS = "long-keys"  # replaces a longer path


def is_folder(object_id: ObjectId, size: int) -> bool:
    """Whether it is an empty object that the S3 console shows as a folder."""
    return object_id.key.endswith("/") and not size


def page_key(dataset: str, run_id: str, part: int, page: int) -> str:
    """The key of a page in bronze; the same page always has the same key."""
    return f"{BRONZE_PREFIX}{_page_path(dataset, run_id, part, page)}.json.gz"


def is_page_key(key: str) -> bool:
    """Whether this is the key of a page."""
    return PAGE_KEY.fullmatch(key) is not None


def rejected_response_key(dataset: str, run_id: str, part: int, page: int) -> str:
    """The key of a response that is not a page. Repeated failures become versions of the object."""
    return f"{REJECTED_RESPONSES_PREFIX}{_page_path(dataset, run_id, part, page)}.body"


def _page_path(dataset: str, run_id: str, part: int, page: int) -> str:
    return f"{dataset}/date={run_date(run_id)}/run={run_id}/part={part:04d}/page={page:04d}"


def upload_key(dataset: str, name: str) -> str:
    """The key of an upload."""
    return f"{UPLOADS_PREFIX}{dataset}/{name}"


def loaded_key(upload: str) -> str:
    """The key that an upload is moved to once it is loaded (`afterLoading: move`)."""
    return LOADED_PREFIX + upload.removeprefix(UPLOADS_PREFIX)


def plan_key(dataset: str, run_id: str) -> str:
    """The key of a run's plan."""
    return f"{PLANS_PREFIX}{dataset}/date={run_date(run_id)}/run={run_id}/plan.json"


def state_key(dataset: str, params: Mapping[str, str]) -> str:
    """The key of the state that runs with these params begin from."""
    digest = sha256(json.dumps(sorted(params.items())).encode()).hexdigest()[:16]
    return f"{STATE_PREFIX}{dataset}/{digest}.json"


def dataset_of(raw_key: str) -> str:
    """The dataset in the key of a page, upload or replay. Raises PermanentError if there is none."""
    prefix, _, rest = raw_key.partition("/")
    name, slash, _ = rest.partition("/")
    if f"{prefix}/" not in RAW_PREFIXES or not slash or not name:
        message = f"{raw_key}: not the key of raw data ({', '.join(f'{p}<dataset>/…' for p in RAW_PREFIXES)})"
        raise PermanentError(message)
    return name


def replay_key(dataset: str, run_id: str, number: int) -> str:
    """The key of replayed records."""
    return f"{REPLAYS_PREFIX}{dataset}/{run_id}/{number:05d}.json"


def is_replay(raw_key: str) -> bool:
    """Whether the object contains records replayed from quarantine."""
    return raw_key.startswith(REPLAYS_PREFIX)


def is_upload(raw_key: str) -> bool:
    """Whether the object is an upload."""
    return raw_key.startswith(UPLOADS_PREFIX)


def silver_key(bronze: ObjectId, transform_version: int, batch: int) -> str:
    """The key of a batch in silver; transforming it again overwrites the same object."""
    return f"{silver_prefix(bronze, transform_version)}{batch:05d}.parquet"


def quarantine_key(bronze: ObjectId, transform_version: int, batch: int) -> str:
    """The key of a batch's rejected records."""
    return f"{_stem(QUARANTINE_PREFIX, bronze, transform_version)}{batch:05d}.jsonl.gz"


def silver_prefix(bronze: ObjectId, transform_version: int) -> str:
    """The common prefix of the silver keys of a bronze object."""
    return _stem(SILVER_PREFIX, bronze, transform_version)


def _stem(prefix: str, bronze: ObjectId, transform_version: int) -> str:
    identity = sha256(f"{bronze.bucket}\n{bronze.key}\n{bronze.version}".encode()).hexdigest()[:16]
    path = _derived_path(bronze.key)
    folder = path if len(path.encode()) < MAX_PATH_BYTES else f"{dataset_of(bronze.key)}/{LONG_KEYS}"
    return f"{prefix}{folder}/{identity}-v{transform_version}-"


def _derived_path(raw_key: str) -> str:
    """The path of derived objects: the dataset first, then `uploads/` or `replays/` if not of a run."""
    prefix, _, rest = raw_key.partition("/")
    if f"{prefix}/" == BRONZE_PREFIX:
        return rest
    dataset, _, name = rest.partition("/")
    return f"{dataset}/{prefix}/{name}"


def raw_key_of(derived_key: str) -> str | None:
    """The raw key contained in a silver or quarantine key; None if it was too long."""
    path = derived_key.partition("/")[2].rpartition("/")[0]
    dataset, _, rest = path.partition("/")
    folder, _, name = rest.partition("/")
    if rest == LONG_KEYS:
        return None
    return f"{folder}/{dataset}/{name}" if f"{folder}/" in RAW_PREFIXES else BRONZE_PREFIX + path
