"""The errors that end a command: their kinds, which are public, and the exit code of each."""

from __future__ import annotations

import errno
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from batchfish import errors
from batchfish.cli.exits import ExitCode
from batchfish.cli.interrupts import Interrupted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.pipeline.context import Stop

DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})
"""The errors by which the operating system reports a disk that is full, broken or read-only."""

AGAIN = "Try again later: the same command goes on."


class ErrorKind(StrEnum):
    """The kinds of errors that end a command; `error.kind` in the documents of `--json`.

    They are public: kinds are only added, and never renamed.
    """

    USAGE = "usage"
    INVALID_MANIFEST = "invalid_manifest"
    WRONG_INPUT = "wrong_input"
    WRONG_API = "wrong_api"
    MISSING_PACKAGE = "missing_package"
    NEEDS_YES = "needs_yes"
    NOT_PERMITTED = "not_permitted"
    BATCH_BUSY = "batch_busy"
    NO_CREDITS = "no_credits"
    DAILY_LIMIT = "daily_limit"
    UNREACHABLE = "unreachable"
    TRY_LATER = "try_later"
    STORAGE_FAILED = "storage_failed"
    INTERRUPTED = "interrupted"
    BUG = "bug"


EXIT_CODES: Mapping[ErrorKind, ExitCode] = {
    ErrorKind.USAGE: ExitCode.USAGE,
    ErrorKind.INVALID_MANIFEST: ExitCode.USAGE,
    ErrorKind.WRONG_INPUT: ExitCode.USAGE,
    ErrorKind.WRONG_API: ExitCode.USAGE,
    ErrorKind.MISSING_PACKAGE: ExitCode.USAGE,
    ErrorKind.NEEDS_YES: ExitCode.NEEDS_YES,
    ErrorKind.NOT_PERMITTED: ExitCode.NOPERM,
    ErrorKind.BATCH_BUSY: ExitCode.TEMPFAIL,
    ErrorKind.NO_CREDITS: ExitCode.TEMPFAIL,
    ErrorKind.DAILY_LIMIT: ExitCode.TEMPFAIL,
    ErrorKind.UNREACHABLE: ExitCode.TEMPFAIL,
    ErrorKind.TRY_LATER: ExitCode.TEMPFAIL,
    ErrorKind.STORAGE_FAILED: ExitCode.IOERR,
    ErrorKind.BUG: ExitCode.SOFTWARE,
}
"""The exit code of each kind; that of an interruption is 128 plus the number of the signal."""

ERROR_STOPS: Mapping[str, tuple[ErrorKind, str]] = {
    "no_credits": (ErrorKind.NO_CREDITS, "Add credits to the account, then go on."),
    "daily_limit": (ErrorKind.DAILY_LIMIT, "Go on when the account's day is over."),
    "unreachable": (ErrorKind.UNREACHABLE, "Go on when the API can be reached again."),
    "key_refused": (ErrorKind.NOT_PERMITTED, "Check the API key, then go on."),
    "wrong_api": (ErrorKind.WRONG_API, "Check the address of the API, then go on."),
    "unread_runs": (ErrorKind.NEEDS_YES, "Decide about these runs, then go on."),
}
"""The kinds of stops that are errors, and what to do about them; the others follow a rule or a request."""


class Failure(Struct, frozen=True, kw_only=True):
    """An error that ends a command. `remedy` is what to do next, None if that is not known.

    `question` is the name by which `--accept` agrees, and `problems` are those of a manifest.
    """

    kind: ErrorKind
    exit_code: int
    message: str
    remedy: str | None = None
    question: str | None = None
    problems: tuple[errors.Problem, ...] = ()

    def __str__(self) -> str:
        """Return the message with its remedy."""
        return errors.with_remedy(self.message, self.remedy)

    def members(self) -> dict[str, Any]:
        """Return the members of `error` in a document."""
        return {
            "kind": self.kind,
            "message": self.message,
            "remedy": self.remedy,
            "question": self.question,
            "problems": [problem._asdict() for problem in self.problems],
        }


def failure_of(error: BaseException) -> Failure:
    """Return how an error that ends a command is reported; one that nobody expects is a bug."""
    match error:
        case Interrupted():
            message = "interrupted by a signal"
            return Failure(kind=ErrorKind.INTERRUPTED, exit_code=error.exit_code, message=message)
        case errors.WebAgentUnavailable():
            return _failure(ErrorKind.UNREACHABLE, f"the API gave no answer ({error})", AGAIN)
        case errors.BatchfishError():
            return Failure(
                kind=(kind := _kind_of(error)),
                exit_code=EXIT_CODES[kind],
                message=error.message,
                remedy=error.remedy,
                question=error.question if isinstance(error, errors.NeedsYes) else None,
                problems=error.problems if isinstance(error, errors.ManifestError) else (),
            )
        case ModuleNotFoundError():
            remedy = "For the local agent: pip install 'batchfish[local]'."
            return _failure(ErrorKind.MISSING_PACKAGE, f"{error.name} is not installed", remedy)
    if (disk := _disk_error(error)) is not None:
        message = f"{disk.filename or 'a file'} cannot be written: {disk.strerror}"
        return _failure(ErrorKind.STORAGE_FAILED, message, "Make room, then run the same command again.")
    remedy = "The journal is intact: the same command goes on."
    return _failure(ErrorKind.BUG, f"this is a bug in batchfish ({type(error).__name__})", remedy)


def failure_of_stop(stop: Stop | None) -> Failure | None:
    """Return the error that stopped a run; None if it did not stop, or by a rule or a request."""
    if stop is None or stop.kind not in ERROR_STOPS:
        return None
    kind, remedy = ERROR_STOPS[stop.kind]
    return _failure(kind, stop.message, remedy)


def _failure(kind: ErrorKind, message: str, remedy: str) -> Failure:
    return Failure(kind=kind, exit_code=EXIT_CODES[kind], message=message, remedy=remedy)


def _kind_of(error: errors.BatchfishError) -> ErrorKind:
    match error:
        case errors.WrongUsage():
            return ErrorKind.USAGE
        case errors.ManifestError():
            return ErrorKind.INVALID_MANIFEST
        case errors.WrongInput():
            return ErrorKind.WRONG_INPUT
        case errors.NeedsYes():
            return ErrorKind.NEEDS_YES
        case errors.NotPermitted():
            return ErrorKind.NOT_PERMITTED
        case errors.BatchBusy():
            return ErrorKind.BATCH_BUSY
        case errors.TryLater():
            return ErrorKind.TRY_LATER
        case errors.StorageFailed():
            return ErrorKind.STORAGE_FAILED
        case _:
            return ErrorKind.BUG


def _disk_error(error: BaseException) -> OSError | None:
    """Return an error if it comes from a full or broken disk; of a group, the first such error."""
    if isinstance(error, BaseExceptionGroup):
        return next((disk for one in error.exceptions if (disk := _disk_error(one))), None)
    return error if isinstance(error, OSError) and error.errno in DISK_ERRORS else None
