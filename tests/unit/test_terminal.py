"""What reaches a person's terminal."""

import json
from dataclasses import replace

import pytest
from rich.console import Console

from services.ops.cli import output as terminal
from services.ops.dlq.cli_output import to_json
from services.ops.dlq.dead_letters import DeadLetter


def test_text_from_outside_can_neither_colour_nor_control_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    key = "[red]x[/red] \x1b[31m\x07\r\n y"
    terminal.say(f"[b]key[/b]: {terminal.plain(key)}")
    assert capsys.readouterr().out == "key: [red]x[/red] \\x1b[31m\\x07\\r\\n y\n"


def test_json_is_one_line_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"key": "[red]x[/red]", "list": ["[b]"], "long": "y" * 500}
    terminal.say_json(value)
    output = capsys.readouterr().out
    assert output.count("\n") == 1
    assert json.loads(output) == value


def test_a_narrow_table_wraps_an_id_and_cuts_none() -> None:
    identity = "bronze/things/date=2026-01-01/run=20260101T000000Z-0badcafe/part=0001/page=0001.json.gz"
    rows = terminal.table("id", "state")
    rows.add_row(identity, "running")
    console = Console(width=40)
    with console.capture() as capture:
        console.print(rows)
    words = [line.split() for line in capture.get().splitlines()[1:]]
    assert "".join(line[0] for line in words) == identity


def test_the_attempts_of_a_dead_letter_are_a_number_or_unknown() -> None:
    letter = DeadLetter("smelt-bronze", "a-1", "{}", "PermanentError", "no", "3", sent=1.0)
    assert to_json(letter, 2.0)["attempts"] == 3
    assert to_json(replace(letter, attempts="unknown"), 2.0)["attempts"] is None
