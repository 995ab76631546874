"""The recovery before the first create of a process: the key is checked, and open creates are given up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from batchfish.core.items import AttemptState
from batchfish.errors import NotPermitted, TryLater, WebAgentUnavailable
from batchfish.pipeline import backoff
from batchfish.pipeline.comparison import compare_at_start
from batchfish.pipeline.search import adopt, new_runs, search, search_text

if TYPE_CHECKING:
    from batchfish.pipeline.context import Context

CREATE_TAKES = 120.0
"""Seconds from the commit of an intent until its create is carried out: it may wait for a connection."""


async def recover(ctx: Context) -> None:
    """Continue what earlier processes left; no create is sent before this has returned.

    TryLater where the runs of a batch cannot be listed.
    """
    await check_key(ctx)
    _mark_unanswered(ctx)
    await ctx.journal.commit()
    began_at = ctx.clock.boottime()
    for batch in sorted({ctx.batch.pk, *ctx.journal.unfinished_batches()}):
        try:
            await compare_at_start(ctx, batch)
        except WebAgentUnavailable as error:
            raise TryLater(f"the runs of this batch cannot be listed: {error}") from error
    ctx.session.compared_at = began_at
    if _may_list_late(ctx):
        ctx.session.answered_at = ctx.clock.boottime()  # so that the batch is compared again at its end
    await _search_for_held(ctx)


async def check_key(ctx: Context) -> None:
    """Raise NotPermitted where runs of this journal belong to another account than the key's."""
    attempt = ctx.journal.run_of_another_key(ctx.agent.key_id)
    if attempt is None or attempt.run_id is None:
        return  # no run tells the account: creates that are open under the other key are found now, or held
    run_id = attempt.run_id
    result = await backoff.until_answered(ctx, lambda: ctx.agent.poll([run_id]))
    if run_id not in result.runs:
        raise NotPermitted(
            "this API key cannot see the runs that this journal has made: it belongs to another account",
            remedy="Use the key that the batch was begun with.",
        )


def _may_list_late(ctx: Context) -> bool:
    """Whether runs of an earlier process are so young that the listing may not show all of them yet.

    A create may have made a second run, which only a comparison finds.
    """
    since = ctx.clock.now() - ctx.rules.unanswered.settle - CREATE_TAKES
    return any(one.attempt.intended_at >= since for one in ctx.journal.open_attempts())


def _mark_unanswered(ctx: Context) -> None:
    """Record that the creates of earlier processes are unanswered, and as of now if the machine rebooted."""
    for one in ctx.journal.open_attempts(AttemptState.SUBMITTING):
        ctx.record(one.item.pk, one.attempt.k, ctx.unanswered_now("the process ended before its answer came"))
    for one in ctx.journal.open_attempts(AttemptState.UNANSWERED):
        if one.attempt.given_up_boot_id != ctx.clock.boot_id:
            ctx.journal.write_attempt(
                replace(one.attempt, given_up_at=ctx.clock.boottime(), given_up_boot_id=ctx.clock.boot_id)
            )


async def _search_for_held(ctx: Context) -> None:
    """Search once more for the runs of creates that wait for a person, and adopt those that are found."""
    for one in ctx.journal.open_attempts(AttemptState.HELD):
        if one.attempt.run_id is None and one.attempt.marker:
            try:
                listing = await search(ctx, search_text(one.attempt.marker), gives_up_after=0.0)
            except WebAgentUnavailable:
                return  # it stays held, and the next process searches again
            for run in new_runs(listing.rows, ctx.journal).of_item(one.batch8, one.item.key):
                adopt(ctx, one.item.pk, run)
    await ctx.journal.commit()
