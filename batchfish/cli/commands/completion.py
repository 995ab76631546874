"""`batchfish completion`: prints a script by which a shell completes commands, options and batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.cli.console import put
from batchfish.cli.documents import DocumentType, put_document
from batchfish.cli.exits import ExitCode
from batchfish.cli.options import Reporting
from batchfish.cli.parser import Arguments, argument, group, one_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.cli.console import Console


class Options(Arguments, frozen=True, kw_only=True):
    """The options of `completion`."""

    shell: str = argument(
        "SHELL", "the shell: bash, zsh or fish", parse=one_of("bash", "fish", "zsh", what="shell")
    )
    reporting: Reporting = group(Reporting, "output", only=("json",))


def run(options: Options, _env: Mapping[str, str], _console: Console) -> int:
    """Print the completion script of a shell."""
    from batchfish.cli.shell_completion import script_for

    script = script_for(options.shell)
    if options.reporting.json:
        put_document(DocumentType.COMPLETION, shell=options.shell, script=script)
    else:
        put(script.rstrip("\n"))
    return ExitCode.OK
