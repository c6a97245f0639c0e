"""`smelt drift`: what runs and uploads brought that nobody expected."""

import json
import os
import subprocess
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.integration.test_completion import records, upload
from tests.integration.test_loader import load
from tests.support import smelt_server

pytestmark = pytest.mark.integration


def drift(*arguments: str) -> str:
    command = [str(smelt_server.program()), "drift", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=dict(os.environ)).stdout


def found(*arguments: str) -> list[Any]:
    return [
        (one["kind"], one["path"], one["detail"], one["records"]) for one in json.loads(drift("--json", *arguments))
    ]


def test_drift_of_an_upload_is_told_and_can_be_narrowed(database: Engine) -> None:
    load(database, upload(*records(*range(1, 31), Future=1)))
    assert found() == [("unknown_field", "Future", "number", 30)]
    assert found("--kind", "new_value") == []
    assert found("--dataset", "reference_table") == []
    assert found("--since", "0s") == []
    assert "Future" in drift()


def test_without_drift_it_says_so(database: Engine) -> None:
    load(database, upload(*records(1, 2)))
    assert drift() == "no drift\n"
