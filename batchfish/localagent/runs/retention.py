"""How the book stays bounded: which runs are dropped, and when."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchfish.localagent.runs.store import RunStore

EVERY = 60.0
OLD_RUNS_STAY = 3600.0


async def keep_bounded(
    book: RunStore, *, keep_for: float, keep_runs: int, clock: Callable[[], float]
) -> None:
    """Drop surplus runs each minute, old ones not yet in the first hour: who comes back late finds them.

    `keep_for` is in seconds since a run's end, by `clock` (epoch seconds); runs that have not ended stay.
    """
    loop = asyncio.get_running_loop()
    may_be_asked_for = loop.time() + OLD_RUNS_STAY
    while True:
        await asyncio.sleep(EVERY)
        begin = -math.inf if loop.time() < may_be_asked_for else clock() - keep_for
        book.forget(finished_before=begin, keep=keep_runs)
