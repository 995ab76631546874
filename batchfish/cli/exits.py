"""What each exit code promises; the numbers are public and never a count."""

from __future__ import annotations

from enum import IntEnum

from batchfish import errors
from batchfish.cli.interrupts import SIGNAL_BASE

__all__ = ["SIGNAL_BASE", "STOPS", "ExitCode", "exit_code_of"]


class ExitCode(IntEnum):
    """0, 1 and 4 of a finished batch are repeated by every rerun; to retry 75 by rule is harmless."""

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
"""The exit codes of a run that stopped by itself, by the kind of its stop; a signal has its own number."""


def exit_code_of(error: errors.BatchfishError) -> ExitCode:
    """Tell the exit code by what the caller may do next."""
    match error:
        case errors.WrongInput():
            return ExitCode.USAGE
        case errors.NeedsYes():
            return ExitCode.NEEDS_YES
        case errors.NotPermitted():
            return ExitCode.NOPERM
        case errors.StorageFailed():
            return ExitCode.IOERR
        case errors.TryLater() | errors.WebAgentUnavailable():
            return ExitCode.TEMPFAIL
        case _:
            return ExitCode.SOFTWARE
