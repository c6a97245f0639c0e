"""The emulator as compose.yaml runs it: it makes its resources itself, also after a kill."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from infra.embedded import aws, ports
from infra.embedded.emulator.access import HEALTH
from shared.config.topology import EXTRACT, QUEUES

pytestmark = pytest.mark.integration

KEY = "key-of-this-test"


def start(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    """Until it passes for healthy, as `depends_on` waits."""
    command = aws.command(folder, port, KEY)
    process = subprocess.Popen([*command.arguments, "--make-resources"], cwd=folder, env=command.environment)
    deadline = time.monotonic() + 60
    while not ports.is_healthy(port, HEALTH):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process


def test_queues_bucket_and_messages_are_there_once_it_is_healthy_also_after_a_kill(tmp_path: Path) -> None:
    port = ports.choose({})["aws"]
    process = start(tmp_path, port)
    try:
        sqs, s3 = aws._clients(port, KEY)
        url = aws.queue_url(port, EXTRACT)
        sent = sqs.send_message(QueueUrl=url, MessageBody="kept")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process = start(tmp_path, port)
        (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
        assert message["MessageId"] == sent["MessageId"]
        assert len(sqs.list_queues()["QueueUrls"]) == 2 * len(QUEUES)
        assert s3.get_bucket_notification_configuration(Bucket=aws.BUCKET)["QueueConfigurations"]
    finally:
        process.kill()
        process.wait()
