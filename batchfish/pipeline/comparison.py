"""The comparison of the runs that the API lists with those that the journal knows.

Sets of run ids and markers are compared, not counts: a run that is listed and not known has appeared late, or
is one too many. After a first complete comparison only the runs created since then are listed again; the
server's count of all runs shows whether the older ones are still the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from batchfish.core.items import AttemptState
from batchfish.errors import NeedsYes, WebAgentUnavailable
from batchfish.journal.records import Comparison
from batchfish.pipeline import backoff
from batchfish.pipeline.search import adopt, list_as_of_start, name_runs, new_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batchfish.core.runs import RunSnapshot
    from batchfish.pipeline.context import Context
    from batchfish.webagent.base import Listing

EVERY = 600.0
"""Seconds of submitting after which the comparison is repeated."""

OVERLAP = 600.0
"""Seconds, besides `settle`, by which a comparison reaches back before the last one, as listings lag."""

GIVES_UP_AFTER = 60.0
"""Seconds without an answer after which a comparison beside the stages is put off."""

PUT_OFF = 60.0
"""Seconds for which a comparison is put off."""

_ON_THEIR_WAY = (AttemptState.SUBMITTING, AttemptState.UNANSWERED)


async def compare_at_start(ctx: Context, batch: int) -> None:
    """Adopt the runs of a batch that the journal does not know, before any create is sent.

    NeedsYes where runs may be the batch's own but their markers cannot be read. Where a person agreed that
    these are nobody's, unanswered creates are held from then on, since no search by marker can be believed.
    """
    unread = await _compare(ctx, batch, gives_up=lambda: False)
    if unread and "unread-runs" in ctx.accepted:
        ctx.journal.disown((run.run_id for run in unread), ctx.clock.now())
        ctx.journal.set_markers(batch, "off")
        if batch == ctx.batch.pk:
            ctx.session.markers = "off"
    elif unread:
        raise _ask_about(ctx, batch, unread)
    await ctx.journal.commit()


async def compare_regularly(ctx: Context) -> None:
    """Compare every ten minutes while creates are sent, and once when nothing else is left to do."""
    listener = ctx.wakeup.listen(lambda: _is_due(ctx))
    while not ctx.is_over():
        if not _is_due(ctx):
            left = _next_comparison_at(ctx) - ctx.clock.boottime()
            await listener.wait(left if left > 0 else EVERY)
            continue
        try:
            await _compare_meanwhile(ctx)
        except WebAgentUnavailable as error:
            if ctx.has_detached():
                return
            _put_off(ctx, error)
        ctx.wakeup.wake()


def _put_off(ctx: Context, error: WebAgentUnavailable) -> None:
    """Put off a comparison that got no answer; if nothing else is left to do, report it and give it up."""
    session, now = ctx.session, ctx.clock.boottime()
    session.comparison_put_off_until = now + PUT_OFF
    if ctx.is_idle():
        session.compared_at = now
        ctx.notice(
            "money: the runs of this batch could not be compared with the API's listing "
            f"({error}). `batchfish audit` compares them at any time"
        )


def _is_due(ctx: Context) -> bool:
    """Whether creates were sent since the last comparison, and nothing else is left or its time has come."""
    if ctx.session.answered_at <= ctx.session.compared_at:
        return False
    return ctx.clock.boottime() >= _next_comparison_at(ctx) or ctx.is_idle()


def _next_comparison_at(ctx: Context) -> float:
    return max(ctx.session.comparison_put_off_until, ctx.session.compared_at + EVERY)


async def _compare_meanwhile(ctx: Context) -> None:
    """Compare the batch while the stages work, and report the runs whose marker cannot be read.

    They do not stop the run: an item that may own one of them is held, or not sent again, after a search of
    its own.
    """
    began_at = ctx.clock.boottime()
    unread = await _compare(
        ctx, ctx.batch.pk, gives_up=lambda: ctx.clock.boottime() - began_at >= GIVES_UP_AFTER
    )
    await ctx.journal.commit()
    ctx.session.compared_at = began_at
    if new := [run for run in unread if run.run_id not in ctx.session.reported]:
        ctx.session.reported.update(run.run_id for run in new)
        ctx.notice(f"money: {_ask_about(ctx, ctx.batch.pk, new)}")


async def _compare(ctx: Context, batch: int, gives_up: Callable[[], bool]) -> Sequence[RunSnapshot]:
    """Compare a batch with the listing, adopt unknown runs, and return those whose marker cannot be read."""
    text = f"bf-{ctx.journal.batch(batch).batch8}-"
    overlap = ctx.policies[batch].rules.unanswered.settle + OVERLAP
    last = ctx.journal.comparison(batch)
    if last is not None:
        since = last.until - overlap
        listing = await _list(ctx, text, gives_up, since=since)
        recent = [run for run in listing.rows if run.created_at is None or run.created_at >= since]
        adoption = _adopt_unknown(ctx, batch, recent)
        total = await _count(ctx, text, gives_up)
        if total is not None and _is_rest_unchanged(ctx, batch, last, since, recent, total):
            if listing.server_date is not None and adoption.is_complete:
                now_compared = Comparison(until=listing.server_date, unlisted=last.unlisted)
                ctx.journal.write_comparison(batch, now_compared)
            return adoption.unread
    listing = await _list(ctx, text, gives_up)
    adoption = _adopt_unknown(ctx, batch, listing.rows)
    if listing.server_date is not None and adoption.is_complete:
        since = listing.server_date - overlap
        listed = sum(1 for run in listing.rows if run.created_at is not None and run.created_at < since)
        unlisted = ctx.journal.count_runs(batch, before=since) - listed
        ctx.journal.write_comparison(batch, Comparison(until=listing.server_date, unlisted=unlisted))
    return adoption.unread


async def _list(
    ctx: Context, text: str, gives_up: Callable[[], bool], *, since: float | None = None
) -> Listing:
    """Return the runs that existed when the API was asked, once it has listed all of them."""
    return await backoff.until_answered(ctx, lambda: list_as_of_start(ctx.agent, text, since=since), gives_up)


async def _count(ctx: Context, text: str, gives_up: Callable[[], bool]) -> int | None:
    """Return the server's own count of runs; None where it gives none."""
    page = await backoff.until_answered(ctx, lambda: ctx.agent.find_by_marker(text, limit=1), gives_up)
    return page.total


class _Adoption(NamedTuple):
    """The result of adopting runs: those whose marker cannot be read, and whether the others are known now.

    A run whose create is on its way counts as known: the answer will name it. A run that could not be adopted
    beside another create of its item does not, so that the next comparison lists it again.
    """

    unread: Sequence[RunSnapshot]
    is_complete: bool


def _adopt_unknown(ctx: Context, batch: int, listed: Sequence[RunSnapshot]) -> _Adoption:
    """Adopt the listed runs that are unknown."""
    batch8, is_complete = ctx.journal.batch(batch).batch8, True
    new = new_runs(listed, ctx.journal)
    for found in new.marked:
        if found.marker.batch8 != batch8:
            continue
        item = ctx.journal.item_by_key(batch8, found.marker.key)
        if item is None:
            ctx.notice(f"money: run {found.run.run_id} carries a marker of this batch, but of no item in it")
        elif not adopt(ctx, item.pk, found):
            is_complete = is_complete and ctx.journal.item(item.pk).follows == found.marker.k
    for found in new.misbound:
        if found.run.run_id not in ctx.session.reported:
            ctx.session.reported.add(found.run.run_id)
            ctx.notice(
                f"money: run {found.run.run_id} carries the marker {found.marker}, but the API has answered "
                "the create of another item with its id"
            )
    return _Adoption(new.unread, is_complete)


def _is_rest_unchanged(
    ctx: Context, batch: int, last: Comparison, since: float, recent: Sequence[RunSnapshot], total: int
) -> bool:
    """Whether the server counts as many older runs as the journal knows.

    A recent run that was not listed yet may be counted, and so may one whose create has no answer yet.
    """
    known = ctx.journal.count_runs(batch)
    known_runs = ctx.journal.attempts_of_runs([run.run_id for run in recent])
    recent_known = sum(run.run_id in known_runs for run in recent)
    not_listed_yet = max(0, known - ctx.journal.count_runs(batch, before=since) - recent_known)
    on_their_way = len(ctx.journal.open_attempts(*_ON_THEIR_WAY))
    expected = known - recent_known - last.unlisted
    return expected - not_listed_yet <= total - len(recent) <= expected + on_their_way


def _ask_about(ctx: Context, batch: int, unread: Sequence[RunSnapshot]) -> NeedsYes:
    """Return the error that says why runs without a readable marker need a person."""
    name = ctx.journal.batch(batch).name
    return NeedsYes(
        f"the API's listing shows runs that may belong to {name}, but not the reference line in their goals: "
        f"{name_runs(unread)}. An item could be paid for twice.",
        remedy=f"`batchfish held adopt ITEM RUN --batch {name}` binds a run to its item; --accept "
        "unread-runs ignores those that are left, and holds every create without an answer.",
        question="unread-runs",
    )
