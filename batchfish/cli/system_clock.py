"""The clocks of this machine, which commands and the stages of a batch read."""

from __future__ import annotations

import time
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SystemClock:
    """The clocks of this machine."""

    _boottime = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    boot_id = BOOT_ID.read_text().strip() if BOOT_ID.exists() else "unknown"

    def now(self) -> float:
        """Return the time in epoch seconds."""
        return time.time()

    def boottime(self) -> float:
        """Return the seconds since boot, including time asleep where the system counts it."""
        return time.clock_gettime(self._boottime)

    async def sleep(self, seconds: float) -> None:
        """Wait this long."""
        import asyncio  # slow to import, and most commands only read the clocks

        await asyncio.sleep(seconds)
