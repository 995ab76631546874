"""`serve` and `--local`: the local agent, as the command line starts it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from batchfish.cli.messages import Voice

SITE = Path("sample_inputs", "site")


def agent_options(args: Namespace, folder: Path) -> list[str]:
    """Spell the flags of the local agent for its own process."""
    site = args.site or nearest_site(folder)
    options = ["--engine", args.engine]
    if site is not None:
        options += ["--site", str(site)]
    if args.cap is not None:
        options += ["--cap", str(args.cap)]
    if args.simulate:
        options += ["--simulate", args.simulate]
    for origin in args.allow_origin:
        options += ["--allow-origin", origin]
    return options


def nearest_site(folder: Path) -> Path | None:
    """Find the sample site nearest above a folder."""
    above = (folder.absolute(), *folder.absolute().parents)
    return next((place / SITE for place in above if (place / SITE).is_dir()), None)


def serve(args: Namespace, _env: Mapping[str, str], _voice: Voice) -> int:
    """Serve the API on this machine until told to stop."""
    from batchfish.localagent.__main__ import main

    options = agent_options(args, Path.cwd())
    options += ["--port", str(args.port)]
    if args.store is not None:
        options += ["--store", str(args.store)]
    if args.require_token:
        options += ["--require-token"]
    return main(options)
