"""The exit codes, which are public, and the exit code of each stop."""

from __future__ import annotations

from enum import IntEnum

from batchfish.cli.interrupts import SIGNAL_BASE

__all__ = ["SIGNAL_BASE", "STOPS", "ExitCode"]


class ExitCode(IntEnum):
    """The exit codes of `batchfish`; none is a count.

    A finished batch ends with the same code, 0, 1 or 4, whenever it is run again. After 75 the same command
    can be repeated at any time.
    """

    OK = 0
    ITEMS_NOT_OK = 1
    USAGE = 2
    INCOMPLETE = 3
    CANCELLED = 4
    NO_ITEMS = 5
    NEEDS_YES = 6
    SOFTWARE = 70
    IOERR = 74
    TEMPFAIL = 75
    NOPERM = 77


STOPS: dict[str, ExitCode] = {
    "halted": ExitCode.INCOMPLETE,
    "budget": ExitCode.INCOMPLETE,
    "overrun": ExitCode.INCOMPLETE,
    "max_duration": ExitCode.INCOMPLETE,
    "only_stuck": ExitCode.INCOMPLETE,
    "slots_held": ExitCode.INCOMPLETE,
    "no_credits": ExitCode.TEMPFAIL,
    "daily_limit": ExitCode.TEMPFAIL,
    "unreachable": ExitCode.TEMPFAIL,
    "key_refused": ExitCode.NOPERM,
    "wrong_api": ExitCode.USAGE,
    "unread_runs": ExitCode.NEEDS_YES,
    "cancelled": ExitCode.CANCELLED,
}
"""The exit code of a run that stopped, by the kind of its stop; a signal ends with 128 plus its number."""
