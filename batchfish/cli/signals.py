"""Handles signals while a batch runs: submitting stops, what is in flight is recorded, runs stay alive."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from batchfish.cli import interrupts
from batchfish.cli.console import are, is_terminal
from batchfish.core.events import CancelRequested
from batchfish.pipeline.context import StopKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batchfish.cli.console import Console
    from batchfish.pipeline.context import Context


@contextmanager
def handling_signals(handle: Callable[[int], None]) -> Iterator[None]:
    """Call `handle` with the number of each signal, in the event loop, between two callbacks."""
    loop = asyncio.get_running_loop()
    for number in interrupts.HANDLED:
        loop.add_signal_handler(number, handle, number)
    try:
        yield
    finally:
        for number in interrupts.HANDLED:
            loop.remove_signal_handler(number)  # which installs the system's own handler
        interrupts.install()


def cancel_alive(ctx: Context) -> None:
    """Record that every run that is in flight or alive is to be cancelled."""
    for one in ctx.journal.open_attempts():
        ctx.record(one.item.pk, None, CancelRequested())
    ctx.wakeup.wake()


@contextmanager
def stopping_at_signals(ctx: Context, console: Console) -> Iterator[None]:
    """Stop or detach at signals during the block.

    The first Ctrl-C at a terminal stops submitting, and the person may wait, cancel or detach. Any other
    signal detaches.
    """

    def handle(number: int) -> None:
        was_signalled = ctx.session.stop is not None and ctx.session.stop.signal is not None
        if number == signal.SIGINT and not was_signalled and is_terminal():
            ctx.stop(StopKind.SIGNAL, "interrupted: nothing more is submitted", signal=number)
            console.warn(
                f"{are(ctx.count_alive(), 'run')} alive and followed to the end. "
                "Press Ctrl-C again to leave now (the runs go on, and `run` follows them later), or type c "
                "and Enter to cancel them."
            )
            asyncio.get_running_loop().add_reader(sys.stdin, _read_choice, ctx)
            return
        ctx.stop(StopKind.SIGNAL, signal.Signals(number).name, detaches=True, signal=number)

    with handling_signals(handle):
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
        case _ if not line:  # the terminal was closed
            asyncio.get_running_loop().remove_reader(sys.stdin)
