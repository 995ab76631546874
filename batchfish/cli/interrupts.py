"""Signals while nothing is on its way: the process unwinds and ends with the signal's exit code.

This module is imported before any other of the command line, so it imports nothing but `signal`. While a
batch runs, `cli/signals.py` takes the same signals.
"""

from __future__ import annotations

import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType
    from typing import Any, NoReturn

HEEDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SIGNAL_BASE = 128


class Interrupted(SystemExit):
    """A signal arrived; the exit code is 128 and its number.

    It is a SystemExit, which asyncio hands on at once and no `except Exception` swallows.
    """

    def __init__(self, number: int) -> None:
        self.exit_code = SIGNAL_BASE + number
        super().__init__(self.exit_code)


def raise_interrupted(number: int, _frame: FrameType | None = None) -> NoReturn:
    """Unwind at a signal: files are closed, locks released, and the local agent is let go."""
    raise Interrupted(number)


def install() -> Mapping[int, Any]:
    """Install the handlers and return those that were there; only the main thread can, others get nothing."""
    try:
        return {number: signal.signal(number, raise_interrupted) for number in HEEDED}
    except ValueError:
        return {}


def restore(handlers: Mapping[int, Any]) -> None:
    """Put back the handlers that `install` has returned."""
    for number, handler in handlers.items():
        signal.signal(number, handler)
