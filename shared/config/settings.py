"""Settings that every service reads from its environment (prefix `SMELT_`); AWS settings are boto3's own (`AWS_…`)."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.config import secret_files
from shared.config.topology import Queue
from shared.config.urls import PostgresAddress, RedisAddress
from shared.errors import PermanentError

# Names of files among uploads that are not meant to be loaded; those that end with / are names of folders. Case does
# not matter.
IGNORED_FILES = (
    # Spark and Hadoop: what is not committed yet, or is about the files rather than in them
    *("_temporary/", "_delta_log/", "_spark_metadata/", ".hive-staging*/", ".spark-staging*/", "*._COPYING_"),
    *("_SUCCESS", "_committed_*", "_started_*", "_metadata", "_common_metadata", "*.crc", "*_$folder$"),
    # Desktops
    *(".DS_Store", "._*", "__MACOSX/", ".Trashes/", ".fseventsd/", ".Spotlight-V100/"),
    *("Thumbs.db", "ehthumbs.db", "desktop.ini", "$RECYCLE.BIN/", "~$*", ".~lock.*#", ".nfs*"),
    # Transfers and editors that are not done
    *("*.part", "*.partial", "*.filepart", "*.crdownload", "*.download", "*.tmp", "*.temp", "*.swp"),
)
Patterns = Annotated[
    tuple[str, ...],
    NoDecode,
    BeforeValidator(lambda value: [part.strip() for part in value.split(",")] if isinstance(value, str) else value),
]


class Settings(BaseSettings):
    """One process's configuration. Secrets are `SecretStr`: printing the settings shows asterisks."""

    model_config = SettingsConfigDict(
        env_prefix="SMELT_", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    home: Path = Path(".smelt")
    bucket: str
    extract_queue_url: str
    bronze_queue_url: str
    uploads_queue_url: str
    silver_queue_url: str
    database_url: PostgresAddress | None = None  # only the loader and ops have one
    redis_url: RedisAddress
    # SQS's longest poll: idling costs $0.05 a worker-month instead of $0.21 at 5 s. A stop waits for the poll to end.
    receive_wait_seconds: int = Field(default=20, ge=0, le=20)
    # Processes isolate crashes, leaks and time limits; threads are for handlers that only wait.
    pool: Literal["prefork", "threads"] = "prefork"
    concurrency: int = Field(default=1, ge=1, le=64)
    # A child process is replaced after so many messages, or once it has so much resident memory.
    max_tasks_per_child: int = Field(default=1_000, ge=1)
    max_memory_per_child_mib: int = Field(default=1_024, ge=64)
    # A stop waits so long for work under way before it gives it back; with a poll of 20 s below ECS's 120 s.
    stop_timeout_seconds: int = Field(default=80, ge=1)
    # Limits of input: an object as stored and as expanded, one JSON document (held in memory; lines and rows are not),
    # a record; levels of nesting in a record.
    max_object_mib: int = Field(default=5_120, ge=1)  # the most that S3 takes in one request
    max_expanded_mib: int = Field(default=8_192, ge=1)  # about three minutes of a worker
    max_document_mib: int = Field(default=128, ge=1)  # the largest real page seen has 70; no larger one is stored
    max_record_mib: int = Field(default=16, ge=1)  # the largest real posting seen has 0.24
    max_nesting: int = Field(default=64, ge=1, le=200)  # a posting has seven; orjson writes up to 254
    ignored_files: Patterns = IGNORED_FILES  # in the environment: separated by commas
    # Keep each record's raw JSON in Postgres too (`silver.raw`). Bronze has it in any case, and loading takes longer.
    keep_raw: bool = False
    liveness_file: Path | None = None
    log_level: str = "INFO"

    def queue_url(self, queue: Queue) -> str:
        """The URL of one of `shared.config.topology.QUEUES`."""
        return {
            "extractor": self.extract_queue_url,
            "transformer": self.bronze_queue_url,
            "uploads": self.uploads_queue_url,
            "loader": self.silver_queue_url,
        }[queue.service]


def load_settings() -> Settings:
    """The settings of this process's environment, and of files where it names a folder of secrets.

    Raises PermanentError that names what is missing or wrong.
    """
    secret_files.read()
    try:
        return Settings()
    except ValidationError as error:
        problems = (f"SMELT_{str(e['loc'][0]).upper()} ({e['msg'].lower()})" for e in error.errors())
        message = f"wrong environment: {', '.join(problems)}; `smelt env` prints that of the embedded stack"
        raise PermanentError(message) from None
