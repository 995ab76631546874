"""Messages go out harmless, or not at all: never do they end what they tell of."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from batchfish.cli.console import Console, put

if TYPE_CHECKING:
    import pytest


class Gone(io.StringIO):
    """A stream whose reader has left."""

    def write(self, _: str) -> int:
        raise BrokenPipeError


def test_that_nobody_listens_any_more_ends_nothing() -> None:
    Console(stream=Gone()).warn("a notice")


def test_half_a_character_can_be_shown(capfd: pytest.CaptureFixture[str]) -> None:
    put("half \ud83d of one")
    assert capfd.readouterr().out == "half \\xd83d of one\n"
