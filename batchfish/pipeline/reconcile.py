"""Creates that nobody answered for are looked up until a run is found or proven absent, or is held."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchfish.core.events import CannotTell, ProvenAbsent
from batchfish.core.items import Attempt, AttemptState
from batchfish.core.reconcile import (
    PATIENCE,
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
from batchfish.pipeline.lookup import Rows, adopt, find, obstacle_in, read_rows, search_text, shows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchfish.core.rules import UnansweredRules
    from batchfish.journal.base import Tracked
    from batchfish.pipeline.context import Context
    from batchfish.pipeline.lookup import MarkedRun

LOOKS_AT_ONCE = 4
IDLE = 60.0


@dataclass(slots=True)
class Doubt:
    """What this process knows of one unanswered create; times are seconds since it was given up."""

    looks: int = 0
    empty_looks: list[float] = field(default_factory=list)
    next_look: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """The result of one search for a doubted create: its item's unknown runs, and a control.

    `obstacle` says why the search proves nothing, if it does not.
    """

    found: Sequence[MarkedRun] = ()
    obstacle: str | None = None
    control: Control = Control.MISSING
    unreachable_for: float = 0.0


@dataclass(slots=True)
class Controls:
    """Runs known to exist that looks must show, by their markers.

    `looked_for` tells which were found in the present round, so that each is looked for once in it;
    `missed_since` is when one was first not found, in boot-time seconds.
    """

    looked_for: dict[str, bool] = field(default_factory=dict)
    missed_since: dict[str, float] = field(default_factory=dict)


async def reconcile(ctx: Context) -> None:
    """Settle doubts until nothing is left or the run detaches."""
    listener = ctx.wakeup.listen()
    doubts: dict[tuple[int, int], tuple[Tracked, Doubt]] = {}
    controls = Controls()
    while not ctx.is_over():
        doubts = {
            (one.item.pk, one.attempt.k): (one, doubts.get((one.item.pk, one.attempt.k), (one, Doubt()))[1])
            for one in ctx.journal.open_attempts(AttemptState.UNANSWERED)
        }
        waits = [doubt.next_look - _elapsed(ctx, one.attempt) for one, doubt in doubts.values()]
        due = [pair for pair, wait in zip(doubts.values(), waits, strict=True) if wait <= 0]
        if not due:
            await listener.wait(ctx.clock, max(0.001, min(waits, default=IDLE)))
            continue
        controls.looked_for.clear()
        for start in range(0, len(due), LOOKS_AT_ONCE):
            together = due[start : start + LOOKS_AT_ONCE]
            await asyncio.gather(*(_settle(ctx, one, doubt, controls) for one, doubt in together))


async def _settle(ctx: Context, one: Tracked, doubt: Doubt, controls: Controls) -> None:
    """Look once for the run of one doubted create, and act on what the evidence says."""
    rules = ctx.policies[one.item.batch].rules.unanswered
    finding = await _look(ctx, one, doubt, controls) if one.attempt.marker else Finding()
    if _is_settled(ctx, one) or (finding.unreachable_for and ctx.has_detached()):
        return  # a person, or another look, was quicker; or the look was broken off
    found = finding.found
    evidence = Evidence(
        elapsed=_elapsed(ctx, one.attempt),
        searches=doubt.looks,
        found=found[0].run if found else None,
        obstacle=finding.obstacle,
        empty_searches=tuple(doubt.empty_looks),
        control=finding.control,
        unreachable_for=finding.unreachable_for,
        markers_work=bool(one.attempt.marker) and ctx.markers_of(one) != "off",
    )
    match judge(evidence, rules):
        case Adopt():
            taken = [adopt(ctx, one.item.pk, run) for run in found]
            if not any(taken):
                doubt.next_look = _elapsed(ctx, one.attempt) + pause_between_searches(
                    doubt.looks, rules.settle
                )
            await ctx.journal.commit()
            ctx.wakeup.wake()
        case Absent():
            await ctx.settle(one.item.pk, one.attempt.k, ProvenAbsent())
        case Hold(message=message):
            ctx.notice(f"held: item {one.item.id}: {message}")
            await ctx.settle(one.item.pk, one.attempt.k, CannotTell(message=message))
        case SearchAgain(after=after):
            doubt.next_look = _elapsed(ctx, one.attempt) + after


async def _look(ctx: Context, one: Tracked, doubt: Doubt, controls: Controls) -> Finding:
    """Look for the run of a doubted create and, where it is not found in time, for a control."""
    rules = ctx.policies[one.item.batch].rules.unanswered
    control, began_at = Control.MISSING, _elapsed(ctx, one.attempt)
    try:
        text = search_text(one.attempt.marker)
        listing = await find(ctx, text, PATIENCE * rules.settle)
        rows = read_rows(listing.rows, ctx.journal)
        found, obstacle = runs_of(rows, one), obstacle_in(rows, text)
        if not (found or obstacle) and _elapsed(ctx, one.attempt) >= rules.settle:
            control = await _look_for_control(ctx, one, controls, rules)
    except WebAgentUnavailable:
        return Finding(unreachable_for=PATIENCE * rules.settle)
    doubt.looks += 1
    if not (found or obstacle):
        doubt.empty_looks.append(began_at)  # it may show no more than what was there then
    return Finding(found=found, obstacle=obstacle, control=control)


def runs_of(rows: Rows, one: Tracked) -> list[MarkedRun]:
    """Return the unknown runs that carry a marker of this very batch and item."""
    wanted = (one.batch8, one.item.key)
    return [found for found in rows.marked if (found.marker.batch8, found.marker.key) == wanted]


async def _look_for_control(
    ctx: Context, one: Tracked, controls: Controls, rules: UnansweredRules
) -> Control:
    """Look for a run that surely exists, as the doubted one was looked for."""
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
    if marker not in controls.looked_for:
        listing = await find(ctx, search_text(marker), PATIENCE * rules.settle)
        controls.looked_for[marker] = shows(listing, known.run_id or "", marker)
    if controls.looked_for[marker]:
        return Control.FRESH if fresh is not None else Control.OLDER
    # A listing lags: its silence about a run that was made just now says nothing of the listing.
    missed_since = controls.missed_since.setdefault(marker, ctx.clock.boottime())
    is_too_new = ctx.clock.boottime() - missed_since < rules.settle
    return Control.TOO_NEW if is_too_new else Control.MISSING


def _is_settled(ctx: Context, one: Tracked) -> bool:
    attempt = ctx.journal.attempt(one.item.pk, one.attempt.k)
    return attempt is None or attempt.state is not AttemptState.UNANSWERED


def _elapsed(ctx: Context, attempt: Attempt) -> float:
    """Seconds since the create was given up, on this boot's clock."""
    return ctx.clock.boottime() - (attempt.given_up_at or 0.0)
