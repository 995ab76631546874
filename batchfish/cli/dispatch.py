"""Parses a command line, calls the command, and turns errors into messages and exit codes."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, TextIO

from batchfish import __version__
from batchfish.cli.commands import COMMANDS, GROUPS
from batchfish.cli.console import Console, flush, put, put_if_possible
from batchfish.cli.exits import ExitCode
from batchfish.cli.interrupts import SIGNAL_BASE, Interrupted
from batchfish.core.describe import nearest
from batchfish.errors import WrongUsage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchfish.cli.commands import Command

DESCRIPTION = "Run many URLs through a web agent, and never pay twice for one."
EPILOG = """\
`batchfish COMMAND --help` shows the options of a command, `batchfish --version` the version.
Exit codes, manifests and how to continue after an interruption: README.md."""
TRY_HELP = "Try `batchfish --help`."

JSON = "--json"
"""The option of documents: also where the command line is wrong, an error is printed as one."""


def dispatch(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; None stands for the arguments of this process."""
    _open_closed_streams()
    try:
        return _run(sys.argv[1:] if argv is None else argv)
    finally:
        for stream in (sys.stdout, sys.stderr):
            flush(stream)


def _run(words: Sequence[str]) -> int:
    """Call a command, and turn its errors into messages, documents and exit codes."""
    os.umask(0o077)
    console = Console(stream=sys.stderr)
    try:
        return _call(words, console)
    except BrokenPipeError:
        # The reader closed our output: the exit code is that of a program that SIGPIPE ends.
        return SIGNAL_BASE + signal.SIGPIPE
    except Interrupted as error:
        _fail(error, words, console)
        raise
    except Exception as error:  # noqa: BLE001 - a bug must not end with the exit code of a finished batch
        return _fail(error, words, console)


def _fail(error: BaseException, words: Sequence[str], console: Console) -> int:
    """Report an error that ended a command, as a document if its words ask for JSON; return its exit code."""
    from batchfish.cli.documents import describe_failure
    from batchfish.cli.failures import ErrorKind, failure_of

    failure = failure_of(error)
    if failure.kind is not ErrorKind.INTERRUPTED:
        console.warn(f"{_trace(error) if failure.kind is ErrorKind.BUG else ''}batchfish: {failure}")
    if JSON in words:
        describe = console.describe_failure or describe_failure
        put_if_possible(describe(failure))
    return failure.exit_code


def _trace(error: BaseException) -> str:
    """Return the trace of a bug; it is empty if no file can be opened."""
    try:
        import traceback  # slow to import, and needed for bugs alone
    except OSError:
        return ""
    return "".join(traceback.format_exception(error))


def _call(words: Sequence[str], console: Console) -> int:
    """Parse a command line and run its command."""
    match list(words):
        case []:
            put(overview())
            return ExitCode.USAGE
        case ["-h" | "--help", *_]:
            put(overview())
            return ExitCode.OK
        case ["--version", *_]:
            put(f"batchfish {__version__}")
            return ExitCode.OK
        case [name, *arguments]:
            command = find_command(name)
    _import_msgspec()
    # `batchfish --help` needs none of these. What reports errors is loaded while files can still be opened.
    from batchfish.cli import documents, failures  # noqa: F401
    from batchfish.cli.options import Messages
    from batchfish.cli.parser import build, parse

    module = import_module(f"batchfish.cli.commands.{command.module}")
    parser = build(command.name, command.summary, module.Options, Messages)
    options, messages = parse(parser, arguments, module.Options, Messages)
    console.is_quiet, console.is_verbose = messages.quiet, messages.verbose
    if messages.verbose:
        _log_requests(sys.stderr)
    code: int = module.run(options, os.environ, console)
    return code


def _import_msgspec() -> None:
    """Import msgspec as if typing_extensions, which takes as long to import as msgspec, were not installed.

    msgspec requires no other package: without this one it takes the same names from `typing`.
    """
    if sys.modules.setdefault("typing_extensions", None) is None:  # type: ignore[arg-type]
        with suppress(ImportError):  # if it requires it one day, the next import succeeds
            import msgspec  # noqa: F401
        del sys.modules["typing_extensions"]


def _log_requests(stream: TextIO) -> None:
    """Log the requests to the API, and what is strange about its answers."""
    import logging  # which most commands do not need

    from batchfish.core.log_lines import HarmlessFormatter

    handler = logging.StreamHandler(stream)
    handler.setFormatter(HarmlessFormatter("%(asctime)s %(message)s"))
    logging.basicConfig(handlers=[handler])
    logging.getLogger("batchfish").setLevel(logging.DEBUG)


def overview() -> str:
    """Return what `batchfish --help` prints: the commands in their groups."""
    lines = ["usage: batchfish COMMAND [OPTION ...]", "", DESCRIPTION]
    for title, commands in GROUPS.items():
        lines += ["", f"{title}:", *(f"  {one.name:<12}{one.summary}" for one in commands)]
    return "\n".join([*lines, "", EPILOG])


def find_command(name: str) -> Command:
    """Return the command of this name; WrongUsage names the nearest one."""
    if name in COMMANDS:
        return COMMANDS[name]
    if name.startswith("-"):
        given = name.partition("=")[0]
        raise WrongUsage(f"unknown argument {given} (options go after the command)", remedy=TRY_HELP)
    near = nearest(name, COMMANDS)
    hint = f"did you mean {near}?" if near else f"there are: {', '.join(COMMANDS)}"
    raise WrongUsage(f"there is no command {name!r} ({hint})", remedy=TRY_HELP)


def _open_closed_streams() -> None:
    """Open /dev/null for standard streams that were closed when the process started.

    Else a journal or a connection would get their file descriptors, and messages would be written there.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            from pathlib import Path

            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - stays open until the process ends
