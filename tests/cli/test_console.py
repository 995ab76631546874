"""Messages are escaped, and a stream that cannot be written ends no command."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from batchfish.cli.console import Console, put

if TYPE_CHECKING:
    import pytest


class Gone(io.StringIO):
    """A stream whose reader has closed it."""

    def write(self, _: str) -> int:
        raise BrokenPipeError


def test_a_closed_stream_is_ignored() -> None:
    Console(stream=Gone()).warn("a notice")


def test_half_a_character_can_be_shown(capfd: pytest.CaptureFixture[str]) -> None:
    put("half \ud83d of one")
    assert capfd.readouterr().out == "half \\ud83d of one\n"
