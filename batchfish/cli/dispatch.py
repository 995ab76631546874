"""Parses a command line, calls the command, and turns errors into messages and exit codes."""

from __future__ import annotations

import errno
import logging
import os
import signal
import sqlite3
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from batchfish.cli.agreement import Agreement
from batchfish.cli.arguments import build
from batchfish.cli.console import Console, ask, flush, is_terminal, put
from batchfish.cli.exits import ExitCode, exit_code_of
from batchfish.cli.interrupts import SIGNAL_BASE
from batchfish.errors import BatchfishError, WebAgentUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

VERBS = {
    "run": "batchfish.cli.commands.run",
    "try": "batchfish.cli.commands.try_",
    "resume": "batchfish.cli.commands.resume",
    "retry": "batchfish.cli.commands.retry",
    "cancel": "batchfish.cli.commands.cancel",
    "audit": "batchfish.cli.commands.audit",
    "held": "batchfish.cli.commands.held",
    "validate": "batchfish.cli.commands.validate",
    "plan": "batchfish.cli.commands.plan",
    "status": "batchfish.cli.commands.status",
    "results": "batchfish.cli.commands.results",
    "explain": "batchfish.cli.commands.explain",
    "ls": "batchfish.cli.commands.ls",
    "serve": "batchfish.cli.commands.serve",
}
"""Where each verb lives; it is imported when it is called, so that help and status come at once."""

DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})
"""The errors by which the operating system reports a disk that is full, broken or read-only."""


def dispatch(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    _open_closed_streams()
    try:
        return _run(argv)
    finally:
        for stream in (sys.stdout, sys.stderr):
            flush(stream)


def _run(argv: Sequence[str] | None) -> int:
    os.umask(0o077)
    console = Console(stream=sys.stderr)
    try:
        args = build().parse_args(argv)
        if args.version:
            from importlib.metadata import version

            put(f"batchfish {version('batchfish')}")
            return ExitCode.OK
        if args.verb is None:
            build().print_help()
            return ExitCode.USAGE
        console = Console(stream=sys.stderr, is_quiet=args.quiet, is_verbose=args.verbose)
        if "accept" in args:
            args.agreement = Agreement(args.accept, yes=args.yes, ask=ask if is_terminal() else None)
        if args.verbose:
            logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(message)s")
            logging.getLogger("httpx").setLevel(logging.INFO)
            logging.getLogger("batchfish").setLevel(logging.DEBUG)
        code: int = import_module(VERBS[args.verb]).run(args, os.environ, console)
    except WebAgentUnavailable as error:
        console.warn(
            f"batchfish: the API gave no answer ({error}). Try again later: the same command goes on."
        )
        return exit_code_of(error)
    except BatchfishError as error:
        console.warn(f"batchfish: {error}")
        return exit_code_of(error)
    except BrokenPipeError:
        # The reader of our output has left: the exit code that a program has which SIGPIPE ends.
        return SIGNAL_BASE + signal.SIGPIPE
    except sqlite3.Error as error:
        console.warn(f"batchfish: the journal could not be read or written: {error}")
        return ExitCode.IOERR
    except ModuleNotFoundError as error:
        console.warn(
            f"batchfish: {error.name} is not installed. For the local agent: pip install 'batchfish[local]'."
        )
        return ExitCode.USAGE
    except Exception as error:  # noqa: BLE001 - a bug of ours must not look like a batch's end
        if (disk := _disk_error(error)) is not None:
            console.warn(f"batchfish: {disk.filename or 'a file'} cannot be written: {disk.strerror}")
            return ExitCode.IOERR
        console.warn(
            f"{traceback.format_exc()}batchfish: this is a bug; the journal is safe, and `run` goes on"
        )
        return ExitCode.SOFTWARE
    return code


def _disk_error(error: Exception) -> OSError | None:
    """Return the error of a full or broken disk that this one is, or holds as a group."""
    if isinstance(error, ExceptionGroup):
        return next((disk for one in error.exceptions if (disk := _disk_error(one))), None)
    return error if isinstance(error, OSError) and error.errno in DISK_ERRORS else None


def _open_closed_streams() -> None:
    """Put nothing in the place of standard streams that whoever started us has closed.

    A journal or a connection would get their numbers, and whatever is written to them.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - to the very end
