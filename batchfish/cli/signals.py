"""What Ctrl-C and a scheduler's signals mean: what is on its way is recorded, what is alive goes on."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from batchfish.cli.messages import is_terminal
from batchfish.core.events import CancelWished
from batchfish.pipeline.context import StopKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchfish.cli.messages import Voice
    from batchfish.pipeline.context import Context

HEEDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def listening(ctx: Context, voice: Voice) -> Iterator[None]:
    """Stop submitting at a person's first Ctrl-C, who may then wait, cancel or leave; detach at any other."""
    loop = asyncio.get_running_loop()

    def interrupted(number: int) -> None:
        was_told = ctx.session.stop is not None and ctx.session.stop.signal is not None
        if number == signal.SIGINT and not was_told and is_terminal():
            ctx.stop(StopKind.SIGNAL, "interrupted: nothing more is submitted", signal=number)
            voice.warn(
                f"{ctx.alive()} runs are alive and are followed to their end. Press Ctrl-C again to leave "
                "them to themselves (`run` takes them up later), or type c and Enter to cancel them."
            )
            loop.add_reader(sys.stdin, _read_choice, ctx)
            return
        ctx.stop(StopKind.SIGNAL, signal.Signals(number).name, detaches=True, signal=number)

    for number in HEEDED:
        loop.add_signal_handler(number, interrupted, number)
    try:
        yield
    finally:
        for number in HEEDED:
            loop.remove_signal_handler(number)
        if is_terminal():
            loop.remove_reader(sys.stdin)


def _read_choice(ctx: Context) -> None:
    line = sys.stdin.readline()
    match line.strip().lower():
        case "c" | "cancel":
            for one in ctx.journal.open_attempts():
                ctx.record(one.item.pk, None, CancelWished())
            ctx.bell.ring()
        case "d" | "detach" | "q":
            ctx.stop(StopKind.SIGNAL, "detached", detaches=True)
        case _ if not line:  # the terminal has gone
            asyncio.get_running_loop().remove_reader(sys.stdin)
