"""The command reference in docs/ and the help of each command: both come from the same classes."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

from batchfish.cli.commands import COMMANDS, GROUPS
from batchfish.cli.dispatch import overview
from batchfish.cli.options import Messages
from batchfish.cli.parser import arguments_of, build
from tests.cli.command_reference import PAGE, page

VERBS_OF_HELP = re.compile(
    r"(?:a|an|the|list|ids?) |"  # what a positional argument is
    r"(?:agree|allow|begin|cancel|choose|decide|do not|exit|follow|give|keep|list|listen|log|number|poll|"
    r"check|print|read|rehearse|repeat|retry|run|search|select|send|serve|set|show|start|stop|submit|use|wait|work|write|create)\b"
)


def help_of(name: str) -> str:
    command = COMMANDS[name]
    options = import_module(f"batchfish.cli.commands.{command.module}").Options
    return build(command.name, command.summary, options, Messages).format_help()


def test_the_page_is_what_the_program_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "docs/commands.md is out of date: run `make docs`"


def test_the_overview_names_every_command_in_its_group() -> None:
    lines = overview().splitlines()
    for title, commands in GROUPS.items():
        at = lines.index(f"{title}:")
        assert [line.split()[0] for line in lines[at + 1 : at + 1 + len(commands)]] == [
            one.name for one in commands
        ]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_help_text_begins_with_a_verb_and_names_its_default(name: str) -> None:
    command = COMMANDS[name]
    options = import_module(f"batchfish.cli.commands.{command.module}").Options
    for specs in arguments_of(options, Messages).values():
        for _, spec in specs:
            assert VERBS_OF_HELP.match(spec.help), f"{spec.name}: {spec.help}"
            if spec.metavar in {"TIME", "N", "SECONDS"}:
                assert "(default: " in spec.help, f"{spec.name}: {spec.help}"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_help_of_a_command_fits_a_screen_or_has_groups(name: str) -> None:
    lines = help_of(name).splitlines()
    assert lines[0].startswith(f"usage: batchfish {name} ")
    assert all(len(line) <= 110 for line in lines)
    blocks = "\n".join(lines).split("\n\n")
    assert all(len(block.splitlines()) <= 22 for block in blocks)
