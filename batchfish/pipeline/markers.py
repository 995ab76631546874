"""The proof that runs are found by their marker: a search for the first run of a batch.

The same search shows whether another journal has begun the same items.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.core import identity
from batchfish.core.identity import BATCH_PREFIX_LETTERS
from batchfish.core.names import TRY_SUFFIX
from batchfish.core.reconcile import pause_between_searches
from batchfish.errors import NeedsYes, WebAgentUnavailable
from batchfish.pipeline.context import StopKind
from batchfish.pipeline.search import find_foreign_runs, name_runs, search, search_text, shows

if TYPE_CHECKING:
    from batchfish.core.identity import Markers
    from batchfish.core.items import Attempt
    from batchfish.pipeline.context import Context


async def prove_markers(ctx: Context, accepted: Attempt) -> None:
    """Search by marker for a run that exists, for up to `settle`; markers are off if it is not found."""
    settle = ctx.rules.unanswered.settle
    listener, since, searches = ctx.wakeup.listen(), ctx.clock.boottime(), 0
    while not ctx.has_detached():
        waited = ctx.clock.boottime() - since
        try:
            listing = await search(ctx, search_text(accepted.marker), ctx.options.max_outage)
            is_found = shows(listing, accepted.run_id or "", accepted.marker)
            if is_found:
                await _refuse_beside_another_journal(ctx, accepted)
        except WebAgentUnavailable as error:
            # Other requests may have been answered meanwhile, so that this alone is the outage.
            ctx.stop(
                StopKind.UNREACHABLE, f"the search for the first run of this batch got no answer: {error}"
            )
            return
        searches += 1
        if is_found:
            await _set_markers(ctx, "proven")
            return
        if waited >= settle:
            ctx.notice(
                "markers: the first run is not found by the reference line in its goal; from here on "
                "a create without a clear answer is held for a person"
            )
            await _set_markers(ctx, "off")
            return
        await listener.wait(pause_between_searches(searches, settle))


async def _refuse_beside_another_journal(ctx: Context, first: Attempt) -> None:
    """Raise NeedsYes where another journal, in another folder, has begun the same items.

    Two processes that begin at the same time find nothing at their start. But the listing now shows the first
    create of this one, so it shows what was created before that, too: at most that one run is paid for twice.
    """
    name = f"{ctx.batch.manifest.get('name')}{TRY_SUFFIX}"
    if ctx.batch.name.startswith(name):
        return  # a try pays for an item that its batch may pay for, too, on purpose
    journal, batch8 = ctx.journal, ctx.batch.batch8
    foreign = await find_foreign_runs(
        ctx.agent,
        journal,
        [f"bf-{batch8[:BATCH_PREFIX_LETTERS]}", f"-{journal.item(first.item).key}-"],
        batch8s=journal.batch8s() | journal.agreed_batches(),
        clock=ctx.clock,
        chance=ctx.chance,
        gives_up_after=ctx.options.max_outage,
    )
    if foreign.unread:
        raise NeedsYes(
            "the listing shows runs that may belong to another journal of this batch, but not the reference "
            f"line in their goals: {name_runs(foreign.unread)}. Nothing more is sent.",
            remedy="To ignore these runs, add --accept unread-runs.",
            question="unread-runs",
        )
    tries = identity.batch_prefix(name)
    others = {
        marker.batch8
        for marker in foreign.markers
        if journal.asks_for(ctx.batch.pk, marker.key) and not marker.batch8.startswith(tries)
    }
    if not others:
        return
    if "same-items" in ctx.accepted:
        journal.agree_to_batches(others, ctx.clock.now())
        return
    raise NeedsYes(
        "another journal has begun the same items: the account has runs of them under "
        f"{', '.join(sorted(others))}, besides the one that was made here. Nothing more is sent.",
        remedy="Go on with one of the two. To pay for the same items here, too, add --accept same-items.",
        question="same-items",
    )


async def _set_markers(ctx: Context, found: Markers) -> None:
    ctx.journal.set_markers(ctx.batch.pk, found)
    await ctx.journal.commit()
    ctx.session.markers = found
    ctx.wakeup.wake()
