"""Fail-points: nothing without the variable, and every name is used where the code hands something over."""

import subprocess
import sys
from pathlib import Path

from shared import failpoint

REPOSITORY = Path(failpoint.__file__).parent.parent


def test_without_the_variable_a_point_is_an_empty_function() -> None:
    assert failpoint.failpoint is failpoint._off
    assert subprocess.run([sys.executable, "-c", "from shared.failpoint import *; failpoint('x')"], check=True)


def test_every_named_point_is_in_the_code_once_and_no_other() -> None:
    code = "".join(
        path.read_text() for folder in ("shared", "services") for path in (REPOSITORY / folder).rglob("*.py")
    )
    assert [code.count(f'failpoint("{name}")') for name in failpoint.POINTS] == [1] * len(failpoint.POINTS)
    assert code.count('failpoint("') == len(failpoint.POINTS)
