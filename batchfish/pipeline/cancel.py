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
    from collections.abc import Mapping

    from batchfish.journal.records import OpenAttempt
    from batchfish.pipeline.context import Context

ASK_AGAIN = 30.0
"""Seconds after which a cancel of a run that is still alive is sent again."""


async def cancel(ctx: Context) -> None:
    """Send cancels until nothing is left or the stages detach; the poller finds out how the runs end."""
    listener = ctx.wakeup.listen(lambda: bool(ctx.journal.unwanted_attempts()))
    next_asks: dict[str, float] = {}
    while not ctx.is_over():
        now = ctx.clock.boottime()
        unwanted = {one.attempt.run_id or "": one for one in ctx.journal.unwanted_attempts()}
        next_asks = {
            run_id: next_asks.get(run_id, now + ASK_AGAIN if one.is_surplus else now)
            for run_id, one in unwanted.items()
        }
        held_for = max(0.0, ctx.session.reads_wait_until - now)
        due = [] if held_for else [run_id for run_id, at in next_asks.items() if at <= now]
        if due:
            await _ask(ctx, {run_id: unwanted[run_id] for run_id in due})
            next_asks.update(dict.fromkeys(due, now + ASK_AGAIN))
        wait = min([IDLE, *(at - now for at in next_asks.values())])
        await listener.wait(max(wait, held_for))


async def _ask(ctx: Context, unwanted: Mapping[str, OpenAttempt]) -> None:
    """Ask the API once to cancel these runs; it is recorded before which of them are surplus."""
    for one in unwanted.values():
        if one.is_surplus:
            ctx.journal.write_attempt(as_surplus(one.attempt))
    await ctx.journal.commit()
    backoff.note_request(ctx)
    try:
        await ctx.agent.cancel(list(unwanted))
    except WebAgentUnavailable as error:
        backoff.note_failure(ctx, error)
    else:
        backoff.note_answer(ctx)
