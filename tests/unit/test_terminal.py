"""What reaches a person's terminal."""

import json

import pytest

from services.ops.cli import output as terminal


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
