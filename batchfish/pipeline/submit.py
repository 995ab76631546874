"""The stage that submits queued items: it commits their intents, then sends one create for each."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from msgspec.structs import replace

from batchfish.core import identity
from batchfish.core.budget import Room
from batchfish.core.events import (
    CreateAnswer,
    Intended,
    SubmitAccepted,
    SubmitDeferred,
    SubmitUnanswered,
)
from batchfish.core.items import AttemptState
from batchfish.core.pacing import creates_at_once
from batchfish.core.retry import longest_wait
from batchfish.errors import WebAgentUnavailable
from batchfish.pipeline import backoff, budget
from batchfish.pipeline.clock import IDLE
from batchfish.pipeline.context import NOT_SENT, Context, StopKind
from batchfish.pipeline.markers import prove_markers
from batchfish.pipeline.search import adopt, new_runs, search, search_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchfish.core.items import Item
    from batchfish.core.pacing import Pacing
    from batchfish.webagent.base import PreparedCreate

FORBIDDEN_IN_A_ROW = 5
"""Creates in a row that are answered with 403 before submitting stops."""

SHARED_COMMIT = 0.005
"""Seconds for which an answer waits to be committed with those that come next.

A process that is killed meanwhile finds the run by its marker, as if the answer had been lost. Where markers
are off, or not tested yet, a person would have to find it, so that nothing waits.
"""

INTENTS_AHEAD = 2
"""The intents that are committed at most, in times the creates that may wait for their answers at once.

While the answers to some are awaited, the others are ready to be sent as soon as a connection is free. Where
runs cannot be found by their marker, none are: a person has to decide on each that a killed process leaves.
"""

LATENCY_MAY_GROW = 1.001
"""The factor by which the latency may grow with each create.

The quickest of them show it: most wait for the server, too, or for this process, and the longer the more of
them are on their way.
"""

STOPS_BY_REASON = {
    "key_refused": StopKind.KEY_REFUSED,
    "no_credits": StopKind.NO_CREDITS,
    "daily_limit": StopKind.DAILY_LIMIT,
    "wrong_api": StopKind.WRONG_API,
}
"""The reasons of deferred creates after which submitting stops, since every further create would fail."""


async def submit(ctx: Context) -> None:
    """Send what is due while there is room, until nothing is left or the run stops."""
    listener = ctx.wakeup.listen(lambda: _is_concerned(ctx))
    async with asyncio.TaskGroup() as creates:
        while not ctx.is_over():
            _stop_if_only_held_are_left(ctx)
            _put_back_unsent(ctx)
            room = _room(ctx)
            if room and ctx.session.markers == "untested":
                first = ctx.journal.first_accepted(ctx.batch.pk)
                if first is not None:
                    await prove_markers(ctx, first)
                    continue
                room = 0 if _states_of_batch(ctx) else 1  # the first create of a batch is sent alone
            due = _due_items(ctx, room) if room else []
            if due and not budget.has_room(ctx, due[0]):
                due = []
            sent_before = [item for item in due if item.k and ctx.journal.may_have_run(item.pk)]
            if sent_before and ctx.rules.unanswered.marker:
                await _search_before_resending(ctx, sent_before)
                # A run that was found may have ended meanwhile, and its item be queued again.
                due = [item for item in due if ctx.journal.item(item.pk) == item][: _room(ctx)]
                if not due:
                    continue
            if not due:
                await listener.wait(_idle_time(ctx))
                continue
            ctx.session.unsent.extend(await _intend(ctx, due))
            for _ in range(min(len(ctx.session.unsent), _free_connections(ctx))):
                ctx.session.creates_in_flight += 1
                creates.create_task(_send_what_waits(ctx))
        _put_back_unsent(ctx)


def _is_concerned(ctx: Context) -> bool:
    """Whether a change may let a create be sent, make it wait for another time, or end the stage."""
    return not _may_send(ctx) or not ctx.count_alive() or _room(ctx) > 0


def _due_items(ctx: Context, room: int) -> Sequence[Item]:
    now = ctx.clock.now()
    furthest = now + longest_wait(ctx.rules.retry)
    return ctx.journal.due(ctx.batch.pk, now, room, furthest=furthest)


def _room(ctx: Context) -> int:
    """Return how many intents may be committed now: for each a slot is free. None while creates wait."""
    if ctx.session.unsent or ctx.is_idle() or not _may_send(ctx):
        return 0
    slots = ctx.session.pacing.room(ctx.journal.count_open(), ctx.count_alive())
    ahead = INTENTS_AHEAD if _are_findable(ctx) else 1
    return max(0, min(slots, ahead * _at_once(ctx) - ctx.session.creates_in_flight))


def _free_connections(ctx: Context) -> int:
    """Return how many more creates may wait for their answers at once."""
    return _at_once(ctx) - ctx.session.creates_in_flight


def _at_once(ctx: Context) -> int:
    return creates_at_once(ctx.session.latency or 0.0)


def _are_findable(ctx: Context) -> bool:
    """Whether the runs of creates that are sent now can be found by their marker."""
    return ctx.rules.unanswered.marker and ctx.session.markers == "proven"


def _states_of_batch(ctx: Context) -> set[AttemptState]:
    """Return the states of the open attempts of the batch that is being submitted."""
    return {one.attempt.state for one in ctx.journal.open_attempts() if one.item.batch == ctx.batch.pk}


def _may_send(ctx: Context) -> bool:
    """Whether creates may be sent now: the run is not stopping, and no wait that was asked for is left."""
    return ctx.may_submit() and ctx.session.creates_wait_until <= ctx.clock.boottime()


def _stop_if_only_held_are_left(ctx: Context) -> None:
    """Stop the run if only a person can free the slot that the next create needs."""
    if ctx.count_alive() or ctx.is_idle() or not _may_send(ctx):
        return
    if ctx.session.pacing.room(ctx.journal.count_open(), 0) == 0:
        ctx.stop(
            StopKind.SLOTS_HELD,
            "every slot is held by a create that waits for a person: see `batchfish held`",
        )
    elif (
        ctx.session.markers == "untested"
        and AttemptState.HELD in _states_of_batch(ctx)
        and ctx.journal.first_accepted(ctx.batch.pk) is None
    ):
        ctx.stop(
            StopKind.SLOTS_HELD,
            "the first create is sent alone, and waits for a person: see `batchfish held`",
        )


async def _search_before_resending(ctx: Context, items: Sequence[Item]) -> None:
    """Search once more for the runs of items that were sent before, and adopt those that are found.

    The proof that they have no run may be hours old by now. The run stops if a search proves nothing.
    """
    for item in items:
        text = search_text(identity.make_marker(ctx.batch.batch8, item.key, item.k))
        try:
            listing = await search(ctx, text, math.inf)
        except WebAgentUnavailable:
            return  # the stages detach
        new = new_runs(listing.rows, ctx.journal)
        if (obstacle := new.obstacle_to(text)) is not None:
            ctx.stop(
                StopKind.UNREAD_RUNS,
                f"item {item.id} is not sent again: {obstacle}. `batchfish held adopt ITEM RUN` binds a "
                "run to its item, --accept unread-runs ignores runs without a marker",
            )
            return
        for found in new.of_item(ctx.batch.batch8, item.key):
            adopt(ctx, item.pk, found)
    await ctx.journal.commit()
    ctx.wakeup.wake()


async def _intend(ctx: Context, items: Sequence[Item]) -> list[tuple[Item, PreparedCreate]]:
    """Commit the intents of these items, and return their creates, which may be sent only then.

    Those from the first one on for which the budget has no room now are left out.
    """
    ctx.journal.check_place()
    intended = []
    server_ahead = ctx.session.server_ahead
    for item in items:
        request = ctx.journal.request(item.pk)
        offered = budget.offer(ctx, request)
        if offered.room is not Room.NOW:
            break
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
            reservation=offered.reservation,
        )
        change = ctx.record(item.pk, None, event)
        intended.append((change.item, create))
    await ctx.journal.commit()
    return intended


def _put_back_unsent(ctx: Context) -> None:
    """Send no create that waits for a connection, where submitting has to wait or to stop.

    The creates that are on their way may have no answer for a minute, or until this process ends.
    """
    if ctx.session.unsent and not _may_send(ctx):
        ctx.put_back_unsent()
        ctx.journal.commit_within(SHARED_COMMIT)


async def _send_what_waits(ctx: Context) -> None:
    """Send what waits to be sent, one create after another, as long as a connection may be used for that."""
    session = ctx.session
    try:
        while session.unsent and _free_connections(ctx) >= 0:
            item, create = session.unsent.popleft()
            if not session.unsent:
                ctx.wakeup.wake()  # the next intents are committed meanwhile
            await _send(ctx, item, create)
    finally:
        session.creates_in_flight -= 1
        ctx.wakeup.wake()


async def _send(ctx: Context, item: Item, create: PreparedCreate) -> None:
    """Send one create, and record what its answer proves at once.

    Its evidence counts from then on; that it is durable may wait for the answers that come next.
    """
    answer, stamp = await _answer_to(ctx, item, create)
    change = ctx.record(item.pk, item.k, answer)
    _adapt(ctx, answer, stamp)
    ctx.wakeup.wake()
    is_findable = change.attempt is not None and change.attempt.marker and ctx.session.markers == "proven"
    ctx.journal.commit_within(SHARED_COMMIT if is_findable else 0.0)


async def _answer_to(ctx: Context, item: Item, create: PreparedCreate) -> tuple[CreateAnswer, int]:
    """Send one create, and return its answer and the round in which it was sent.

    It is not sent if that is no longer wanted since the intent was committed; then it surely made no run.
    """
    stamp = ctx.session.pacing.round
    if not _is_still_wanted(ctx, item):
        return NOT_SENT, stamp
    session, sent_at = ctx.session, ctx.clock.boottime()
    answer = _checked(ctx, await ctx.agent.submit(create))
    session.answered_at = ctx.clock.boottime()
    took = session.answered_at - sent_at
    session.create_times.append(took)
    session.latency = took if session.latency is None else min(took, LATENCY_MAY_GROW * session.latency)
    return answer, stamp


def _is_still_wanted(ctx: Context, item: Item) -> bool:
    """Whether a create may be sent now whose item was as given when its intent was committed.

    Submitting may have to wait or to stop since then, a person may have cancelled the item or lowered the
    bound, and a run of the item may have been found.
    """
    sent = ctx.journal.count_open() - len(ctx.session.unsent)
    is_within_bound = sent <= ctx.session.pacing.window.bounds.most
    return _may_send(ctx) and is_within_bound and ctx.journal.item(item.pk) == item


def _checked(ctx: Context, answer: CreateAnswer) -> CreateAnswer:
    """Return the answer to a create; it is unanswered if it cannot be true, and given up at this moment."""
    match answer:
        case SubmitAccepted(run_id=run_id) if ctx.journal.knows_run(run_id):
            return ctx.unanswered_now("the API answered with a run_id that it has given before")
        case SubmitUnanswered(message=message, retry_after=retry_after):
            return replace(ctx.unanswered_now(message), retry_after=retry_after)
        case _:
            return answer


def _adapt(ctx: Context, answer: CreateAnswer, stamp: int) -> None:
    """Slow down or stop the next creates as the answer to a create of this round demands."""
    session = ctx.session
    if isinstance(answer, SubmitDeferred | SubmitUnanswered):
        backoff.hold_creates(ctx, answer.retry_after, answer.message)
    match answer:
        case SubmitAccepted(server_date=server_date):
            session.pacing = session.pacing.accepted(stamp, _count_sent(ctx))
            session.forbidden_in_a_row = 0
            if server_date is not None:
                session.server_ahead = server_date - ctx.clock.now()
            backoff.note_answer(ctx)
        case SubmitDeferred(reason=reason, message=message) if reason in STOPS_BY_REASON:
            ctx.stop(STOPS_BY_REASON[reason], message, detaches=reason in {"key_refused", "wrong_api"})
        case SubmitDeferred(reason="forbidden", message=message):
            session.forbidden_in_a_row += 1
            if session.forbidden_in_a_row >= FORBIDDEN_IN_A_ROW:
                ctx.stop(
                    StopKind.KEY_REFUSED,
                    f"{FORBIDDEN_IN_A_ROW} creates in a row were answered with 403: {message}",
                )
        case SubmitDeferred(reason="rate_limited", message=message):
            _back_off(ctx, session.pacing.refused(stamp, _count_sent(ctx)), message)
            if not _count_sent(ctx):  # it refuses all creates, although no run of ours is alive
                backoff.note_no_answer(ctx, message)
        case SubmitDeferred(reason="unreachable", message=message):
            _back_off(ctx, session.pacing.failed(stamp), message)
            backoff.note_no_answer(ctx, message)
        case _:
            pass


def _count_sent(ctx: Context) -> int:
    """Return the number of runs alive, as far as the API may know them: some are yet to be sent."""
    return ctx.count_alive() - len(ctx.session.unsent)


def _back_off(ctx: Context, pacing: Pacing, cause: str) -> None:
    """Use the new pacing, and pause once for each round that was refused or failed."""
    is_new_round = pacing.bad_rounds > ctx.session.pacing.bad_rounds
    ctx.session.pacing = pacing
    if is_new_round:
        backoff.hold_creates(ctx, ctx.chance() * pacing.backoff, cause)


def _idle_time(ctx: Context) -> float:
    """Return the seconds until an item may be due or a wait ends."""
    waits = [IDLE]
    held_for = ctx.session.creates_wait_until - ctx.clock.boottime()
    if held_for > 0:
        waits.append(held_for)
    next_due_at = ctx.journal.next_due_at(ctx.batch.pk)
    if next_due_at is not None and next_due_at > ctx.clock.now():
        waits.append(next_due_at - ctx.clock.now())
    return max(0.01, min(waits))
