"""Completion scripts for bash, zsh and fish, made from the options of the commands.

They are static: to complete a word, no process has to be started.
"""

from __future__ import annotations

import re
from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING

from msgspec import Struct

from batchfish.cli.commands import COMMANDS
from batchfish.cli.options import Messages
from batchfish.cli.parser import Argument, Choice, arguments_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

HELP = Argument(names=("-h", "--help"), metavar=None, help="show this help and exit")


class Values(Enum):
    """The kind of values that complete an argument, apart from fixed choices."""

    NOTHING = "nothing"
    FILES = "files"
    FOLDERS = "folders"
    BATCHES = "batches"
    """The names of the journals in this folder, or files: a batch is also named by its manifest."""


_BY_METAVAR = {
    "BATCH": Values.BATCHES,
    "FILE": Values.FILES,
    "FOLDER": Values.FOLDERS,
    "OTHER": Values.BATCHES,
    "URL|FILE": Values.FILES,
}


class CompletedCommand(Struct, frozen=True, kw_only=True):
    """A command with the arguments that follow it."""

    name: str
    summary: str
    positional: Sequence[Argument]
    options: Sequence[Argument]


def script_for(shell: str) -> str:
    """Return the completion script of a shell in SHELLS."""
    return SHELLS[shell](list(_commands()))


def _commands() -> Iterator[CompletedCommand]:
    for command in COMMANDS.values():
        options = import_module(f"batchfish.cli.commands.{command.module}").Options
        specs = [spec for group in arguments_of(options, Messages).values() for _, spec in group]
        yield CompletedCommand(
            name=command.name,
            summary=command.summary,
            positional=[one for one in specs if not one.names],
            options=[*(one for one in specs if one.names), HELP],
        )


def _values_of(spec: Argument) -> Values:
    return _BY_METAVAR.get(spec.metavar or "", Values.NOTHING)


def _choices_of(spec: Argument) -> Sequence[str]:
    return spec.parse.choices if isinstance(spec.parse, Choice) else ()


def _bash(commands: Sequence[CompletedCommand]) -> str:
    branches = []
    for command in commands:
        values = [line for spec in command.options if spec.metavar for line in _bash_value(spec)]
        words = [name for spec in command.options for name in spec.names]
        first = next(iter(command.positional), None)
        branches += [
            f"        {command.name})",
            '            case "$previous" in',
            *values,
            "            esac",
            f'            if [[ $word == -* ]]; then _batchfish_offer "{" ".join(words)}"',
            *([f"            else {_bash_action(first)}"] if first is not None else []),
            "            fi",
            "            ;;",
        ]
    names = " ".join(command.name for command in commands)
    return _BASH.format(commands=f"{names} --help --version", branches="\n".join(branches))


def _bash_value(spec: Argument) -> Iterator[str]:
    yield f"                {'|'.join(spec.names)}) {_bash_action(spec)}; return ;;"


def _bash_action(spec: Argument) -> str:
    if choices := _choices_of(spec):
        return f'_batchfish_offer "{" ".join(choices)}"'
    match _values_of(spec):
        case Values.BATCHES:
            return "_batchfish_batches"
        case Values.NOTHING:
            return "compopt +o default"
        case _:
            return ":"


_BASH = """\
# Completion of batchfish for bash; `batchfish completion bash` prints it.
_batchfish_offer() {{
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$word")
}}

_batchfish_batches() {{
    local file names=""
    for file in .batchfish/*.db .batchfish/local/*.db; do
        file=${{file##*/}}
        [[ $file == "*.db" || $file == *@try.db ]] || names+=" ${{file%.db}}"
    done
    _batchfish_offer "$names"
}}

_batchfish() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}}
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        _batchfish_offer "{commands}"
        return
    fi
    case "${{COMP_WORDS[1]}}" in
{branches}
    esac
}}

complete -o default -F _batchfish batchfish
"""


def _zsh(commands: Sequence[CompletedCommand]) -> str:
    branches = []
    for command in commands:
        specs = [word for spec in command.options for word in _zsh_option(spec)]
        specs += [
            f"{'*' if spec.repeats else ''}:{_zsh_text(spec.metavar or '')}:{_zsh_action(spec)}"
            for spec in command.positional
        ]
        words = " \\\n                ".join(map(_quote, specs))
        branches += [
            f"        {command.name})",
            f"            _arguments -s \\\n                {words}",
            "            ;;",
        ]
    described = "\n".join(
        f"        {_quote(f'{command.name}:{_zsh_text(command.summary)}')}" for command in commands
    )
    return _ZSH.format(commands=described, branches="\n".join(branches))


def _zsh_option(spec: Argument) -> Iterator[str]:
    others = "*" if spec.repeats else f"({' '.join(spec.names)})"
    value = "" if spec.metavar is None else f":{_zsh_text(spec.metavar)}:{_zsh_action(spec)}"
    for name in spec.names:
        yield f"{others}{name}[{_zsh_text(spec.help)}]{value}"


def _zsh_action(spec: Argument) -> str:
    if choices := _choices_of(spec):
        return f"({' '.join(choices)})"
    actions = {Values.FILES: "_files", Values.FOLDERS: "_files -/", Values.BATCHES: "_batchfish_batches"}
    return actions.get(_values_of(spec), " ")


def _zsh_text(text: str) -> str:
    return re.sub(r"([\[\]:\\])", r"\\\1", text)


_ZSH = """\
#compdef batchfish
# Completion of batchfish for zsh; `batchfish completion zsh` prints it.
_batchfish_batches() {{
    local -a names
    names=(.batchfish/*.db(N:t:r) .batchfish/local/*.db(N:t:r))
    names=(${{names:#*@try}})
    _alternative "batches:batch:($names)" 'files:manifest:_files'
}}

_batchfish() {{
    local -a commands
    commands=(
{commands}
    )
    if ((CURRENT == 2)); then
        _describe command commands
        return
    fi
    shift words
    ((CURRENT -= 1))
    case $words[1] in
{branches}
    esac
}}

if [[ $funcstack[1] == _batchfish ]]; then
    _batchfish "$@"
else
    compdef _batchfish batchfish
fi
"""


def _fish(commands: Sequence[CompletedCommand]) -> str:
    lines = [line for command in commands for line in _fish_lines(command)]
    return "\n".join([_FISH, *lines, ""])


def _fish_lines(command: CompletedCommand) -> Iterator[str]:
    summary = _quote_fish(command.summary)
    yield f"complete -c batchfish -n __fish_use_subcommand -f -a {command.name} -d {summary}"
    scope = f"complete -c batchfish -n '__fish_seen_subcommand_from {command.name}'"
    for spec in command.positional:
        yield f"{scope} {_fish_values(spec, is_option=False)}"
    for spec in command.options:
        names = " ".join(f"-l {name[2:]}" if name[:2] == "--" else f"-s {name[1:]}" for name in spec.names)
        value = f" {_fish_values(spec, is_option=True)}" if spec.metavar else ""
        yield f"{scope} {names}{value} -d {_quote_fish(spec.help)}"


def _fish_values(spec: Argument, *, is_option: bool) -> str:
    required = "-r " if is_option else ""
    if choices := _choices_of(spec):
        return f"{required}-f -a {_quote_fish(' '.join(choices))}"
    match _values_of(spec):
        case Values.BATCHES:
            return f"{required}-F -a '(__batchfish_batches)'"
        case Values.FOLDERS:
            return f"{required}-f -a '(__fish_complete_directories)'"
        case Values.FILES:
            return f"{required}-F"
        case _:
            return f"{required}-f"


def _quote_fish(text: str) -> str:
    return "'" + re.sub(r"(['\\])", r"\\\1", text) + "'"


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


_FISH = """\
# Completion of batchfish for fish; `batchfish completion fish` prints it.
function __batchfish_batches
    for file in .batchfish/*.db .batchfish/local/*.db
        string match -q '*@try.db' $file; or path basename $file | string replace -r '\\.db$' ''
    end
end
"""

SHELLS: Mapping[str, Callable[[Sequence[CompletedCommand]], str]] = {
    "bash": _bash,
    "fish": _fish,
    "zsh": _zsh,
}
"""The shells that have a completion script."""
