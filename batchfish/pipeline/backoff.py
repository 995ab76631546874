"""Requests without an answer: reads are repeated with backoff, and a long outage ends the run.

A poll or a search only reads, so it is repeated until it is answered. A create is never repeated here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from batchfish.core.backoff import jittered
from batchfish.core.describe import spell_duration
from batchfish.core.pacing import LONGEST_BACKOFF
from batchfish.errors import WebAgentUnavailable
from batchfish.pipeline.context import StopKind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from batchfish.pipeline.clock import Clock
    from batchfish.pipeline.context import Context

T = TypeVar("T")

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Bounds of the wait before a read is repeated, in seconds; it doubles, and is jittered."""

OUTAGE_REPORTED_AFTER = 5.0
"""Seconds without an answer after which the outage is reported; shorter ones are common."""

OUTAGE_GRACE = 1.0
"""Seconds for the answer to a request that is sent just when an outage has lasted for `max_outage`."""


async def until_answered(
    ctx: Context, read: Callable[[], Awaitable[T]], gives_up: Callable[[], bool] = lambda: False
) -> T:
    """Repeat a read of a stage until it is answered, and return the answer.

    Once the stages detach or `gives_up()` is true, the last WebAgentUnavailable is raised. Each failure is
    noted, and a wait that the API asks for holds up all reads.
    """

    async def before(_state: RetryCallState) -> None:
        await wait_to_read(ctx)
        note_request(ctx)

    def after(state: RetryCallState) -> None:
        note_failure(ctx, _error_of(state))

    repeated = retrying(ctx.clock, ctx.chance, lambda: ctx.has_detached() or gives_up())
    async for attempt in repeated.copy(before=before, after=after):
        with attempt:
            answer = await read()
    note_answer(ctx)
    return answer


def retrying(clock: Clock, chance: Callable[[], float], gives_up: Callable[[], bool]) -> AsyncRetrying:
    """Return the tenacity object that repeats a read outside the stages, until an answer or `gives_up()`.

    Then it raises the last WebAgentUnavailable.
    """

    def wait(state: RetryCallState) -> float:
        asked = _error_of(state).retry_after
        return jittered(state.attempt_number, chance, first=FIRST_WAIT, longest=LONGEST_WAIT, asked=asked)

    return AsyncRetrying(
        retry=retry_if_exception_type(WebAgentUnavailable),
        wait=wait,
        stop=lambda _state: gives_up(),
        sleep=clock.sleep,
        reraise=True,
    )


def _error_of(state: RetryCallState) -> WebAgentUnavailable:
    error = state.outcome.exception() if state.outcome is not None else None
    assert isinstance(error, WebAgentUnavailable)  # noqa: S101 - nothing else is repeated
    return error


async def within_outage(
    read: Coroutine[None, None, T],
    clock: Clock,
    *,
    max_outage: float,
    notice: Callable[[str], None],
) -> T:
    """Wait for a read that is made before the stages start, and return its result.

    It may take `max_outage` seconds, including all waits, repetitions and pages; then WebAgentUnavailable is
    raised. A notice is shown once it takes longer than usual.
    """
    reading = asyncio.ensure_future(read)
    try:
        for seconds in (OUTAGE_REPORTED_AFTER, max_outage + OUTAGE_GRACE - OUTAGE_REPORTED_AFTER):
            limit = asyncio.ensure_future(clock.sleep(max(0.0, seconds)))
            await asyncio.wait({reading, limit}, return_when=asyncio.FIRST_COMPLETED)
            limit.cancel()
            if reading.done():
                return reading.result()
            if seconds == OUTAGE_REPORTED_AFTER:
                notice(
                    "no usable answer from the API yet, which is to list its runs; trying again for up to "
                    f"{spell_duration(max_outage)}"
                )
    finally:
        reading.cancel()
        await asyncio.wait([reading])
    raise WebAgentUnavailable(f"its runs could not be listed within {spell_duration(max_outage)}")


def note_request(ctx: Context) -> None:
    """Note that a request is sent: an outage begins with the first one that gets no answer."""
    outage = ctx.session.outage
    if outage.since is None:
        outage.since, outage.cause = ctx.clock.boottime(), "it has not answered yet"


def note_answer(ctx: Context) -> None:
    """Note that the API has answered, which ends an outage."""
    outage = ctx.session.outage
    if outage.is_reported:
        ctx.notice("the API answers again")
    outage.since, outage.is_reported = None, False


def note_failure(ctx: Context, error: WebAgentUnavailable) -> None:
    """Note that a read got no usable answer, and hold up all requests for as long as the API asks."""
    note_no_answer(ctx, str(error))
    hold_reads(ctx, error.retry_after, str(error))


def note_no_answer(ctx: Context, cause: str) -> None:
    """Note that a request got no usable answer; the run is stopped where that has lasted for `max_outage`."""
    note_request(ctx)
    ctx.session.outage.cause = cause
    check_outage(ctx, grace=0.0)


def check_outage(ctx: Context, *, grace: float = OUTAGE_GRACE) -> None:
    """Report an outage once it lasts, and stop the run `grace` seconds after `max_outage`.

    Each failed request checks this. It is also checked in between, so that neither a long wait nor an answer
    that never ends goes on past the limit; the grace lets a request that is sent exactly at the limit have
    its answer.
    """
    outage = ctx.session.outage
    if outage.since is None:
        return
    lasted, limit = ctx.clock.boottime() - outage.since, ctx.options.max_outage
    if lasted >= limit + grace:
        ctx.stop(
            StopKind.UNREACHABLE,
            f"no usable answer from the API for {spell_duration(lasted)}: {outage.cause}",
            detaches=True,
        )
    elif lasted >= OUTAGE_REPORTED_AFTER and not outage.is_reported:
        outage.is_reported = True
        ctx.notice(
            f"no usable answer from the API: {outage.cause}; trying again for up to {spell_duration(limit)}"
        )


def hold_creates(ctx: Context, seconds: float | None, cause: str) -> None:
    """Send no create for this long; None: no wait was asked for."""
    if seconds:
        session, until = ctx.session, ctx.clock.boottime() + seconds
        session.creates_wait_until = max(session.creates_wait_until, until)
        if seconds > LONGEST_BACKOFF and not session.is_wait_reported:
            session.is_wait_reported = True
            ctx.notice(
                f"the API asks for a wait of {spell_duration(seconds)}, and nothing is submitted until then: "
                f"{cause}"
            )


def hold_reads(ctx: Context, seconds: float | None, cause: str) -> None:
    """Send no request of any kind for this long, since the API asked for it in the answer to a read."""
    hold_creates(ctx, seconds, cause)
    session = ctx.session
    session.reads_wait_until = max(session.reads_wait_until, ctx.clock.boottime() + (seconds or 0.0))


async def wait_to_read(ctx: Context) -> None:
    """Wait until reads may be sent."""
    while (left := ctx.session.reads_wait_until - ctx.clock.boottime()) > 0:
        await ctx.clock.sleep(left)
