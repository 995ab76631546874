"""Shows the progress of a run: a bar on a terminal, a line a minute elsewhere, or JSON objects."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

from batchfish.cli.console import put_if_possible, silence
from batchfish.cli.cost import money_of
from batchfish.cli.counts import Counts, count
from batchfish.cli.documents import DocumentType, document

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from batchfish.cli.console import Console
    from batchfish.journal.queries import JournalReader
    from batchfish.pipeline.context import Context

    Companion = Callable[[Context], Coroutine[None, None, None]]

BAR = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"
"""tqdm's own without the rate: on 80 columns that left no room for the counts."""

BAR_INTERVAL, LINE_INTERVAL, OBJECT_INTERVAL = 0.2, 60.0, 1.0
"""Seconds between two updates."""


def show_progress(kind: str, reader: JournalReader, console: Console) -> list[Companion]:
    """Return the coroutines that show progress while the stages of a run work.

    `auto` is a bar on a terminal, lines elsewhere and nothing for a quiet console.
    """
    if kind == "auto":
        kind = "none" if console.is_quiet else "bar" if sys.stderr.isatty() else "line"
    match kind:
        case "bar":
            return [lambda ctx: _draw_bar_while_possible(ctx, reader, console)]
        case "line":
            return [lambda ctx: _print_lines(ctx, reader, console)]
        case "json":
            return [lambda ctx: _repeat(ctx, reader, partial(_put_counts, ctx), OBJECT_INTERVAL)]
        case _:
            return []


async def _draw_bar_while_possible(ctx: Context, reader: JournalReader, console: Console) -> None:
    """Draw the bar until the run ends or standard error cannot be written."""
    try:
        await _draw_bar(ctx, reader, console)
    except OSError:
        silence(sys.stderr)


async def _draw_bar(ctx: Context, reader: JournalReader, console: Console) -> None:
    from tqdm import tqdm
    from tqdm.contrib.logging import logging_redirect_tqdm

    def print_above(text: str) -> None:
        tqdm.write(text, file=sys.stderr)

    def update() -> None:
        counts = count(reader, ctx.batch.pk)
        bar.total = counts.total
        beside, money = _unfinished(counts), money_of(ctx)
        bar.set_postfix_str(beside if money is None else f"{beside}; {money}", refresh=False)
        bar.update(counts.ended - bar.n)

    counts = count(reader, ctx.batch.pk)
    with (
        tqdm(
            total=counts.total,
            initial=counts.ended,
            desc=ctx.batch.name,
            dynamic_ncols=True,
            bar_format=BAR,
            file=sys.stderr,
        ) as bar,
        console.printing_with(print_above),
        logging_redirect_tqdm(),
    ):
        try:
            while True:
                update()
                bar.refresh()
                await ctx.clock.sleep(BAR_INTERVAL)
        finally:
            update()


async def _print_lines(ctx: Context, reader: JournalReader, console: Console) -> None:
    def show(counts: Counts) -> None:
        money = money_of(ctx)
        spent = "" if money is None else f"; {money}"
        console.say(f"{ctx.batch.name}: {counts.ended}/{counts.total} done ({counts}){spent}")

    await _repeat(ctx, reader, show, LINE_INTERVAL)


async def _repeat(
    ctx: Context, reader: JournalReader, show: Callable[[Counts], None], interval: float
) -> None:
    while True:
        await ctx.clock.sleep(interval)
        show(count(reader, ctx.batch.pk))


def _unfinished(counts: Counts) -> str:
    """Return the counts beside the bar: those that the bar itself does not show."""
    shown = {
        name: n for name, n in counts.by_status.items() if name not in {"queued", "succeeded", "cancelled"}
    }
    return ", ".join(f"{n} {name}" for name, n in shown.items() if n)


def _put_counts(ctx: Context, counts: Counts) -> None:
    money = money_of(ctx)
    put_if_possible(
        document(
            DocumentType.PROGRESS,
            counts=dict(counts.by_status),
            money=None if money is None else money.as_object,
        )
    )
