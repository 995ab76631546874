"""How the command speaks: messages on standard error, data on standard output, nothing hostile on either."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TextIO

# What a page says may hold control characters, those that turn the direction of text, and halves of
# characters, which cannot be written at all.
_HOSTILE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Voice:
    """Where messages go, and how many of them."""

    stream: TextIO
    is_quiet: bool = False
    is_verbose: bool = False

    def say(self, text: str) -> None:
        """Tell a person how things are, unless they want to hear of trouble alone."""
        if not self.is_quiet:
            self.warn(text)

    def warn(self, text: str) -> None:
        """Tell a person what is wrong; that nobody listens any more ends no batch."""
        with suppress(OSError):
            print(harmless(text), file=self.stream, flush=True)


def harmless(text: str) -> str:
    """Spell out control characters, so that no page can write to a terminal what it likes."""
    return _HOSTILE.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def put(text: str) -> None:
    """Give data to whoever reads standard output."""
    print(harmless(text), flush=True)


def several(number: int, noun: str) -> str:
    """Write `1 item`, `2 items`, `12,000 items`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def is_terminal() -> bool:
    """Whether a person is there to be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str) -> bool:
    """Ask a person; only a clear yes is one."""
    print(f"{harmless(question)} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
