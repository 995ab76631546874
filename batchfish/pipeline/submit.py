"""Queued items become runs: intents first, then one create each, never more alive than the window allows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from batchfish.core import identity
from batchfish.core.events import (
    CreateAnswer,
    Intended,
    SubmitAccepted,
    SubmitDeferred,
    SubmitUnanswered,
)
from batchfish.core.items import AttemptState
from batchfish.core.reconcile import pause_between_looks
from batchfish.core.retry import LONGEST_WAIT
from batchfish.errors import WebAgentUnavailable
from batchfish.pipeline.context import Context, StopKind
from batchfish.pipeline.lookup import carries, find, search_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchfish.core.items import Attempt, Item
    from batchfish.webagent.base import PreparedCreate

LONGEST_PAUSE = 900.0
BACKOFF_FIRST, BACKOFF_MOST = 1.0, 60.0
FORBIDDEN_IN_A_ROW = 5
IDLE = 60.0

STOPS = {
    "key_refused": StopKind.KEY_REFUSED,
    "no_credits": StopKind.NO_CREDITS,
    "daily_limit": StopKind.DAILY_LIMIT,
    "wrong_api": StopKind.WRONG_API,
}
"""Answers after which no further create has a chance: the run stops submitting."""


async def submit(ctx: Context) -> None:
    """Send what is due while there is room, until nothing is left or the run is stopped."""
    bell = ctx.bell.listen()
    async with asyncio.TaskGroup() as creates:
        while not ctx.is_over():
            room = await _find_room(ctx)
            due = _what_is_due(ctx, room) if room else []
            if not due:
                await bell.wait(ctx.clock, _idle_time(ctx))
                continue
            for item, create in await _intend(ctx, due):
                task = creates.create_task(_send(ctx, item, create))
                ctx.session.creates.add(task)
                task.add_done_callback(ctx.session.creates.discard)


def _what_is_due(ctx: Context, room: int) -> Sequence[Item]:
    now = ctx.clock.now()
    longest = max(LONGEST_WAIT, ctx.rules.retry.wait_max)
    return ctx.journal.due(ctx.batch.pk, now, room, furthest=now + longest)


async def _find_room(ctx: Context) -> int:
    """How many creates may be sent now: as there are slots and connections free, and the first one alone."""
    if not ctx.may_submit() or ctx.session.paused_until > ctx.clock.boottime():
        return 0
    open_attempts = ctx.journal.count_open()
    room = ctx.session.window.room(open_attempts)
    if room == 0 and not ctx.alive():
        ctx.stop(StopKind.SLOTS_HELD, f"all {open_attempts} slots wait for a person: see `batchfish held`")
        return 0
    room = min(room, ctx.pace.creates_at_once - len(ctx.session.creates))
    if room > 0 and ctx.session.markers == "untested":
        return await _room_for_the_first(ctx)
    return max(0, room)


async def _room_for_the_first(ctx: Context) -> int:
    """Let the first create of a batch go alone, and see that its run is found by its marker."""
    accepted = ctx.journal.first_accepted(ctx.batch.pk)
    if accepted is not None:
        await _test_markers(ctx, accepted)
        return 0
    mine = [one.attempt.state for one in ctx.journal.open_attempts() if one.item.batch == ctx.batch.pk]
    if AttemptState.HELD in mine and not ctx.alive():
        ctx.stop(
            StopKind.SLOTS_HELD, "the first create waits for a person, and goes alone: see `batchfish held`"
        )
    return 0 if mine else 1


async def _test_markers(ctx: Context, accepted: Attempt) -> None:
    """Look by marker for a run that surely exists, for up to `settle`; not found, markers are off."""
    settle = ctx.rules.unanswered.settle
    bell, since, looks = ctx.bell.listen(), ctx.clock.boottime(), 0
    while not ctx.has_detached():
        waited = ctx.clock.boottime() - since
        try:
            listing = await find(ctx, search_text(accepted.marker), ctx.pace.max_outage)
        except WebAgentUnavailable as error:
            # Other looks may have been answered meanwhile, so that this alone is the outage.
            ctx.stop(StopKind.UNREACHABLE, f"the first run of this batch cannot be looked up: {error}")
            return
        looks += 1
        if any(row.run_id == accepted.run_id and carries(row.goal, accepted.marker) for row in listing.rows):
            await _set_markers(ctx, "proven")
            return
        if waited >= settle:
            ctx.notice(
                "markers: the first run is not found by the reference line in its goal; from here on "
                "a create without a clear answer is held for a person"
            )
            await _set_markers(ctx, "off")
            return
        await bell.wait(ctx.clock, pause_between_looks(looks, settle))


async def _set_markers(ctx: Context, found: str) -> None:
    ctx.journal.set_markers(ctx.batch.pk, found)
    await ctx.journal.commit()
    ctx.session.markers = found
    ctx.bell.ring()


async def _intend(ctx: Context, items: Sequence[Item]) -> list[tuple[Item, PreparedCreate]]:
    """Commit the intents of these items; only then may their creates leave."""
    ctx.journal.check_place()
    intended = []
    server_ahead = ctx.session.server_ahead
    for item in items:
        request = ctx.journal.request(item.pk)
        k = item.k + 1
        marker = identity.make_marker(ctx.batch.batch8, item.key, k)
        goal = identity.mark(request.goal, marker) if ctx.rules.unanswered.marker else request.goal
        create = ctx.agent.prepare(request.url, goal, request.fields)
        event = Intended(
            k=k,
            marker=marker if ctx.rules.unanswered.marker else "",
            key_id=ctx.agent.key_id,
            body_sha256=create.sha256,
            boot_at=ctx.clock.boottime(),
            boot_id=ctx.clock.boot_id,
            server_date=None if server_ahead is None else ctx.clock.now() + server_ahead,
        )
        change = ctx.record(item.pk, None, event)
        intended.append((change.item, create))
    await ctx.journal.commit()
    return intended


async def _send(ctx: Context, item: Item, create: PreparedCreate) -> None:
    """Send one create and record what its answer proves, at once."""
    answer = _read_critically(ctx, await ctx.agent.submit(create))
    await ctx.settle(item.pk, item.k, answer)
    _heed(ctx, answer)


def _read_critically(ctx: Context, answer: CreateAnswer) -> CreateAnswer:
    """Doubt what cannot be true, and date what was given up."""
    match answer:
        case SubmitAccepted(run_id=run_id) if ctx.journal.attempt_of_run(run_id) is not None:
            return ctx.give_up_now("the API answered with a run_id that it has given before")
        case SubmitUnanswered(message=message):
            return ctx.give_up_now(message)
        case _:
            return answer


def _heed(ctx: Context, answer: CreateAnswer) -> None:
    """Let the answer slow the next creates down, or stop them."""
    session = ctx.session
    match answer:
        case SubmitAccepted(server_date=server_date):
            session.rate_limited = session.forbidden_in_a_row = 0
            if server_date is not None:
                session.server_ahead = server_date - ctx.clock.now()
            ctx.is_answered()
        case SubmitDeferred(reason=reason, message=message) if reason in STOPS:
            ctx.stop(STOPS[reason], message, detaches=reason in {"key_refused", "wrong_api"})
        case SubmitDeferred(reason="forbidden", message=message):
            session.forbidden_in_a_row += 1
            if session.forbidden_in_a_row >= FORBIDDEN_IN_A_ROW:
                ctx.stop(
                    StopKind.KEY_REFUSED, f"{FORBIDDEN_IN_A_ROW} creates in a row are forbidden: {message}"
                )
        case SubmitDeferred(
            reason="rate_limited" | "unreachable" as reason, message=message, retry_after=retry_after
        ):
            session.rate_limited += 1
            ceiling = min(BACKOFF_MOST, BACKOFF_FIRST * 2.0 ** min(session.rate_limited - 1, 10))
            pause = max(ctx.chance() * ceiling, min(retry_after or 0.0, LONGEST_PAUSE))
            session.paused_until = max(session.paused_until, ctx.clock.boottime() + pause)
            if reason == "unreachable":
                ctx.is_unanswered(message)
        case _:
            pass


def _idle_time(ctx: Context) -> float:
    """Seconds until something may be due without anything else happening."""
    waits = [IDLE]
    paused = ctx.session.paused_until - ctx.clock.boottime()
    if paused > 0:
        waits.append(paused)
    next_due_at = ctx.journal.next_due_at(ctx.batch.pk)
    if next_due_at is not None and next_due_at > ctx.clock.now():
        waits.append(next_due_at - ctx.clock.now())
    return max(0.01, min(waits))
