"""What every process does before its first create: whose account is it, what is open, what the API knows."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from batchfish.core import identity
from batchfish.core.items import AttemptState
from batchfish.errors import NotPermitted, TryLater, WebAgentUnavailable
from batchfish.pipeline.lookup import find, list_whole, search_text
from batchfish.pipeline.patience import looking, repeating
from batchfish.pipeline.reconcile import adopt, unknown_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from batchfish.pipeline.clock import Clock
    from batchfish.pipeline.context import Context
    from batchfish.webagent.base import WebAgent


async def open_batch(ctx: Context) -> None:
    """Take up what earlier processes left; no create is sent before this has returned."""
    await check_key(ctx)
    _doubt_what_was_on_its_way(ctx)
    await ctx.journal.commit()
    for batch in sorted({ctx.batch.pk, *ctx.journal.unfinished_batches()}):
        await _take_in_unknown_runs(ctx, batch)
    await _look_for_held(ctx)


async def check_key(ctx: Context) -> None:
    """Raise NotPermitted where runs of this journal belong to another account than the key's."""
    attempt = ctx.journal.run_of_another_key(ctx.agent.key_id)
    if attempt is None:
        return
    if attempt.run_id is not None:
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


async def _take_in_unknown_runs(ctx: Context, batch: int) -> None:
    """Compare the API's count of a batch's runs with the journal's, and adopt what is not known here."""
    batch8 = ctx.journal.batch(batch).batch8
    try:
        async for attempt in looking(ctx, gives_up=lambda: False):
            with attempt:
                glance = await ctx.agent.find_by_marker(f"bf-{batch8}-", limit=1)
        if glance.total is not None and glance.total == ctx.journal.count_runs(batch):
            return
        listing = await find(ctx, f"bf-{batch8}-", patience=math.inf)
    except WebAgentUnavailable as error:
        raise TryLater(f"the runs of this batch cannot be listed: {error}") from error
    for run in sorted(listing.rows, key=lambda row: (row.created_at or 0.0, row.run_id)):
        marker = identity.read_marker(run.goal or "")
        if marker is None or marker.batch8 != batch8 or ctx.journal.attempt_of_run(run.run_id) is not None:
            continue
        item = ctx.journal.item_by_key(batch8, marker.key)
        if item is None:
            ctx.notice(f"money: run {run.run_id} carries a marker of this batch, but of no item in it")
        else:
            adopt(ctx, item.pk, run)
    await ctx.journal.commit()


async def _look_for_held(ctx: Context) -> None:
    """Look once more for the creates that wait for a person: they may have shown up."""
    for one in ctx.journal.open_attempts(AttemptState.HELD):
        if one.attempt.run_id is None and one.attempt.marker:
            try:
                listing = await find(ctx, search_text(one.attempt.marker), patience=0.0)
            except WebAgentUnavailable:
                return  # it stays held: nothing is lost by looking next time
            for run in unknown_runs(ctx, listing, one):
                adopt(ctx, one.item.pk, run)
    await ctx.journal.commit()


async def find_strangers(
    agent: WebAgent,
    name: str,
    known: Collection[str],
    *,
    clock: Clock,
    chance: Callable[[], float],
    patience: float,
) -> list[str]:
    """List the item keys in runs of this very name whose batch is not among the `known`: a lost journal's.

    WebAgentUnavailable where no complete listing is to be had for `patience` seconds.
    """
    prefix, since = identity.batch_prefix(name), clock.boottime()
    async for attempt in repeating(clock, chance, lambda _: clock.boottime() - since >= patience):
        with attempt:
            listing = await list_whole(agent, f"bf-{prefix}")
    markers = [identity.read_marker(run.goal or "") for run in listing.rows]
    return [
        marker.key
        for marker in markers
        if marker is not None and marker.batch8.startswith(prefix) and marker.batch8 not in known
    ]
