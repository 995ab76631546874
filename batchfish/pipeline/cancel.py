"""Runs that are to be cancelled: the API is asked, and asked again, until a look shows their end.

They are those of items that a person or a deadline cancels, and surplus ones: a run that is alive beside the
one that speaks for its item. Before that is cancelled the poller has had the time to look at both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.core.items import AttemptState, Status
from batchfish.core.lifecycle import as_surplus
from batchfish.errors import WebAgentUnavailable

if TYPE_CHECKING:
    from batchfish.pipeline.context import Context

ASK_AGAIN = 30.0
IDLE = 60.0


async def cancel(ctx: Context) -> None:
    """Ask for cancels until nothing is left or the run detaches; the poller sees what became of them."""
    listener, asked = ctx.wakeup.listen(), dict[str, float]()
    while not ctx.is_over():
        now = ctx.clock.boottime()
        wanted, surplus = {}, {}
        for one in ctx.journal.open_attempts(AttemptState.RUNNING):
            run_id, is_surplus = one.attempt.run_id, one.attempt.k != one.item.follows
            if run_id is not None and (is_surplus or one.item.status is Status.CANCELLING):
                wanted[run_id] = asked.get(run_id, now if is_surplus else now - ASK_AGAIN)
                if is_surplus:
                    surplus[run_id] = one.attempt
        asked = wanted
        held_for = max(0.0, ctx.session.looks_wait_until - now)
        due = [] if held_for else [run_id for run_id, at in asked.items() if at + ASK_AGAIN <= now]
        if due:
            for run_id in surplus.keys() & due:
                ctx.journal.write_attempt(as_surplus(surplus[run_id]))
            await ctx.journal.commit()  # the wish outlives this process, whatever becomes of the cancel
            ctx.is_asked()
            try:
                await ctx.agent.cancel(due)
            except WebAgentUnavailable as error:
                ctx.is_unanswered(str(error))
                ctx.hold_looks(error.retry_after, str(error))
            else:
                ctx.is_answered()
            asked.update(dict.fromkeys(due, now))
        wait = min([IDLE, *(at + ASK_AGAIN - now for at in asked.values())])
        await listener.wait(ctx.clock, max(wait, held_for))
