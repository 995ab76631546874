"""How the stages wake each other: after a change, every waiting stage checks for work."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchfish.pipeline.clock import Clock


class Wakeup:
    """Wakes the waiting stages."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []  # in order: the same seed must wake them the same way

    def wake(self) -> None:
        """Wake the waiting stages; a stage that is at work does not wait before it has checked again."""
        for listener in self._listeners:
            listener.woken.set()

    def listen(self) -> Listener:
        """Return a listener; wake-ups between two waits are not lost."""
        listener = Listener()
        self._listeners.append(listener)
        return listener


class Listener:
    """One stage that waits to be woken."""

    def __init__(self) -> None:
        self.woken = asyncio.Event()

    async def wait(self, clock: Clock, seconds: float) -> None:
        """Wait until woken since the last wait, or for `seconds`."""
        waits = {asyncio.ensure_future(self.woken.wait()), asyncio.ensure_future(clock.sleep(seconds))}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            self.woken.clear()
