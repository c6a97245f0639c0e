"""A worker that counts its requests to AWS: python -m bench.counting MODULE, with the file in BENCH_COUNTS."""

import os
import runpy
import sys
from typing import Any

import boto3

EMPTY = "sqs.ReceiveMessage, empty"


def main(module: str, counts: str) -> None:
    """Work until told to stop. Every answered request is a line of the file."""
    descriptor = os.open(
        counts, os.O_WRONLY | os.O_APPEND | os.O_CREAT
    )  # short appends of several processes stay whole

    def count(event_name: str, parsed: dict[str, Any], **_: Any) -> None:
        name = event_name.removeprefix("after-call.")
        if name == "sqs.ReceiveMessage" and not parsed.get("Messages"):
            name = EMPTY
        os.write(descriptor, f"{name}\n".encode())

    boto3.setup_default_session()
    boto3.DEFAULT_SESSION.events.register("after-call", count)  # type: ignore[union-attr]
    runpy.run_module(module, run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1], os.environ["BENCH_COUNTS"])
