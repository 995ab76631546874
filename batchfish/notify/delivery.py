"""Delivers notifications: tries, backoff, and a bound on the time that they take."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from batchfish.core.backoff import exponential
from batchfish.notify.targets import Message, NotSent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from batchfish.core.notifications import Target

WITHIN = 15.0
"""The seconds that all notifications of a process may take."""

TRY_WITHIN = 5.0
"""The seconds that one try may take."""

TRIES = 3
"""The number of tries in one process; what was not sent then is left to the next one."""

FIRST_WAIT, LONGEST_WAIT = 1.0, 4.0
"""Bounds of the wait between two tries, in seconds; it doubles."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """A notification to be sent: its key in the journal, its target and its message."""

    pk: int
    target: Target
    message: Message


class Log(Protocol):
    """Records tries durably."""

    def begin_try(self, pk: int) -> None:
        """Record that a notification is about to be sent."""
        ...

    def record_sent(self, pk: int, now: float) -> None:
        """Record that a notification was sent."""
        ...

    def record_failure(self, pk: int, error: str) -> None:
        """Record why a try failed."""
        ...


class Clock(Protocol):
    """A clock, and a way to wait."""

    def now(self) -> float:
        """Return epoch seconds."""
        ...

    def boottime(self) -> float:
        """Return seconds that nobody can set."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for this many seconds."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """The result of sending a notification: `error` is None if it was sent (see `NotSent`)."""

    delivery: Delivery
    error: str | None = None
    detail: str = ""


async def deliver(
    deliveries: Iterable[Delivery],
    send: Callable[[Target, Message, float], Awaitable[None]],
    log: Log,
    clock: Clock,
    *,
    within: float = WITHIN,
) -> list[Result]:
    """Send notifications, `within` seconds in all; return what came of those that were tried.

    Targets are served side by side, each in order. After a notification that failed, its target gets no
    other one from this process.
    """
    deadline = clock.boottime() + within
    queues: dict[str, list[Delivery]] = defaultdict(list)
    for one in deliveries:
        queues[one.target.name].append(one)

    async def serve(queue: Sequence[Delivery]) -> list[Result]:
        results: list[Result] = []
        for one in queue:
            result = await _try(one, send, log, clock, deadline)
            if result is not None:
                results.append(result)
            if result is None or result.error is not None:
                break
        return results

    found = await asyncio.gather(*map(serve, queues.values()))
    return [result for results in found for result in results]


async def _try(
    one: Delivery,
    send: Callable[[Target, Message, float], Awaitable[None]],
    log: Log,
    clock: Clock,
    deadline: float,
) -> Result | None:
    """Try to send a notification; None if there is no time left for it."""
    result: Result | None = None
    for number in range(1, TRIES + 1):
        left = deadline - clock.boottime()
        if left <= 0:
            break
        log.begin_try(one.pk)
        try:
            await send(one.target, one.message, min(TRY_WITHIN, left))
        except NotSent as error:
            log.record_failure(one.pk, str(error))
            result = Result(delivery=one, error=str(error), detail=error.detail)
            wait = exponential(number, first=FIRST_WAIT, longest=LONGEST_WAIT)
            if error.is_lasting or number == TRIES or clock.boottime() + wait >= deadline:
                break
            await clock.sleep(wait)
        else:
            log.record_sent(one.pk, clock.now())
            return Result(delivery=one)
    return result
