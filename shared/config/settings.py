"""Settings of all services, from environment variables with prefix `SMELT_`; boto3 reads its own (`AWS_…`)."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.config import secret_files
from shared.config.topology import Queue
from shared.config.urls import PostgresAddress, RedisAddress
from shared.errors import PermanentError

# Names of files under uploads/ that are not loaded; names ending with / are folders. Case-insensitive.
IGNORED_FILES = (
    # Spark and Hadoop: uncommitted files and metadata
    *("_temporary/", "_delta_log/", "_spark_metadata/", ".hive-staging*/", ".spark-staging*/", "*._COPYING_"),
    *("_SUCCESS", "_committed_*", "_started_*", "_metadata", "_common_metadata", "*.crc", "*_$folder$"),
    # Desktops
    *(".DS_Store", "._*", "__MACOSX/", ".Trashes/", ".fseventsd/", ".Spotlight-V100/"),
    *("Thumbs.db", "ehthumbs.db", "desktop.ini", "$RECYCLE.BIN/", "~$*", ".~lock.*#", ".nfs*"),
    # Unfinished transfers, and editors
    *("*.part", "*.partial", "*.filepart", "*.crdownload", "*.download", "*.tmp", "*.temp", "*.swp"),
)
Patterns = Annotated[
    tuple[str, ...],
    NoDecode,
    BeforeValidator(lambda value: [part.strip() for part in value.split(",")] if isinstance(value, str) else value),
]


class Settings(BaseSettings):
    """Settings of a process. Secrets are `SecretStr`, which prints as asterisks."""

    model_config = SettingsConfigDict(
        env_prefix="SMELT_", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    home: Path = Path(".smelt")
    bucket: str
    extract_queue_url: str
    bronze_queue_url: str
    uploads_queue_url: str
    silver_queue_url: str
    database_url: PostgresAddress | None = None  # set for the loader and ops only
    redis_url: RedisAddress
    # SQS's longest poll: an idle worker costs $0.05 a month instead of $0.21 with 5 s. A stop waits for the poll to
    # end.
    receive_wait_seconds: int = Field(default=20, ge=0, le=20)
    # Processes isolate crashes, leaks and time limits; threads suit handlers that mostly wait.
    pool: Literal["prefork", "threads"] = "prefork"
    concurrency: int = Field(default=1, ge=1, le=64)
    # A child process is replaced after this many messages, or above this much resident memory.
    max_tasks_per_child: int = Field(default=1_000, ge=1)
    max_memory_per_child_mib: int = Field(default=1_024, ge=64)
    # A stop waits this long for work in progress; with a poll of 20 s it stays below ECS's 120 s.
    stop_timeout_seconds: int = Field(default=80, ge=1)
    # Limits on input: an object as stored and decompressed, a JSON document (which is held in memory), a record, and
    # its nesting.
    max_object_mib: int = Field(default=5_120, ge=1)  # the most that S3 accepts in one request
    max_expanded_mib: int = Field(default=8_192, ge=1)  # about three minutes of a worker
    max_document_mib: int = Field(default=128, ge=1)  # the largest real page is 70 MiB
    max_record_mib: int = Field(default=16, ge=1)  # the largest real posting is 0.24 MiB
    max_nesting: int = Field(default=64, ge=1, le=200)  # a posting has seven; orjson writes up to 254
    ignored_files: Patterns = IGNORED_FILES  # in the environment: separated by commas
    # Also store each record's raw JSON in Postgres (`silver.raw`), which makes loading slower. Bronze always has it.
    keep_raw: bool = False
    liveness_file: Path | None = None
    log_level: str = "INFO"

    def queue_url(self, queue: Queue) -> str:
        """The URL of a queue of `shared.config.topology`."""
        return {
            "extractor": self.extract_queue_url,
            "transformer": self.bronze_queue_url,
            "uploads": self.uploads_queue_url,
            "loader": self.silver_queue_url,
        }[queue.service]


def load_settings() -> Settings:
    """Load settings from the environment and from secret files.

    Raises PermanentError naming the missing or invalid variables.
    """
    secret_files.read()
    try:
        return Settings()
    except ValidationError as error:
        problems = (f"SMELT_{str(e['loc'][0]).upper()} ({e['msg'].lower()})" for e in error.errors())
        message = f"invalid environment: {', '.join(problems)}; `smelt env` prints that of the embedded stack"
        raise PermanentError(message) from None
