"""Runs that are to be cancelled: the API is asked, and asked again, until a look shows their end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.core.items import AttemptState, Status
from batchfish.errors import WebAgentUnavailable

if TYPE_CHECKING:
    from batchfish.pipeline.context import Context

ASK_AGAIN = 30.0
IDLE = 60.0


async def cancel(ctx: Context) -> None:
    """Ask for cancels until nothing is left or the run detaches; the poller sees what became of them."""
    bell, asked = ctx.bell.listen(), dict[str, float]()
    while not ctx.is_over():
        now = ctx.clock.boottime()
        wanted = [
            one.attempt.run_id
            for one in ctx.journal.open_attempts(AttemptState.RUNNING)
            if one.item.status is Status.CANCELLING and one.attempt.run_id is not None
        ]
        asked = {run_id: asked[run_id] for run_id in wanted if run_id in asked}
        due = [run_id for run_id in wanted if asked.get(run_id, -ASK_AGAIN) + ASK_AGAIN <= now]
        if due:
            try:
                await ctx.agent.cancel(due)
            except WebAgentUnavailable as error:
                ctx.is_unanswered(str(error))
            asked.update(dict.fromkeys(due, now))
        await bell.wait(ctx.clock, min([IDLE, *(at + ASK_AGAIN - now for at in asked.values())]))
