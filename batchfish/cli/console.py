"""Prints messages on standard error and data on standard output, with control characters escaped."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from batchfish.core.describe import harmless, several
from batchfish.errors import StorageFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batchfish.cli.failures import Failure


class Console:
    """Prints messages on a stream: all of them, or with `is_quiet` only what is wrong."""

    def __init__(self, *, stream: TextIO, is_quiet: bool = False, is_verbose: bool = False) -> None:
        """Print on this stream; `is_verbose` asks for more detail."""
        self.stream = stream
        self.is_quiet = is_quiet
        self.is_verbose = is_verbose
        self._print: Callable[[str], None] = self._print_line
        self.describe_failure: Callable[[Failure], str] | None = None
        """Returns the last document of a command that fails after its batch was launched."""

    def say(self, text: str) -> None:
        """Print a message, unless the console is quiet."""
        if not self.is_quiet:
            self.warn(text)

    def speak_up(self) -> None:
        """Print all messages from now on, also on a quiet console: something is wrong."""
        self.is_quiet = False

    def warn(self, text: str) -> None:
        """Print a message even if the console is quiet; a stream that cannot be written is given up."""
        try:
            self._print(harmless(text))
        except OSError:
            silence(self.stream)

    @contextmanager
    def printing_with(self, print_line: Callable[[str], None]) -> Iterator[None]:
        """Print messages with another function during the block, so that a progress bar can make room."""
        self._print = print_line
        try:
            yield
        finally:
            self._print = self._print_line

    def _print_line(self, text: str) -> None:
        print(text, file=self.stream, flush=True)


def put(text: str) -> None:
    """Print data on standard output, for a command that does nothing else.

    BrokenPipeError if its reader has closed it, StorageFailed if it cannot be written, as on a full disk.
    """
    try:
        print(harmless(text), flush=True)
    except BrokenPipeError:
        silence(sys.stdout)
        raise
    except OSError as error:
        silence(sys.stdout)
        raise StorageFailed(f"standard output cannot be written: {error.strerror}") from error


def put_if_possible(text: str) -> None:
    """Print data on standard output, for a command that runs a batch.

    If it cannot be written, nothing more is printed and the batch goes on; a reader that has closed it is
    not worth a message.
    """
    with suppress(BrokenPipeError):
        try:
            put(text)
        except StorageFailed as error:
            Console(stream=sys.stderr).warn(f"batchfish: {error}; nothing more is printed there")


def silence(stream: TextIO) -> None:
    """Redirect a stream to /dev/null, so that its buffer cannot fail to be written at exit."""
    with suppress(OSError, ValueError):  # a stream without a file has nothing to redirect
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def flush(stream: TextIO) -> None:
    """Write the buffer of a stream; a stream that cannot be written is silenced."""
    try:
        stream.flush()
    except (OSError, ValueError):
        silence(stream)


def are(number: int, noun: str) -> str:
    """Return `1 item is`, `2 items are`."""
    return f"{several(number, noun)} {'is' if number == 1 else 'are'}"


def spell_time(at: float) -> str:
    """Return a moment (epoch seconds) as a date and a time in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def is_terminal() -> bool:
    """Return whether a person can be asked: input and messages are at a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str) -> bool:
    """Ask a person; return whether the answer was y or yes."""
    print(f"{harmless(question)} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
