"""`batchfish completion`: prints a script by which a shell completes commands, options and batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchfish.cli.console import put
from batchfish.cli.exits import ExitCode
from batchfish.cli.parser import argument, one_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.cli.console import Console


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """The options of `completion`."""

    shell: str = argument(
        "SHELL", "the shell: bash, zsh or fish", parse=one_of("bash", "fish", "zsh", what="shell")
    )


def run(options: Options, _env: Mapping[str, str], _console: Console) -> int:
    """Print the completion script of a shell."""
    from batchfish.cli.shell_completion import script_for

    put(script_for(options.shell).rstrip("\n"))
    return ExitCode.OK
