"""The stage that searches for the runs of unanswered creates until each is found, proven absent or held."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec import Struct, field

from batchfish.core.events import CannotTell, ProvenAbsent
from batchfish.core.items import Attempt, AttemptState
from batchfish.core.reconcile import (
    LONG_SETTLE,
    Absent,
    Adopt,
    Control,
    Evidence,
    Hold,
    SearchAgain,
    judge,
    pause_between_searches,
)
from batchfish.errors import WebAgentUnavailable
from batchfish.pipeline.clock import IDLE
from batchfish.pipeline.search import adopt, new_runs, search, search_text, shows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchfish.core.identity import Markers
    from batchfish.core.rules import UnansweredRules
    from batchfish.journal.records import OpenAttempt
    from batchfish.pipeline.context import Context
    from batchfish.pipeline.search import MarkedRun

SEARCHES_AT_ONCE = 4
"""The number of unanswered creates that are searched for side by side."""


class SearchRecord(Struct):
    """The searches of this process for the run of one unanswered create.

    `searches` counts them, and `empty_searches` are the times of those that found nothing. Times are seconds
    since the create was given up.
    """

    searches: int = 0
    empty_searches: list[float] = field(default_factory=list)
    next_search: float = 0.0


class Controls(Struct):
    """Runs known to exist that searches must find, by their markers.

    `found` is whether each was found in the present round, so that it is searched for only once;
    `missed_since` is when it was first not found, in boot-time seconds.
    """

    found: dict[str, bool] = field(default_factory=dict)
    missed_since: dict[str, float] = field(default_factory=dict)


async def reconcile(ctx: Context) -> None:
    """Search for unanswered creates until nothing is left or the stages detach."""
    listener = ctx.wakeup.listen(lambda: bool(ctx.journal.open_attempts(AttemptState.UNANSWERED)))
    records: dict[tuple[int, int], SearchRecord] = {}
    controls = Controls()
    while not ctx.is_over():
        unanswered = {
            (one.item.pk, one.attempt.k): one for one in ctx.journal.open_attempts(AttemptState.UNANSWERED)
        }
        records = {key: records.get(key, SearchRecord()) for key in unanswered}
        waits = {
            key: records[key].next_search - _elapsed(ctx, one.attempt) for key, one in unanswered.items()
        }
        due = [key for key, wait in waits.items() if wait <= 0]
        if not due:
            await listener.wait(max(0.001, min(waits.values(), default=IDLE)))
            continue
        controls.found.clear()
        for start in range(0, len(due), SEARCHES_AT_ONCE):
            together = due[start : start + SEARCHES_AT_ONCE]
            await asyncio.gather(*(_settle(ctx, unanswered[key], records[key], controls) for key in together))


async def _settle(ctx: Context, one: OpenAttempt, record: SearchRecord, controls: Controls) -> None:
    """Search once for the run of an unanswered create, and act on what the evidence proves."""
    rules = ctx.policies[one.item.batch].rules.unanswered
    found, evidence = await _gather_evidence(ctx, one, record, controls)
    if _is_settled(ctx, one) or (evidence.unreachable_for and ctx.has_detached()):
        return  # a person or another search has settled it meanwhile, or this search was abandoned
    match judge(evidence, rules):
        case Adopt():
            is_adopted = [adopt(ctx, one.item.pk, run) for run in found]
            if not any(is_adopted):
                pause = pause_between_searches(record.searches, rules.settle)
                record.next_search = _elapsed(ctx, one.attempt) + pause
            await ctx.journal.commit()
            ctx.wakeup.wake()
        case Absent():
            await ctx.record_now(one.item.pk, one.attempt.k, ProvenAbsent())
        case Hold(message=message):
            ctx.notice(f"held: item {one.item.id}: {message}")
            await ctx.record_now(one.item.pk, one.attempt.k, CannotTell(message=message))
        case SearchAgain(after=after):
            record.next_search = _elapsed(ctx, one.attempt) + after


async def _gather_evidence(
    ctx: Context, one: OpenAttempt, record: SearchRecord, controls: Controls
) -> tuple[Sequence[MarkedRun], Evidence]:
    """Search for the run of an unanswered create and, where it is not found in time, for a control.

    Returns the unknown runs of its item, and the evidence.
    """
    rules, marker = ctx.policies[one.item.batch].rules.unanswered, one.attempt.marker
    found: Sequence[MarkedRun] = ()
    obstacle, control, unreachable_for = None, Control.MISSING, 0.0
    if marker:
        began_at = _elapsed(ctx, one.attempt)
        try:
            text = search_text(marker)
            listing = await search(ctx, text, LONG_SETTLE * rules.settle)
            new = new_runs(listing.rows, ctx.journal)
            found, obstacle = new.of_item(one.batch8, one.item.key), new.obstacle_to(text)
            is_empty = not (found or obstacle)
            if is_empty and _elapsed(ctx, one.attempt) >= rules.settle:
                control = await _search_for_control(ctx, one, controls, rules)
        except WebAgentUnavailable:
            unreachable_for = LONG_SETTLE * rules.settle
        else:
            record.searches += 1
            if is_empty:
                # A listing shows no more than what there was when it was asked for.
                record.empty_searches.append(began_at)
    return found, Evidence(
        elapsed=_elapsed(ctx, one.attempt),
        searches=record.searches,
        found=found[0].run if found else None,
        obstacle=obstacle,
        empty_searches=tuple(record.empty_searches),
        control=control,
        unreachable_for=unreachable_for,
        markers_work=bool(marker) and _markers_of(ctx, one) != "off",
    )


async def _search_for_control(
    ctx: Context, one: OpenAttempt, controls: Controls, rules: UnansweredRules
) -> Control:
    """Search for a run that is known to exist, in the same way as for the unanswered create's."""
    attempt = one.attempt
    fresh = ctx.journal.control_of(attempt, after=attempt.given_up_at or 0.0)
    known = fresh or ctx.journal.control_of(attempt)
    if known is None:
        # Without any accepted run an absence is believed once in a journal, and under the present key: if the
        # listing lies, that is one run paid for twice, and not one for each create that is lost.
        is_first = attempt.key_id == ctx.agent.key_id and not (
            ctx.journal.has_accepted() or ctx.journal.has_absent()
        )
        return Control.IMPOSSIBLE if is_first else Control.NONE
    marker = known.marker
    if marker not in controls.found:
        listing = await search(ctx, search_text(marker), LONG_SETTLE * rules.settle)
        controls.found[marker] = shows(listing, known.run_id or "", marker)
    if controls.found[marker]:
        return Control.FRESH if fresh is not None else Control.OLDER
    # A listing lags: that it does not show a run which was made just now says nothing about the listing.
    missed_since = controls.missed_since.setdefault(marker, ctx.clock.boottime())
    is_too_new = ctx.clock.boottime() - missed_since < rules.settle
    return Control.TOO_NEW if is_too_new else Control.MISSING


def _markers_of(ctx: Context, one: OpenAttempt) -> Markers:
    """Return whether the runs of this attempt's batch can be found by their marker."""
    batch = one.item.batch
    return ctx.session.markers if batch == ctx.batch.pk else ctx.journal.batch(batch).markers


def _is_settled(ctx: Context, one: OpenAttempt) -> bool:
    attempt = ctx.journal.attempt(one.item.pk, one.attempt.k)
    return attempt is None or attempt.state is not AttemptState.UNANSWERED


def _elapsed(ctx: Context, attempt: Attempt) -> float:
    """Return the seconds since the create was given up, on this boot's clock."""
    return ctx.clock.boottime() - (attempt.given_up_at or 0.0)
