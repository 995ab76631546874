"""How a run shows that it goes on: a bar on a terminal, a line a minute elsewhere, objects for programs."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from batchfish.cli.console import put_beside_work, silence
from batchfish.cli.counts import Counts, count

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from batchfish.cli.console import Console
    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.pipeline.context import Context

BAR_EVERY, LINE_EVERY = 0.2, 60.0

if TYPE_CHECKING:
    Companion = Callable[[Context], Coroutine[None, None, None]]


def choose(wish: str, *, is_quiet: bool) -> str:
    """Decide how to show progress: `auto` is a bar for a person, lines for a log, nothing when quiet."""
    if wish != "auto":
        return wish
    if is_quiet:
        return "none"
    return "bar" if sys.stderr.isatty() else "line"


def show(kind: str, journal: SqliteJournal, console: Console) -> list[Companion]:
    """Give the companions of a run that show its progress."""
    match kind:
        case "bar":
            return [lambda ctx: _draw_bar_while_seen(ctx, journal)]
        case "line":
            return [lambda ctx: _write_lines(ctx, journal, lambda counts: console.say(_line(ctx, counts)))]
        case "json":
            return [lambda ctx: _write_lines(ctx, journal, _write_object, every=1.0)]
        case _:
            return []


async def _draw_bar_while_seen(ctx: Context, journal: SqliteJournal) -> None:
    """Draw the bar until the run ends or the terminal has gone."""
    try:
        await _draw_bar(ctx, journal)
    except OSError:
        silence(sys.stderr)


async def _draw_bar(ctx: Context, journal: SqliteJournal) -> None:
    from tqdm import tqdm

    counts = count(journal.connection, ctx.batch.pk)
    with tqdm(
        total=counts.total,
        initial=counts.ended,
        desc=ctx.batch.name,
        unit="item",
        dynamic_ncols=True,
        file=sys.stderr,
    ) as bar:
        try:
            while True:
                counts = count(journal.connection, ctx.batch.pk)
                bar.total = counts.total
                bar.set_postfix_str(_alive(counts), refresh=False)
                bar.update(counts.ended - bar.n)
                bar.refresh()
                await ctx.clock.sleep(BAR_EVERY)
        finally:
            counts = count(journal.connection, ctx.batch.pk)
            bar.set_postfix_str(_alive(counts), refresh=False)
            bar.update(counts.ended - bar.n)


async def _write_lines(
    ctx: Context, journal: SqliteJournal, write: Callable[[Counts], None], every: float = LINE_EVERY
) -> None:
    while True:
        await ctx.clock.sleep(every)
        write(count(journal.connection, ctx.batch.pk))


def _line(ctx: Context, counts: Counts) -> str:
    return f"{ctx.batch.name}: {counts.ended}/{counts.total} done ({counts})"


def _alive(counts: Counts) -> str:
    moving = {
        name: n for name, n in counts.by_status.items() if name not in {"queued", "succeeded", "cancelled"}
    }
    return ", ".join(f"{n} {name}" for name, n in moving.items() if n)


def _write_object(counts: Counts) -> None:
    put_beside_work(json.dumps({"type": "progress", "counts": dict(counts.by_status)}))
