"""The commands of `batchfish`: one module each, with a class `Options` and a function `run`.

`run(options, env, console)` returns the exit code. To add a command, write its module and name it in GROUPS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Command(NamedTuple):
    """A command's name, its module (imported when it is called), and what its help says it does."""

    name: str
    module: str
    summary: str


GROUPS: Mapping[str, Sequence[Command]] = {
    "Run a batch": (
        Command("run", "run", "run a manifest's batch to completion; run it again to continue"),
        Command("resume", "resume", "continue a batch from its journal, without the manifest"),
        Command("retry", "retry", "make another attempt for items that failed or are held"),
        Command("cancel", "cancel", "cancel a batch or some of its items; finished runs keep their results"),
    ),
    "Change a batch while it runs": (
        Command("pause", "pause", "submit nothing more; runs that are alive are followed to their end"),
        Command("unpause", "unpause", "submit again after `pause`"),
        Command(
            "set", "set", "change how many runs are kept alive, when failures stop the batch, or its budget"
        ),
    ),
    "Write a manifest": (
        Command("init", "init", "write a commented manifest for some URLs or a file of rows"),
        Command("try", "try_", "run one item and show its events, while you write its goal"),
        Command("validate", "validate", "check a manifest and show all its errors; send nothing"),
        Command("plan", "plan", "show what `run` would submit; send nothing"),
        Command("schema", "schema", "print the JSON Schema of manifests, for editors"),
    ),
    "Read a batch": (
        Command("status", "status", "show how many items are done, also while the batch runs"),
        Command("results", "results", "write the table with the results so far"),
        Command("diff", "diff", "show what changed since the batch before, or since another one"),
        Command("report", "report", "write a page about the batch to look at, one HTML file"),
        Command("explain", "explain", "tell what happened to an item, and what happens next"),
        Command("ls", "ls", "list the batches of this folder and the folders above"),
    ),
    "Check what was paid for": (
        Command("held", "held", "list the attempts that wait for your decision, or decide about one"),
        Command("recheck", "recheck", "judge stored results again by the manifest's checks; send nothing"),
        Command("audit", "audit", "compare a batch's runs with those that the API lists"),
    ),
    "Set up": (
        Command("doctor", "doctor", "check key, API, clock, journals, disk and browser"),
        Command("completion", "completion", "print a completion script for bash, zsh or fish"),
    ),
    "Work offline": (Command("serve", "serve", "serve the same API on this machine with the local agent"),),
}
"""All commands, as `batchfish --help` groups them."""

COMMANDS: Mapping[str, Command] = {
    command.name: command for commands in GROUPS.values() for command in commands
}
