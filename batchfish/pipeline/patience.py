"""How a look that had no answer is repeated: tenacity, with waits, stops and chance of ours.

A look only reads, so it may be repeated at will. A create is never repeated here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from batchfish.errors import WebAgentUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchfish.pipeline.clock import Clock
    from batchfish.pipeline.context import Context

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
LONGEST_ASKED = 900.0


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
        ceiling = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(state.attempt_number - 1, 10))
        error = state.outcome.exception() if state.outcome is not None else None
        asked = error.retry_after if isinstance(error, WebAgentUnavailable) else None
        return max(chance() * ceiling, min(asked or 0.0, LONGEST_ASKED))

    return AsyncRetrying(
        retry=retry_if_exception_type(WebAgentUnavailable),
        wait=wait,
        stop=stop,
        sleep=clock.sleep,
        reraise=True,
    )
