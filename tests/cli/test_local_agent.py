"""The local agent of commands that follow one another: each works with the options that it was given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Command


@pytest.mark.process
def test_options_hold_right_after_a_command_that_gave_others(command: Command) -> None:
    for name in ("first", "second"):
        (command.folder / f"{name}.csv").write_text(f"url\nhttps://{name}.example/\n")
    rehearse = ("--goal", "Read it.", "--local", "--engine", "simulate", "--simulate")
    assert command("run", "first.csv", *rehearse, "duration=0.01,empty=1").code == 1
    assert command("run", "second.csv", *rehearse, "duration=0.01").code == 0
