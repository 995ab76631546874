"""What every process does before its first create: whose account is it, what is open, what the API knows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batchfish.core.items import AttemptState
from batchfish.errors import NotPermitted, TryLater, WebAgentUnavailable
from batchfish.pipeline.backoff import looking
from batchfish.pipeline.comparison import compare_at_start
from batchfish.pipeline.lookup import adopt, find, read_rows, search_text
from batchfish.pipeline.reconcile import runs_of

if TYPE_CHECKING:
    from batchfish.pipeline.context import Context


async def open_batch(ctx: Context) -> None:
    """Take up what earlier processes left; no create is sent before this has returned."""
    await check_key(ctx)
    _doubt_what_was_on_its_way(ctx)
    await ctx.journal.commit()
    began_at = ctx.clock.boottime()
    for batch in sorted({ctx.batch.pk, *ctx.journal.unfinished_batches()}):
        try:
            await compare_at_start(ctx, batch)
        except WebAgentUnavailable as error:
            raise TryLater(f"the runs of this batch cannot be listed: {error}") from error
    ctx.session.compared_at = began_at
    await _look_for_held(ctx)


async def check_key(ctx: Context) -> None:
    """Raise NotPermitted where runs of this journal belong to another account than the key's."""
    attempt = ctx.journal.run_of_another_key(ctx.agent.key_id)
    if attempt is None or attempt.run_id is None:
        return  # nothing to tell the account by: what is in doubt under the other key is found now, or held
    async for look_attempt in looking(ctx, gives_up=lambda: False):
        with look_attempt:
            look = await ctx.agent.poll([attempt.run_id])
    if attempt.run_id in look.runs:
        return
    raise NotPermitted(
        "this API key cannot see the runs that this journal has made: it belongs to another account. "
        "Use the key that the batch was begun with."
    )


def _doubt_what_was_on_its_way(ctx: Context) -> None:
    """A create that an earlier process was sending is unanswered from now; so is a doubt of another boot."""
    for one in ctx.journal.open_attempts(AttemptState.SUBMITTING):
        ctx.record(one.item.pk, one.attempt.k, ctx.give_up_now("the process ended before its answer came"))
    for one in ctx.journal.open_attempts(AttemptState.UNANSWERED):
        if one.attempt.given_up_boot_id != ctx.clock.boot_id:
            ctx.journal.write_attempt(
                replace(one.attempt, given_up_at=ctx.clock.boottime(), given_up_boot_id=ctx.clock.boot_id)
            )


async def _look_for_held(ctx: Context) -> None:
    """Look once more for the creates that wait for a person: they may have shown up."""
    for one in ctx.journal.open_attempts(AttemptState.HELD):
        if one.attempt.run_id is None and one.attempt.marker:
            try:
                listing = await find(ctx, search_text(one.attempt.marker), patience=0.0)
            except WebAgentUnavailable:
                return  # it stays held: nothing is lost by looking next time
            for run in runs_of(read_rows(listing.rows, ctx.journal), one):
                adopt(ctx, one.item.pk, run)
    await ctx.journal.commit()
