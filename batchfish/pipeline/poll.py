"""Runs are followed to their end: one look at many, a verdict on each that is over, its bytes journalled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchfish.core import identity
from batchfish.core.events import DeadlinePassed, Event, RunEnded, RunFound, RunLost
from batchfish.core.items import AttemptState, Status
from batchfish.core.poll_schedule import next_look
from batchfish.errors import WebAgentUnavailable
from batchfish.pipeline.context import Context, StopKind
from batchfish.pipeline.patience import LONGEST_ASKED, looking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchfish.core.runs import RunSeen
    from batchfish.journal.base import Tracked
    from batchfish.webagent.base import Look

SIGHTINGS_OF_LOSS = 3
LOSS_TAKES = 3600.0
"""A run is lost after so many looks without it over so many seconds, each of which found another run."""

IDLE = 60.0


@dataclass(kw_only=True, slots=True)
class Watch:
    """What the looks of this process have shown of one run; times are boot-time seconds.

    `changed_at` is when its status last changed, in epoch seconds of the server's clock, and `age` how long
    ago that was at the latest look. `gone_since` is when the API first did not know it; `missed` counts the
    looks without it, from `missing_since` on, that found another run.
    """

    since: float
    next_look: float
    changed_at: float | None = None
    age: float = 0.0
    gone_since: float | None = None
    missing_since: float | None = None
    missed: int = 0
    is_loss_told: bool = False
    is_queue_told: bool = False


@dataclass(slots=True)
class Watches:
    """What is remembered between looks; it lives in memory, since what is in flight is bounded."""

    by_run: dict[str, Watch] = field(default_factory=dict)

    def due(self, tracked: Sequence[Tracked], now: float, interval: float) -> list[Tracked]:
        """Give the runs whose next look has come, and forget those that are over."""
        alive = {one.attempt.run_id: one for one in tracked if one.attempt.run_id is not None}
        self.by_run = {run_id: watch for run_id, watch in self.by_run.items() if run_id in alive}
        for run_id in alive:
            if run_id not in self.by_run:
                self.by_run[run_id] = Watch(since=now, next_look=now + interval)
        # Looks are shared: whoever would be due within half an interval comes along.
        return [one for run_id, one in alive.items() if self.by_run[run_id].next_look <= now + interval / 2]

    def next_due(self, now: float) -> float:
        """Seconds until the next look at any run."""
        return max(0.0, min((watch.next_look - now for watch in self.by_run.values()), default=IDLE))


async def poll(ctx: Context) -> None:
    """Look at what is alive until nothing is left or the run detaches."""
    bell, watches, interval = ctx.bell.listen(), Watches(), ctx.pace.poll_interval
    while not ctx.is_over():
        now = ctx.clock.boottime()
        tracked = ctx.journal.open_attempts(AttemptState.RUNNING, AttemptState.HELD)
        due = watches.due(tracked, now, interval)
        if not due or watches.next_due(now) > 0:
            await bell.wait(ctx.clock, max(0.001, watches.next_due(now)))
            continue
        try:
            look = await _look(ctx, [one.attempt.run_id or "" for one in due] + _controls(ctx, due, watches))
        except WebAgentUnavailable:
            return  # the run has detached: what is alive goes on without us
        asked = {one.attempt.run_id for one in due}
        # A look takes its time: what it tells is read beside what became of the items meanwhile.
        tracked = ctx.journal.open_attempts(AttemptState.RUNNING, AttemptState.HELD)
        looked_at = [one for one in tracked if one.attempt.run_id in asked]
        events = [(one, event) for one in looked_at for event in read_look(ctx, one, look, watches)]
        for one, event in events:
            ctx.record(one.item.pk, one.attempt.k, event)
            _heed(ctx, one, event)
        for one in looked_at:
            watch = watches.by_run[one.attempt.run_id or ""]
            watch.next_look = ctx.clock.boottime() + max(
                next_look(now - watch.since, interval), min(look.retry_after or 0.0, LONGEST_ASKED)
            )
        if events:
            await ctx.journal.commit()
            ctx.bell.ring()
        else:
            _stop_if_only_stuck(ctx, tracked, watches)


def _controls(ctx: Context, due: Sequence[Tracked], watches: Watches) -> list[str]:
    """Give the id of a run that a look should find, where it may else find none: then a loss can be told."""
    gone = {run_id for run_id, watch in watches.by_run.items() if watch.gone_since is not None}
    may_be_lost = any(one.attempt.run_id in gone and one.attempt.state is AttemptState.RUNNING for one in due)
    if not may_be_lost or any(one.attempt.run_id not in gone for one in due):
        return []
    alive = [run_id for run_id in watches.by_run if run_id not in gone]
    ended = None if alive else ctx.journal.latest_ended(ctx.agent.key_id)
    return alive[:1] if ended is None or ended.run_id is None else [ended.run_id]


async def _look(ctx: Context, run_ids: list[str]) -> Look:
    """Look until the API answers; the waits between are tenacity's."""
    async for attempt in looking(ctx, gives_up=lambda: False):
        with attempt:
            look = await ctx.agent.poll(run_ids)
    if look.retry_after is not None:
        ctx.hold_looks(look.retry_after, "a part of a look at many runs was refused")
    return look


def read_look(ctx: Context, one: Tracked, look: Look, watches: Watches) -> list[Event]:
    """Say what a look tells of one run: mostly nothing."""
    run_id = one.attempt.run_id or ""
    run, watch = look.runs.get(run_id), watches.by_run[run_id]
    if run is None:
        return _read_absence(ctx, one, look, watch) if run_id in look.not_found else []
    if not _is_answer(run, one.attempt.marker):
        return []
    watch.changed_at = run.started_at or run.created_at or one.attempt.created_at
    watch.age = _age(watch.changed_at, look)
    watch.missed, watch.missing_since, watch.gone_since = 0, None, None
    found: list[Event] = [RunFound()] if one.attempt.state is AttemptState.HELD else []
    if run.is_final:
        request = ctx.journal.request(one.item.pk)
        verdict = ctx.terms[one.item.batch].judge(request, one.item.id, run)
        return [*found, RunEnded(run=run, failed_check=verdict.reason, message=verdict.message)]
    return found or _watch_the_time(ctx, one, run, look, watch)


def _watch_the_time(ctx: Context, one: Tracked, run: RunSeen, look: Look, watch: Watch) -> list[Event]:
    """Say whether a run has been at work for too long; tell once of one that waits too long for its start."""
    limits = ctx.terms[one.item.batch].rules.limits
    waited = _age(run.created_at, look) if run.status == "PENDING" else 0.0
    if limits.queue_timeout is not None and waited > limits.queue_timeout and not watch.is_queue_told:
        watch.is_queue_told = True
        ctx.notice(
            f"item {one.item.id}: run {run.run_id} has waited {waited / 60:.0f} min for its start; it keeps "
            "its slot, and nothing is sent in its place"
        )
    is_followed = one.item.status is Status.RUNNING and one.attempt.k == one.item.follows
    is_late = limits.run_timeout is not None and _age(run.started_at, look) > limits.run_timeout
    return [DeadlinePassed()] if is_followed and is_late else []


def _is_answer(run: RunSeen, marker: str) -> bool:
    """A row whose goal carries another attempt's marker speaks of another run, whatever its id."""
    carried = identity.read_marker(run.goal) if run.goal is not None else None
    return carried is None or not marker or str(carried) == marker


def _read_absence(ctx: Context, one: Tracked, look: Look, watch: Watch) -> list[Event]:
    """The API does not know the run: lost after several sightings over an hour, beside runs that it shows."""
    now, is_followed = ctx.clock.boottime(), one.attempt.state is AttemptState.RUNNING
    watch.age = _age(watch.changed_at or one.attempt.created_at, look)
    if watch.gone_since is None:
        watch.gone_since = now
    if look.runs:
        watch.missed += 1
        if watch.missing_since is None:
            watch.missing_since = now
        is_lost = watch.missed >= SIGHTINGS_OF_LOSS and now - watch.missing_since >= LOSS_TAKES
        return [RunLost()] if is_lost and is_followed else []
    if is_followed and now - watch.gone_since >= LOSS_TAKES and not watch.is_loss_told:
        watch.is_loss_told = True
        ctx.notice(
            f"item {one.item.id}: the API has not known run {one.attempt.run_id} for "
            f"{(now - watch.gone_since) / 60:.0f} min, but shows no other run either: it is still waited for"
        )
    return []


def _age(since: float | None, look: Look) -> float:
    """Seconds on the server's own clock; 0 where it did not say."""
    return 0.0 if since is None or look.server_date is None else look.server_date - since


def _heed(ctx: Context, one: Tracked, event: Event) -> None:
    """Say what a person must know of, and stop where further runs would only fail."""
    match event:
        case RunLost():
            ctx.notice(f"held: item {one.item.id}: the API no longer knows run {one.attempt.run_id}")
        case RunEnded(run=run) if run.error is not None and run.error.category == "BILLING_FAILURE":
            ctx.stop(StopKind.NO_CREDITS, f"a run ended for want of credits: {run.error.message}")


def _stop_if_only_stuck(ctx: Context, tracked: Sequence[Tracked], watches: Watches) -> None:
    """Nothing but runs without a change for too long, and no room for others: let the table be made."""
    running = [one for one in tracked if one.attempt.state is AttemptState.RUNNING]
    for one in running:
        watch = watches.by_run.get(one.attempt.run_id or "")
        if watch is None or watch.age <= ctx.terms[one.item.batch].rules.limits.stuck:
            return
    if running and ctx.alive() == len(running) and not _is_more_to_send(ctx):
        ctx.stop(StopKind.ONLY_STUCK, f"{len(running)} runs have not changed for too long", detaches=True)


def _is_more_to_send(ctx: Context) -> bool:
    if not ctx.may_submit() or ctx.session.pacing.room(ctx.journal.count_open(), ctx.alive()) == 0:
        return False
    return ctx.journal.next_due_at(ctx.batch.pk) is not None
