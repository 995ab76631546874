"""A rate limit for the pages of one host."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from batchfish.localagent.egress.addresses import DEFAULT_PORTS
from batchfish.localagent.egress.sample_site import is_sample

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from batchfish.localagent.egress.addresses import Origin

MOST_HOSTS = 1000


@dataclass(eq=False, slots=True)
class _Host:
    """The state of one host: when its next page may be opened, by the clock, and the waiting calls."""

    free_at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def is_awaited(self, now: float) -> bool:
        return self.lock.locked() or self.free_at > now


class Pace:
    """Lets pages of one host be opened `interval` seconds apart, in the order in which they are asked for.

    Hosts of the sample site and of the origins in `allowed` are opened at once: nobody else pays for them.
    """

    def __init__(
        self,
        interval: float,
        allowed: Iterable[Origin] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._interval = interval
        self._allowed = {(origin.host, origin.port) for origin in allowed}
        self._clock = clock
        self._sleep = sleep
        self._hosts: dict[str, _Host] = {}

    async def turn(self, url: str) -> None:
        """Wait until a page of the URL's host may be opened; return at once if the URL has no host."""
        name = self._limited_host(url)
        if name is None or not self._interval:
            return
        if len(self._hosts) >= MOST_HOSTS:
            now = self._clock()
            self._hosts = {name: host for name, host in self._hosts.items() if host.is_awaited(now)}
        host = self._hosts.setdefault(name, _Host())
        async with host.lock:  # first come, first served; a turn that is cancelled delays nobody
            wait = host.free_at - self._clock()
            if wait > 0:
                await self._sleep(wait)
            host.free_at = self._clock() + self._interval

    def _limited_host(self, url: str) -> str | None:
        try:
            parts = urlsplit(url)
            host = (parts.hostname or "").removesuffix(".")
            port = DEFAULT_PORTS.get(parts.scheme) if parts.port is None else parts.port
        except ValueError:
            return None  # the egress refuses it
        return None if not host or is_sample(host) or (host, port) in self._allowed else host
