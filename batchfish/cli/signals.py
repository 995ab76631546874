"""What Ctrl-C and a scheduler's signals mean: what is on its way is recorded, what is alive goes on."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from batchfish.cli import interrupts
from batchfish.cli.console import is_terminal
from batchfish.cli.interrupts import HEEDED
from batchfish.core.events import CancelRequested
from batchfish.pipeline.context import StopKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batchfish.cli.console import Console
    from batchfish.pipeline.context import Context


@contextmanager
def heeding(act: Callable[[int], None]) -> Iterator[None]:
    """Call `act` with the number of each signal, between two turns of the event loop, not amid one."""
    loop = asyncio.get_running_loop()
    for number in HEEDED:
        loop.add_signal_handler(number, act, number)
    try:
        yield
    finally:
        for number in HEEDED:
            loop.remove_signal_handler(number)  # which leaves the system's own handling in place
        interrupts.install()


def cancel_alive(ctx: Context) -> None:
    """Wish for every run that is on its way or alive to be cancelled."""
    for one in ctx.journal.open_attempts():
        ctx.record(one.item.pk, None, CancelRequested())
    ctx.wakeup.wake()


@contextmanager
def listening(ctx: Context, console: Console) -> Iterator[None]:
    """Stop submitting at a person's first Ctrl-C, who may then wait, cancel or leave; detach at any other."""

    def interrupted(number: int) -> None:
        was_told = ctx.session.stop is not None and ctx.session.stop.signal is not None
        if number == signal.SIGINT and not was_told and is_terminal():
            ctx.stop(StopKind.SIGNAL, "interrupted: nothing more is submitted", signal=number)
            console.warn(
                f"{ctx.count_alive()} runs are alive and are followed to their end. Press Ctrl-C again to "
                "leave them to themselves (`run` takes them up later), or type c and Enter to cancel them."
            )
            asyncio.get_running_loop().add_reader(sys.stdin, _read_choice, ctx)
            return
        ctx.stop(StopKind.SIGNAL, signal.Signals(number).name, detaches=True, signal=number)

    with heeding(interrupted):
        try:
            yield
        finally:
            if is_terminal():
                asyncio.get_running_loop().remove_reader(sys.stdin)


def _read_choice(ctx: Context) -> None:
    line = sys.stdin.readline()
    match line.strip().lower():
        case "c" | "cancel":
            cancel_alive(ctx)
        case "d" | "detach" | "q":
            ctx.stop(StopKind.SIGNAL, "detached", detaches=True)
        case _ if not line:  # the terminal has gone
            asyncio.get_running_loop().remove_reader(sys.stdin)
