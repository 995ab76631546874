"""A second process of this package, which works beside a command on what takes a core of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from subprocess import Popen


def has_core() -> bool:
    """Return whether a second process would have a core of its own."""
    return len(os.sched_getaffinity(0)) > 1


def start(module: str, *arguments: str) -> Popen[bytes]:
    """Start `python -m MODULE` with pipes for its standard input and output; OSError if that fails.

    Ctrl-C does not reach it: it ends with the pipes.
    """
    from subprocess import PIPE, Popen  # slow to import, and needed for large batches only

    root = Path(__file__).parents[2]  # where it finds this package, and nothing else
    command = [sys.executable, "-m", module, *arguments]
    return Popen(command, cwd=root, stdin=PIPE, stdout=PIPE, process_group=0)  # noqa: S603 - this package
