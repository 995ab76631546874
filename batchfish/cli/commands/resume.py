"""`batchfish resume`: brings a batch to completion from its journal alone."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING

from batchfish.cli import locate, selection
from batchfish.cli.access import (
    reach,
)
from batchfish.cli.completion import bring_to_completion, chosen_batch, finished_code, say_finished, wait_for

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from batchfish.cli.console import Console


def run(args: Namespace, env: Mapping[str, str], console: Console) -> int:
    """Bring a batch to completion from its journal alone."""
    place = locate.find(args.batch, args.journal, is_local=args.local)
    with ExitStack() as stack:
        journal = stack.enter_context(wait_for(place.journal, args))
        batch = chosen_batch(journal, place.batch)
        selection.select(args, journal, batch)
        if (code := finished_code(journal, batch)) is not None:
            return say_finished(journal, batch, code, args, console)
        access = reach(args, env, batch, stack)
        return asyncio.run(bring_to_completion(args, env, console, journal, batch, access))
