"""The progress bar on a terminal: messages stand on lines of their own above it."""

from __future__ import annotations

import os
import pty
import re
import termios
from typing import TYPE_CHECKING

import pytest

from tests.endtoend.serving import PATIENCE

if TYPE_CHECKING:
    from tests.cli.shop import Shop

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def as_shown(raw: str) -> list[str]:
    """Return the lines of a terminal after this output: a carriage return lets text be overwritten."""
    lines = []
    for line in ESCAPES.sub("", raw).split("\n"):
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part) :]
        lines.append(shown.rstrip())
    return lines


@pytest.mark.process
@pytest.mark.parametrize("flags", [(), ("-v",)])
def test_a_message_stands_on_its_own_line_while_the_bar_is_drawn(
    patient_shop: Shop, flags: tuple[str, ...]
) -> None:
    patient_shop.write(1, 2)
    terminal, end = pty.openpty()
    termios.tcsetwinsize(end, (24, 100))
    raw = b""
    try:
        process = patient_shop.start("--progress", "bar", *flags, stderr=end)
        os.close(end)
        while b"2 running" not in raw:
            raw += os.read(terminal, 4096)
        patient_shop.command("cancel", patient_shop.name)
        try:
            while part := os.read(terminal, 4096):
                raw += part
        except OSError:  # the process has ended, and with it the terminal's other side
            pass
        process.communicate(timeout=PATIENCE)
    finally:
        os.close(terminal)
    lines = as_shown(raw.decode())
    assert "stopping: cancelled on request" in lines, lines
    logged = [line for line in lines if "HTTP Request" in line]
    assert bool(logged) == bool(flags)
    assert all(re.match(r"\d{4}-\d\d-\d\d ", line) for line in logged), logged
