"""Time, as the stages are handed it."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """A wall clock, a clock that no one sets and that counts suspended time, and a way to wait."""

    @property
    def boot_id(self) -> str:
        """Which boot `boottime` counts from."""
        ...

    def now(self) -> float:
        """Epoch seconds: for people and for due times, never to prove an order."""
        ...

    def boottime(self) -> float:
        """Seconds since boot, suspension included: comparable only under one boot id."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...
