"""The clock that the stages are given, and the wake-ups by which they notice each other's changes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

IDLE = 60.0
"""Seconds after which a stage without work checks for some, though nothing has woken it."""


class Clock(Protocol):
    """A wall clock, a boot-time clock that nobody can set, and a way to wait."""

    @property
    def boot_id(self) -> str:
        """The id of the boot since which `boottime` counts."""
        ...

    def now(self) -> float:
        """Return epoch seconds; they are for people and for due times, never to prove an order."""
        ...

    def boottime(self) -> float:
        """Return the seconds since boot, with suspension; they can be compared under one boot id only."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for this many seconds."""
        ...


class Wakeup:
    """Wakes the waiting stages, so that each checks for work after a change."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []  # in order: the same seed must wake them the same way

    def wake(self) -> None:
        """Wake the waiting stages; a stage that is at work checks again before it next waits."""
        for listener in self._listeners:
            if not listener.woken.is_set() and listener.is_concerned():
                listener.woken.set()

    def listen(self, is_concerned: Callable[[], bool] = lambda: True) -> Listener:
        """Return a listener; wake-ups between two waits are not lost.

        `is_concerned()` is called at each change while the stage sleeps, which it does until it returns true.
        """
        listener = Listener(is_concerned)
        self._listeners.append(listener)
        return listener


class Listener:
    """A stage that can wait to be woken."""

    def __init__(self, is_concerned: Callable[[], bool]) -> None:
        self.is_concerned = is_concerned
        self.woken = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Wait until woken since the last wait, or for `seconds` by the time of the event loop."""
        if self.woken.is_set():
            await asyncio.sleep(0)  # the other stages have their turn
        else:
            alarm = asyncio.get_running_loop().call_later(seconds, self.woken.set)
            try:
                await self.woken.wait()
            finally:
                alarm.cancel()
        self.woken.clear()
