"""Writes docs/commands.md, the command reference, from the classes that the parsers are built from.

`make docs` runs it; a test checks that the page is what it would write.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from batchfish.cli.commands import GROUPS
from batchfish.cli.options import Messages
from batchfish.cli.parser import POSITIONAL, arguments_of, usage_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batchfish.cli.commands import Command
    from batchfish.cli.parser import Argument

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
HEAD = """\
# Commands

The commands with their arguments and options, the common ones first;
`batchfish COMMAND --help` prints the same.
A time is written with its unit: `250ms`, `30s`, `15m`, `2h`. Exit codes are in the
[README](../README.md#exit-codes). `make docs` writes this page from the program.
"""


def page() -> str:
    """Return the command reference in Markdown."""
    return "\n".join([HEAD, *_overview(), *(line for group in GROUPS.values() for line in _commands(group))])


def _overview() -> Iterator[str]:
    for title, commands in GROUPS.items():
        yield f"**{title}**\n"
        yield "| command | does |\n|---|---|"
        yield from (f"| [`{one.name}`](#{one.name}) | {_cell(one.summary)} |" for one in commands)
        yield ""


def _commands(commands: Sequence[Command]) -> Iterator[str]:
    for command in commands:
        options = import_module(f"batchfish.cli.commands.{command.module}").Options
        groups = arguments_of(options, Messages)
        yield f"## {command.name}\n"
        yield f"{command.summary[0].upper()}{command.summary[1:]}.\n"
        yield f"    {usage_of(command.name, groups)}\n"
        for title, specs in groups.items():
            yield f"| {title} | |\n|---|---|"
            yield from (f"| {_spell(title, spec)} | {_cell(spec.help)} |" for _, spec in specs)
            yield ""


def _spell(title: str, spec: Argument) -> str:
    value = f" {spec.metavar}" if spec.metavar and title != POSITIONAL else ""
    return ", ".join(f"`{name}{_cell(value)}`" for name in spec.names or (spec.metavar or "",))


def _cell(text: str) -> str:
    """Return a text as a cell of a table, with column marks escaped and template variables quoted."""
    return re.sub(r"(\{\{.*?\}\})", r"`\1`", text.replace("|", r"\|"))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"wrote docs/{PAGE.name}\n")
