"""Queued items become runs: intents first, then one create each, never more alive than the window allows."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from typing import TYPE_CHECKING

from batchfish.core import identity
from batchfish.core.events import (
    CreateAnswer,
    Intended,
    SubmitAccepted,
    SubmitDeferred,
    SubmitUnanswered,
)
from batchfish.core.identity import BATCH_PREFIX_LETTERS
from batchfish.core.items import AttemptState, Status
from batchfish.core.reconcile import pause_between_searches
from batchfish.core.retry import longest_wait
from batchfish.errors import NeedsYes, WebAgentUnavailable
from batchfish.pipeline.context import Context, StopKind
from batchfish.pipeline.lookup import (
    adopt,
    find,
    name_runs,
    obstacle_in,
    read_rows,
    search_text,
    shows,
)
from batchfish.pipeline.strangers import find_strangers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchfish.core.items import Attempt, Item
    from batchfish.core.pacing import Pacing
    from batchfish.webagent.base import PreparedCreate

FORBIDDEN_IN_A_ROW = 5
IDLE = 60.0

STOPS = {
    "key_refused": StopKind.KEY_REFUSED,
    "no_credits": StopKind.NO_CREDITS,
    "daily_limit": StopKind.DAILY_LIMIT,
    "wrong_api": StopKind.WRONG_API,
}
"""Answers after which no further create has a chance: the run stops submitting."""

NOT_SENT = SubmitDeferred(reason="not_sent", message="submitting had to wait before the create was sent")


async def submit(ctx: Context) -> None:
    """Send what is due while there is room, until nothing is left or the run is stopped."""
    listener = ctx.wakeup.listen()
    async with asyncio.TaskGroup() as creates:
        while not ctx.is_over():
            room = 0 if ctx.is_idle() else await _find_room(ctx)
            due = _what_is_due(ctx, room) if room else []
            if any(item.k and ctx.journal.may_have_run(item.pk) for item in due):
                due = await _without_found(ctx, due)
                if not due or not ctx.may_submit():
                    continue
            if not due:
                await listener.wait(ctx.clock, _idle_time(ctx))
                continue
            for item, create in await _intend(ctx, due):
                task = creates.create_task(_send(ctx, item, create))
                ctx.session.creates.add(task)
                task.add_done_callback(ctx.session.creates.discard)


def _what_is_due(ctx: Context, room: int) -> Sequence[Item]:
    now = ctx.clock.now()
    furthest = now + longest_wait(ctx.rules.retry)
    return ctx.journal.due(ctx.batch.pk, now, room, furthest=furthest)


async def _without_found(ctx: Context, items: Sequence[Item]) -> Sequence[Item]:
    """Search once more for runs of the items that were sent before, and return those that may be sent.

    An absence that was proven may be hours old by now: a run that has shown since is adopted instead. Creates
    that were surely refused need no search.
    """
    if not ctx.rules.unanswered.marker:
        return items
    for item in items:
        if item.k and ctx.journal.may_have_run(item.pk):
            text = search_text(identity.make_marker(ctx.batch.batch8, item.key, item.k))
            try:
                rows = read_rows((await find(ctx, text, math.inf)).rows, ctx.journal)
            except WebAgentUnavailable:
                return []  # the run has detached
            if (obstacle := obstacle_in(rows, text)) is not None:
                ctx.stop(
                    StopKind.UNREAD_RUNS,
                    f"item {item.id} is not sent again: {obstacle}. `batchfish held adopt ITEM RUN` binds a "
                    "run to its item, --accept unread-runs declares runs without a marker to be nobody's",
                )
                return []
            for found in rows.marked:
                if (found.marker.batch8, found.marker.key) == (ctx.batch.batch8, item.key):
                    adopt(ctx, item.pk, found)
    await ctx.journal.commit()
    ctx.wakeup.wake()
    return [item for item in items if ctx.journal.item(item.pk).status is Status.QUEUED]


async def _find_room(ctx: Context) -> int:
    """How many creates may be sent now: as there are slots and connections free, and the first one alone."""
    if not _may_send(ctx):
        return 0
    open_attempts, alive = ctx.journal.count_open(), ctx.alive()
    room = ctx.session.pacing.room(open_attempts, alive)
    if room == 0 and not alive:
        ctx.stop(StopKind.SLOTS_HELD, f"all {open_attempts} slots wait for a person: see `batchfish held`")
        return 0
    room = min(room, ctx.options.creates_at_once - len(ctx.session.creates))
    if room > 0 and ctx.session.markers == "untested":
        return await _room_for_the_first(ctx)
    return max(0, room)


def _may_send(ctx: Context) -> bool:
    """Whether creates may be sent now: not when the run stops, and not before a wait is over."""
    return ctx.may_submit() and ctx.session.creates_wait_until <= ctx.clock.boottime()


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
    listener, since, looks = ctx.wakeup.listen(), ctx.clock.boottime(), 0
    while not ctx.has_detached():
        waited = ctx.clock.boottime() - since
        try:
            listing = await find(ctx, search_text(accepted.marker), ctx.options.max_outage)
            is_found = shows(listing, accepted.run_id or "", accepted.marker)
            if is_found:
                await _refuse_beside_a_twin(ctx, accepted)
        except WebAgentUnavailable as error:
            # Other looks may have been answered meanwhile, so that this alone is the outage.
            ctx.stop(StopKind.UNREACHABLE, f"the first run of this batch cannot be looked up: {error}")
            return
        looks += 1
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
        await listener.wait(ctx.clock, pause_between_searches(looks, settle))


async def _refuse_beside_a_twin(ctx: Context, first: Attempt) -> None:
    """Raise NeedsYes where another journal has begun the same items at the same time, in another folder.

    Each of two that begin at once finds nothing at its start. The listing shows the first create of this one
    now, so it shows what was created before it, too: at most that one run was paid for in vain.
    """
    name = f"{ctx.batch.manifest.get('name')}{identity.TRY_SUFFIX}"
    if ctx.batch.name.startswith(name):
        return  # a try pays for an item beside its batch, on purpose
    journal, batch8 = ctx.journal, ctx.batch.batch8
    strangers = await find_strangers(
        ctx.agent,
        [f"bf-{batch8[:BATCH_PREFIX_LETTERS]}", f"-{journal.item(first.item).key}-"],
        known=journal,
        batch8s=journal.batch8s() | journal.agreed_strangers(),
        clock=ctx.clock,
        chance=ctx.chance,
        patience=ctx.options.max_outage,
    )
    if strangers.unread:
        raise NeedsYes(
            "the listing shows runs that may belong to another journal of this batch, but not the reference "
            f"line in their goals: {name_runs(strangers.unread)}. Nothing more is sent. --accept unread-runs "
            "declares them to be nobody's",
            question="unread-runs",
        )
    tries = identity.batch_prefix(name)
    twins = {
        marker.batch8
        for marker in strangers.markers
        if journal.asks_for(ctx.batch.pk, marker.key) and not marker.batch8.startswith(tries)
    }
    if not twins:
        return
    if "same-items" in ctx.accepted:
        journal.agree_to_strangers(twins, ctx.clock.now())
        return
    raise NeedsYes(
        "another journal has begun the same items: the account has runs of them under "
        f"{', '.join(sorted(twins))}, beside the one run that was made here. Nothing more is sent. Go on "
        "with one of the two; --accept same-items pays for the same items here, too",
        question="same-items",
    )


async def _set_markers(ctx: Context, found: str) -> None:
    ctx.journal.set_markers(ctx.batch.pk, found)
    await ctx.journal.commit()
    ctx.session.markers = found
    ctx.wakeup.wake()


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
    ctx.session.intended_at = ctx.clock.boottime()
    return intended


async def _send(ctx: Context, item: Item, create: PreparedCreate) -> None:
    """Send one create and record what its answer proves, at once.

    An answer that came while the intent was committed may have ended submitting for now: then the create is
    not sent, and surely made no run.
    """
    if not _may_send(ctx):
        await ctx.settle(item.pk, item.k, NOT_SENT)
        return
    stamp = ctx.session.pacing.round
    answer = _read_critically(ctx, await ctx.agent.submit(create))
    ctx.record(item.pk, item.k, answer)
    _heed(ctx, answer, stamp)  # before the commit, which takes its time: no other create is sent meanwhile
    await ctx.journal.commit()
    ctx.wakeup.wake()


def _read_critically(ctx: Context, answer: CreateAnswer) -> CreateAnswer:
    """Doubt what cannot be true, and date what was given up."""
    match answer:
        case SubmitAccepted(run_id=run_id) if ctx.journal.attempt_of_run(run_id) is not None:
            return ctx.give_up_now("the API answered with a run_id that it has given before")
        case SubmitUnanswered(message=message, retry_after=retry_after):
            return replace(ctx.give_up_now(message), retry_after=retry_after)
        case _:
            return answer


def _heed(ctx: Context, answer: CreateAnswer, stamp: int) -> None:
    """Slow the next creates down, or stop them, as the answer to a create of this round demands."""
    session = ctx.session
    if isinstance(answer, SubmitDeferred | SubmitUnanswered):
        ctx.hold_creates(answer.retry_after, answer.message)
    match answer:
        case SubmitAccepted(server_date=server_date):
            session.pacing = session.pacing.accepted(stamp, ctx.alive())
            session.forbidden_in_a_row = 0
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
        case SubmitDeferred(reason="rate_limited", message=message):
            _back_off(ctx, session.pacing.refused(stamp, ctx.alive()), message)
            if not ctx.alive():
                ctx.is_unanswered(message)  # the API takes nothing, though nothing of ours is in its way
        case SubmitDeferred(reason="unreachable", message=message):
            _back_off(ctx, session.pacing.failed(stamp), message)
            ctx.is_unanswered(message)
        case _:
            pass


def _back_off(ctx: Context, pacing: Pacing, why: str) -> None:
    """Use the new pacing, and pause once for each round that ends badly."""
    is_new_round = pacing.bad_rounds > ctx.session.pacing.bad_rounds
    ctx.session.pacing = pacing
    if is_new_round:
        ctx.hold_creates(ctx.chance() * pacing.backoff, why)


def _idle_time(ctx: Context) -> float:
    """Seconds until something may be due without anything else happening."""
    waits = [IDLE]
    held_for = ctx.session.creates_wait_until - ctx.clock.boottime()
    if held_for > 0:
        waits.append(held_for)
    next_due_at = ctx.journal.next_due_at(ctx.batch.pk)
    if next_due_at is not None and next_due_at > ctx.clock.now():
        waits.append(next_due_at - ctx.clock.now())
    return max(0.01, min(waits))
