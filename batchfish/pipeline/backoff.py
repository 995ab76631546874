"""How a look that had no answer is repeated: tenacity, with waits, stops and chance of ours.

A look only reads, so it may be repeated at will. A create is never repeated here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from batchfish.core.backoff import jittered
from batchfish.core.describe import spell_duration
from batchfish.errors import WebAgentUnavailable
from batchfish.pipeline.context import OUTAGE_GRACE, OUTAGE_TOLD_AFTER

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from batchfish.pipeline.clock import Clock
    from batchfish.pipeline.context import Context

T = TypeVar("T")

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0


def looking(ctx: Context, gives_up: Callable[[], bool]) -> AsyncRetrying:
    """Repeat a look until an answer; once the stages detach, or on `gives_up`, its last error is raised.

    A wait that the API asked for holds every other look, too.
    """

    async def before(_state: RetryCallState) -> None:
        await ctx.wait_to_look()
        ctx.is_asked()

    def is_failed(state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome is not None else None
        if error is None:
            ctx.is_answered()
        return isinstance(error, WebAgentUnavailable)

    def stop(state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome is not None else None
        if isinstance(error, WebAgentUnavailable):
            ctx.is_unanswered(str(error))
            ctx.hold_looks(error.retry_after, str(error))
        return ctx.has_detached() or gives_up()

    return repeating(ctx.clock, ctx.chance, stop).copy(before=before, retry=is_failed)


def repeating(
    clock: Clock, chance: Callable[[], float], stop: Callable[[RetryCallState], bool]
) -> AsyncRetrying:
    """Repeat a look until an answer, or until `stop` says so after one without: its error is raised then."""

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        asked = error.retry_after if isinstance(error, WebAgentUnavailable) else None
        return jittered(state.attempt_number, chance, first=FIRST_WAIT, longest=LONGEST_WAIT, asked=asked)

    return AsyncRetrying(
        retry=retry_if_exception_type(WebAgentUnavailable),
        wait=wait,
        stop=stop,
        sleep=clock.sleep,
        reraise=True,
    )


async def in_time(
    look: Coroutine[None, None, T],
    clock: Clock,
    *,
    max_outage: float,
    notice: Callable[[str], None],
) -> T:
    """Return what a look finds that comes before the stages are at work, however often it is repeated.

    A person is told once it takes longer than usual. WebAgentUnavailable where it has not ended after
    `max_outage` seconds, be it that it waits, is repeated, or lists page after page.
    """
    looking = asyncio.ensure_future(look)
    try:
        for seconds in (OUTAGE_TOLD_AFTER, max_outage + OUTAGE_GRACE - OUTAGE_TOLD_AFTER):
            limit = asyncio.ensure_future(clock.sleep(max(0.0, seconds)))
            await asyncio.wait({looking, limit}, return_when=asyncio.FIRST_COMPLETED)
            limit.cancel()
            if looking.done():
                return looking.result()
            if seconds == OUTAGE_TOLD_AFTER:
                notice(
                    "no usable answer from the API yet: its runs are being listed; it is asked again, for "
                    f"{spell_duration(max_outage)} at most"
                )
    finally:
        looking.cancel()
        await asyncio.wait([looking])
    raise WebAgentUnavailable(f"its runs could not be listed within {spell_duration(max_outage)}")
