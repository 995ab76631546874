"""The stage that cancels runs: the API is asked again and again until a poll shows that they have ended.

These are the runs of items that a person or a deadline cancels, and surplus runs, which are alive beside the
one that their item follows. A surplus run is cancelled only after the poller had time to poll both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.core.attempts import as_surplus
from batchfish.errors import WebAgentUnavailable
from batchfish.pipeline import backoff
from batchfish.pipeline.clock import IDLE

if TYPE_CHECKING:
    from batchfish.pipeline.context import Context

ASK_AGAIN = 30.0
"""Seconds after which a cancel of a run that is still alive is sent again."""


async def cancel(ctx: Context) -> None:
    """Send cancels until nothing is left or the stages detach; the poller finds out how the runs end."""
    listener = ctx.wakeup.listen(lambda: bool(ctx.journal.unwanted_attempts()))
    asked: dict[str, float] = {}
    while not ctx.is_over():
        now = ctx.clock.boottime()
        wanted, surplus = {}, {}
        for one in ctx.journal.unwanted_attempts():
            run_id = one.attempt.run_id or ""
            wanted[run_id] = asked.get(run_id, now if one.is_surplus else now - ASK_AGAIN)
            if one.is_surplus:
                surplus[run_id] = one.attempt
        asked = wanted
        held_for = max(0.0, ctx.session.reads_wait_until - now)
        due = [] if held_for else [run_id for run_id, at in asked.items() if at + ASK_AGAIN <= now]
        if due:
            for run_id in surplus.keys() & due:
                ctx.journal.write_attempt(as_surplus(surplus[run_id]))
            await (
                ctx.journal.commit()
            )  # the decision outlives this process, whether or not the cancel succeeds
            backoff.note_request(ctx)
            try:
                await ctx.agent.cancel(due)
            except WebAgentUnavailable as error:
                backoff.note_failure(ctx, error)
            else:
                backoff.note_answer(ctx)
            asked.update(dict.fromkeys(due, now))
        wait = min([IDLE, *(at + ASK_AGAIN - now for at in asked.values())])
        await listener.wait(max(wait, held_for))
