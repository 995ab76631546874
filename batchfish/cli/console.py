"""How the command speaks: messages on standard error, data on standard output, nothing hostile on either."""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

from batchfish.errors import StorageFailed

# What a page says may hold control characters, those that turn the direction of text, and halves of
# characters, which cannot be written at all.
_HOSTILE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Console:
    """Where messages go, and how many of them."""

    stream: TextIO
    is_quiet: bool = False
    is_verbose: bool = False

    def say(self, text: str) -> None:
        """Tell a person how things are, unless they want to hear of trouble alone."""
        if not self.is_quiet:
            self.warn(text)

    def warn(self, text: str) -> None:
        """Print what is wrong. Where the stream cannot be written, printing ends; the batch goes on."""
        try:
            print(harmless(text), file=self.stream, flush=True)
        except OSError:
            silence(self.stream)


def harmless(text: str) -> str:
    """Spell out control characters, so that no page can write to a terminal what it likes."""
    return _HOSTILE.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def put(text: str) -> None:
    """Print data on standard output, for a command that does nothing else.

    BrokenPipeError where its reader has left, StorageFailed where it cannot be written, as on a full disk.
    """
    try:
        print(harmless(text), flush=True)
    except BrokenPipeError:
        silence(sys.stdout)
        raise
    except OSError as error:
        silence(sys.stdout)
        raise StorageFailed(f"standard output cannot be written: {error.strerror}") from error


def put_object(**members: object) -> None:
    """Give one JSON object to whoever reads standard output."""
    put(json.dumps(members, default=str))


def put_beside_work(text: str) -> None:
    """Print data on standard output, for a command that has a batch to bring to its end.

    Where it cannot be written, printing ends and the batch goes on; a departed reader is not worth a word.
    """
    with suppress(BrokenPipeError):
        try:
            put(text)
        except StorageFailed as error:
            Console(stream=sys.stderr).warn(f"batchfish: {error}; nothing more is printed there")


def silence(stream: TextIO) -> None:
    """Point a stream at nothing, so that what it still holds cannot fail when the process ends."""
    with suppress(OSError, ValueError):  # a stream without a file of its own has nothing to redirect
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def flush(stream: TextIO) -> None:
    """Write what a stream still holds; a stream that cannot be written is silenced."""
    try:
        stream.flush()
    except (OSError, ValueError):
        silence(stream)


def spell_time(at: float) -> str:
    """Return a moment (epoch seconds) as a date and a time in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def is_terminal() -> bool:
    """Whether a person is there to be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str) -> bool:
    """Ask a person; only a clear yes is one."""
    print(f"{harmless(question)} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
