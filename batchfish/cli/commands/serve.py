"""`batchfish serve`: runs the local agent until it is stopped."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from batchfish.cli import locate
from batchfish.cli.access import (
    API_KEY,
    agent_options,
)

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from batchfish.cli.console import Console


SERVE_KEY = "serve.key"


def run(args: Namespace, _env: Mapping[str, str], _voice: Console) -> int:
    """Serve the API on this machine until told to stop."""
    from batchfish.localagent.__main__ import main

    os.environ.pop(API_KEY, None)  # what the agent starts inherits the rest: readers of pages, a browser
    options = agent_options(args, Path.cwd())
    options += ["--port", str(args.port)]
    if args.store is not None:
        options += ["--store", str(args.store)]
    token_file = args.token_file or Path(locate.HOME) / locate.AGENT / SERVE_KEY
    options += ["--token-file", str(token_file)]
    return main(options)
