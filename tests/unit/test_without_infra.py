"""Services without the package `infra`, as production images are built."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json, os, sys
sys.modules["infra"] = None  # an import of it fails, and nothing finds it
os.environ.pop("SMELT_BUCKET", None)
import services.ops.console.__main__, services.serving.__main__
from services.ops import connections, main
from shared.errors import PermanentError
try:
    connections.connect()
except PermanentError as error:
    said = str(error)
servers = [name for name in sys.modules if name.endswith(".__main__")]
print(json.dumps({"commands": sorted(main.Commands.lazy_commands), "said": said, "servers": servers}))
"""


@pytest.fixture(scope="module")
def without_infra() -> dict[str, object]:
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=120)
    answer: dict[str, object] = json.loads(result.stdout)
    return answer


def test_the_command_line_lacks_only_the_commands_of_the_stack_on_one_machine(without_infra: dict[str, object]) -> None:
    commands = without_infra["commands"]
    assert isinstance(commands, list)
    assert {"queues", "dlq", "check", "db", "upload"} <= set(commands)
    assert not {"up", "down", "status", "env"} & set(commands)


def test_what_is_not_set_is_named(without_infra: dict[str, object]) -> None:
    assert without_infra["said"] == "SMELT_BUCKET is not set"


@pytest.mark.parametrize("module", ["services.ops.console.__main__", "services.serving.__main__"])
def test_a_server_starts_without_it(module: str, without_infra: dict[str, list[str]]) -> None:
    assert module in without_infra["servers"]
