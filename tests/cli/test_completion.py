"""The completion scripts, asked by the shells themselves: commands, options, choices and batches."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from batchfish.cli.commands import COMMANDS
from batchfish.cli.shell_completion import SHELLS, script_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.cli.conftest import Command

BASH = """
. "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_batchfish 2>/dev/null # outside a completion compopt has nothing to set
printf '%s\\n' "${COMPREPLY[@]}"
"""
# A second shell on a pseudo-terminal completes the line; every match is noted as it is added.
ZSH = r"""
zmodload zsh/zpty
rm -f $3
zpty worker zsh -f -i
zpty -w worker "autoload -Uz compinit; compinit -u -D; source $1
compadd() {
    local -a hits; builtin compadd -O hits \"\$@\"; print -l -- \$hits >> $3; builtin compadd \"\$@\"
}
finish() { exit }; zle -N finish; bindkey '^X' finish"
zpty -w -n worker "$2"$'\t'
zpty -w -n worker $'\x18'
while zpty -r worker chunk; do :; done
cat $3
"""
FISH = 'source "$argv[1]"; complete -C "$argv[2]"'
WANTED = {
    "batchfish re": {name for name in COMMANDS if name.startswith("re")},
    "batchfish run --go": {"--goal", "--goal-file"},
    "batchfish run --progress ": {"auto", "bar", "line", "json", "none"},
    "batchfish held ad": {"adopt"},
}


def in_bash(script: Path, line: str) -> list[str]:
    return output_of(["bash", "-c", BASH, "bash", str(script), *line.split(" ")], script.parent)


def in_zsh(script: Path, line: str) -> list[str]:
    noted = script.with_name("noted")
    return output_of(["zsh", "-f", "-c", ZSH, "zsh", str(script), line, str(noted)], script.parent)


def in_fish(script: Path, line: str) -> list[str]:
    words = output_of(["fish", "--no-config", "-c", FISH, str(script), line], script.parent)
    return [word.partition("\t")[0] for word in words]


ASK: dict[str, Callable[[Path, str], list[str]]] = {"bash": in_bash, "fish": in_fish, "zsh": in_zsh}


def output_of(command: Sequence[str], folder: Path) -> list[str]:
    done = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line]


@pytest.fixture(params=sorted(SHELLS))
def shell(request: pytest.FixtureRequest) -> str:
    """Return a shell of this machine."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed here")
    return str(request.param)


@pytest.fixture
def script(shell: str, tmp_path: Path) -> Path:
    """Return the shell's script, in a folder with journals of two batches and a try."""
    (tmp_path / ".batchfish" / "local").mkdir(parents=True)
    for name in ("shop.db", "shop@try.db", "shop.db.lock", "local/rehearsed.db"):
        (tmp_path / ".batchfish" / name).touch()
    path = tmp_path / f"completion.{shell}"
    path.write_text(script_for(shell))
    return path


@pytest.mark.process
def test_words_are_completed(shell: str, script: Path) -> None:
    for line, wanted in WANTED.items():
        assert set(ASK[shell](script, line)) == wanted, line


@pytest.mark.process
def test_batches_are_completed(shell: str, script: Path) -> None:
    for line in ("batchfish status ", "batchfish explain --batch "):
        found = set(ASK[shell](script, line))
        assert found >= {"shop", "rehearsed"}, line
        assert not {name for name in found if "try" in name}, line


@pytest.mark.process
def test_every_command_is_offered(shell: str, script: Path) -> None:
    assert set(ASK[shell](script, "batchfish ")) >= set(COMMANDS)


def test_the_command_prints_the_script(command: Command) -> None:
    assert command("completion", "zsh").out.startswith("#compdef batchfish\n")
    refused = command("completion", "tcsh")
    assert (refused.code, "there is no shell 'tcsh'" in refused.err) == (2, True)
