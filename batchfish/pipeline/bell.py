"""How the stages wake each other: whoever changes something rings, and everybody looks again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchfish.pipeline.clock import Clock


class Bell:
    """Wakes whoever waits: something has happened, look again."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []  # in order: the same seed must wake them the same way

    def ring(self) -> None:
        """Wake all who wait now, and let those who are at work not wait before they have looked again."""
        for listener in self._listeners:
            listener.heard.set()

    def listen(self) -> Listener:
        """Give an ear of one's own: it hears every ring from now on, also between two waits."""
        listener = Listener()
        self._listeners.append(listener)
        return listener


class Listener:
    """One stage's ear for the bell."""

    def __init__(self) -> None:
        self.heard = asyncio.Event()

    async def wait(self, clock: Clock, seconds: float) -> None:
        """Wait for a ring since the last wait, or for so many seconds."""
        waits = {asyncio.ensure_future(self.heard.wait()), asyncio.ensure_future(clock.sleep(seconds))}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            self.heard.clear()
