"""Handles signals outside a run: the process unwinds and ends with the signal's exit code.

This module is imported before any other of the command line, so it imports nothing but `signal`. While a
batch runs, `cli/signals.py` handles the same signals.
"""

from __future__ import annotations

import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType
    from typing import Any, NoReturn

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SIGNAL_BASE = 128


class Interrupted(SystemExit):
    """A signal arrived; the exit code is 128 plus its number.

    It is a SystemExit, which asyncio raises again at once and no `except Exception` catches.
    """

    def __init__(self, number: int) -> None:
        self.exit_code = SIGNAL_BASE + number
        super().__init__(self.exit_code)


def raise_interrupted(number: int, _frame: FrameType | None = None) -> NoReturn:
    """Raise Interrupted, so that files are closed, locks released and the local agent is left."""
    raise Interrupted(number)


def install() -> Mapping[int, Any]:
    """Install the handlers and return the previous ones; none outside the main thread, which cannot."""
    try:
        return {number: signal.signal(number, raise_interrupted) for number in HANDLED}
    except ValueError:
        return {}


def restore(handlers: Mapping[int, Any]) -> None:
    """Install again the handlers that `install` returned."""
    for number, handler in handlers.items():
        signal.signal(number, handler)
