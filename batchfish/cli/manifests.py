"""A manifest as the flags of a command name it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from batchfish.cli.places import HOME
from batchfish.errors import WrongInput

if TYPE_CHECKING:
    from argparse import Namespace

    from batchfish.manifest.manifest import Manifest

STANDARD_INPUT = "-"


def load(args: Namespace) -> Manifest:
    """Read the manifest that flags name, but for its rows; ManifestError with everything that is wrong."""
    from batchfish.manifest.files import spool_standard_input
    from batchfish.manifest.load import ManifestOptions, load_manifest

    path, folder = Path(args.file), None
    if args.file == STANDARD_INPUT:
        path, folder = spool_standard_input(sys.stdin.buffer, Path.cwd() / HOME), Path.cwd()
    options = ManifestOptions(
        variables=dict(args.var),
        goal=args.goal if args.goal_file is None else _read_goal(Path(args.goal_file)),
        schema=Path(args.schema) if args.schema else None,
        allow_duplicates=args.allow_duplicates,
        folder=folder,
    )
    return load_manifest(path, options)


def _read_goal(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongInput(f"{path}: the goal cannot be read: {error}") from None
