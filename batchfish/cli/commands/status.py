"""`batchfish status`: shows how far a batch is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from batchfish.cli import locate
from batchfish.cli.console import put, put_object
from batchfish.cli.counts import Counts, code_of, count
from batchfish.cli.exits import ExitCode
from batchfish.core.describe import spell_duration
from batchfish.journal import queries
from batchfish.journal.lock import owner_of

if TYPE_CHECKING:
    import sqlite3
    from argparse import Namespace
    from collections.abc import Mapping
    from pathlib import Path

    from batchfish.cli.console import Console
    from batchfish.journal.base import Batch


WATCH_EVERY = 2.0


RATE_OVER = 300.0
"""Seconds over which the rate of a batch is measured."""


def run(args: Namespace, _env: Mapping[str, str], _voice: Console) -> int:
    """Say how far a batch is, once or again and again."""
    place = locate.find(args.batch, args.journal, is_local=args.local)
    while True:
        with locate.open_for_reading(place) as (connection, batch):
            counts = count(connection, batch.pk)
            pace = measure(connection, batch.pk, counts, time.time())
        owner = owner_of(place.journal)
        if args.json:
            put_object(
                type="status",
                batch=batch.name,
                counts=dict(counts.by_status),
                total=counts.total,
                ended=counts.ended,
                exit_code=code_of(batch, counts),
                owner=owner,
                **pace,
            )
        else:
            put(_spell_status(batch, counts, pace, owner, place.journal))
        if not args.watch or counts.ended == counts.total:
            return ExitCode.OK
        time.sleep(WATCH_EVERY)


def measure(
    connection: sqlite3.Connection, batch: int, counts: Counts, now: float
) -> dict[str, float | None]:
    """Give the rate of the last minutes (items a minute) and the seconds left at it; None: not known."""
    number, first = queries.ended_since(connection, batch, now - RATE_OVER)
    if first is None or now <= first:
        return {"per_minute": None, "seconds_left": None}
    per_second = number / (now - first)
    left = counts.total - counts.ended
    return {"per_minute": round(per_second * 60, 1), "seconds_left": round(left / per_second) if left else 0}


def _spell_status(
    batch: Batch, counts: Counts, pace: Mapping[str, float | None], owner: int | None, journal: Path
) -> str:
    done = f"{batch.name}: {counts.ended:,} of {counts.total:,} done ({counts})"
    left = pace["seconds_left"]
    if owner is not None:
        rate = f"; {pace['per_minute']:g} a minute, about {spell_duration(left)} left" if left else ""
        return f"{done}; process {owner} is working on it{rate}"
    if counts.ended == counts.total:
        return done
    return f"{done}; no process is working on it; go on with: batchfish resume {locate.spell(journal, batch)}"
