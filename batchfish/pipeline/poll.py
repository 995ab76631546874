"""Runs are followed to their end: one look at many, a verdict on each that is over, its bytes journalled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchfish.core import identity
from batchfish.core.backoff import LONGEST_RETRY_AFTER
from batchfish.core.events import DeadlinePassed, Event, RunEnded, RunFound, RunLost, RunMisnamed
from batchfish.core.items import AttemptState, Status
from batchfish.core.pacing import next_poll
from batchfish.errors import WebAgentUnavailable
from batchfish.pipeline.backoff import looking
from batchfish.pipeline.context import Context, StopKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchfish.core.runs import RunSnapshot
    from batchfish.journal.base import Tracked
    from batchfish.webagent.base import PollResult

SIGHTINGS_OF_LOSS = 3
LOSS_TAKES = 3600.0
"""A run is lost after so many looks without it over so many seconds, each of which found another run."""

MISNAMED_IN_A_ROW = 3
"""A run is held after so many polls in a row that show it with another marker: one alone may be a slip."""

CLOCK_MARGIN = 3600.0
"""Seconds by which our wall clock may be ahead of the server's, where the API does not say what it has."""

IDLE = 60.0


@dataclass(kw_only=True, slots=True)
class Watch:
    """What the looks of this process have shown of one run; times are boot-time seconds.

    `changed_at` is when its status last changed, in epoch seconds of the server's clock, `age` how long ago
    that was at the latest poll, and `same_since` when this process first saw it so. `gone_since` is when the
    API first did not know it; `missed` counts the polls without it, from `missing_since` on, that found
    another run. `misnamed` counts the polls in a row that showed it with another marker.
    """

    since: float
    same_since: float
    next_look: float
    changed_at: float | None = None
    age: float = 0.0
    gone_since: float | None = None
    missing_since: float | None = None
    missed: int = 0
    misnamed: int = 0
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
                self.by_run[run_id] = Watch(since=now, same_since=now, next_look=now + interval)
        # Looks are shared: whoever would be due within half an interval comes along.
        return [one for run_id, one in alive.items() if self.by_run[run_id].next_look <= now + interval / 2]

    def next_due(self, now: float) -> float:
        """Seconds until the next look at any run."""
        return max(0.0, min((watch.next_look - now for watch in self.by_run.values()), default=IDLE))


async def poll(ctx: Context) -> None:
    """Look at what is alive until nothing is left or the run detaches."""
    listener, watches, interval = ctx.wakeup.listen(), Watches(), ctx.options.poll_interval
    while not ctx.is_over():
        now = ctx.clock.boottime()
        tracked = ctx.journal.open_attempts(AttemptState.RUNNING, AttemptState.HELD)
        due = watches.due(tracked, now, interval)
        if not due or watches.next_due(now) > 0:
            await listener.wait(ctx.clock, max(0.001, watches.next_due(now)))
            continue
        try:
            look = await _look(ctx, [one.attempt.run_id or "" for one in due] + _controls(ctx, due, watches))
        except WebAgentUnavailable:
            return  # the run has detached: what is alive goes on without us
        # A look takes its time: what it tells is read beside what became of the items meanwhile.
        tracked = ctx.journal.open_attempts(AttemptState.RUNNING, AttemptState.HELD)
        asked = {one.attempt.run_id for one in due}
        looked_at = [one for one in tracked if one.attempt.run_id in asked]
        has_news = _record(ctx, looked_at, look, watches)
        for one in looked_at:
            watch = watches.by_run[one.attempt.run_id or ""]
            watch.next_look = ctx.clock.boottime() + max(
                next_poll(now - watch.since, interval), min(look.retry_after or 0.0, LONGEST_RETRY_AFTER)
            )
        if has_news:
            await ctx.journal.commit()
            ctx.wakeup.wake()
        else:
            _stop_if_only_stuck(ctx, tracked, watches)


async def poll_held(ctx: Context) -> None:
    """Poll the runs of held attempts once where nothing else is left to do, since they may go on by now."""
    held = [one for one in ctx.journal.open_attempts(AttemptState.HELD) if one.attempt.run_id is not None]
    if not held or not ctx.is_over():
        return
    watches = Watches()
    watches.due(held, ctx.clock.boottime(), ctx.options.poll_interval)
    try:
        look = await ctx.agent.poll([one.attempt.run_id or "" for one in held])
    except WebAgentUnavailable:
        return  # they stay held: nothing is lost by asking next time
    if _record(ctx, held, look, watches):
        await ctx.journal.commit()


def _record(ctx: Context, looked_at: Sequence[Tracked], look: PollResult, watches: Watches) -> bool:
    """Write what a look tells of these runs; return whether that is anything."""
    events = [(one, event) for one in looked_at for event in read_look(ctx, one, look, watches)]
    for one, event in events:
        ctx.record(one.item.pk, one.attempt.k, event)
        _heed(ctx, one, event)
    return bool(events)


def _controls(ctx: Context, due: Sequence[Tracked], watches: Watches) -> list[str]:
    """Give the id of a run that a look should find, where it may else find none: then a loss can be told."""
    gone = {run_id for run_id, watch in watches.by_run.items() if watch.gone_since is not None}
    may_be_lost = any(one.attempt.run_id in gone and one.attempt.state is AttemptState.RUNNING for one in due)
    if not may_be_lost or any(one.attempt.run_id not in gone for one in due):
        return []
    alive = [run_id for run_id in watches.by_run if run_id not in gone]
    ended = None if alive else ctx.journal.latest_ended(ctx.agent.key_id)
    return alive[:1] if ended is None or ended.run_id is None else [ended.run_id]


async def _look(ctx: Context, run_ids: list[str]) -> PollResult:
    """Look until the API answers; the waits between are tenacity's."""
    async for attempt in looking(ctx, gives_up=lambda: False):
        with attempt:
            look = await ctx.agent.poll(run_ids)
    if look.retry_after is not None:
        ctx.hold_looks(look.retry_after, "a part of a look at many runs was refused")
    return look


def read_look(ctx: Context, one: Tracked, look: PollResult, watches: Watches) -> list[Event]:
    """Say what a look tells of one run: mostly nothing."""
    run_id = one.attempt.run_id or ""
    run, watch = look.runs.get(run_id), watches.by_run[run_id]
    if run is None:
        return _read_absence(ctx, one, look, watch) if run_id in look.not_found else []
    other = _other_marker(run, one.attempt.marker)
    if other is not None:
        watch.misnamed += 1
        is_held = one.attempt.state is AttemptState.HELD or watch.misnamed < MISNAMED_IN_A_ROW
        return [] if is_held else [RunMisnamed(run_id=run_id, marker=other)]
    watch.misnamed = 0
    _note_change(ctx, watch, run.started_at or run.created_at or one.attempt.created_at)
    watch.age = _age(ctx, watch, look)
    watch.missed, watch.missing_since, watch.gone_since = 0, None, None
    found: list[Event] = [RunFound()] if one.attempt.state is AttemptState.HELD else []
    if run.is_final:
        request = ctx.journal.request(one.item.pk)
        verdict = ctx.policies[one.item.batch].judge(request, one.item.id, run)
        return [*found, RunEnded(run=run, failed_check=verdict.reason, message=verdict.message)]
    return found or _watch_the_time(ctx, one, run, look, watch)


def _watch_the_time(
    ctx: Context, one: Tracked, run: RunSnapshot, look: PollResult, watch: Watch
) -> list[Event]:
    """Say whether a run has been at work for too long; tell once of one that waits too long for its start."""
    limits = ctx.policies[one.item.batch].rules.limits
    lasted = _lasted(ctx, watch, look)
    waited = lasted if run.status == "PENDING" else 0.0
    if limits.queue_timeout is not None and waited > limits.queue_timeout and not watch.is_queue_told:
        watch.is_queue_told = True
        ctx.notice(
            f"item {one.item.id}: run {run.run_id} has waited {waited / 60:.0f} min for its start; it keeps "
            "its slot, and nothing is sent in its place"
        )
    is_followed = one.item.status is Status.RUNNING and one.attempt.k == one.item.follows
    has_started = run.started_at is not None
    is_late = has_started and limits.run_timeout is not None and lasted > limits.run_timeout
    return [DeadlinePassed()] if is_followed and is_late else []


def _other_marker(run: RunSnapshot, marker: str) -> str | None:
    """Return the marker of another attempt that a row carries: then it is no answer about this one."""
    carried = identity.read_marker(run.goal) if run.goal is not None else None
    return None if carried is None or not marker or str(carried) == marker else str(carried)


def _read_absence(ctx: Context, one: Tracked, look: PollResult, watch: Watch) -> list[Event]:
    """The API does not know the run: lost after several sightings over an hour, beside runs that it shows."""
    now, is_followed = ctx.clock.boottime(), one.attempt.state is AttemptState.RUNNING
    _note_change(ctx, watch, watch.changed_at or one.attempt.created_at)
    watch.age = _age(ctx, watch, look)
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


def _note_change(ctx: Context, watch: Watch, changed_at: float | None) -> None:
    if changed_at != watch.changed_at:
        watch.changed_at, watch.same_since = changed_at, ctx.clock.boottime()


def _lasted(ctx: Context, watch: Watch, look: PollResult) -> float:
    """Return for how long a run has surely been as it is, in seconds.

    By the server's own clock; where it does not say, since this process first saw the run so, by the boot
    clock. That is too little after a restart, but no clock that is set wrong makes it too much, and so no run
    is cancelled before its time.
    """
    if look.server_date is None:
        return ctx.clock.boottime() - watch.same_since
    return 0.0 if watch.changed_at is None else look.server_date - watch.changed_at


def _age(ctx: Context, watch: Watch, look: PollResult) -> float:
    """Return how old a run's last change is, in seconds.

    Where the server does not tell its time, our wall clock less CLOCK_MARGIN does, so that it counts over
    restarts. A wrong clock can do no harm here: a run of great age is followed no longer, and nothing else.
    """
    lasted = _lasted(ctx, watch, look)
    if look.server_date is not None or watch.changed_at is None:
        return lasted
    return max(lasted, ctx.clock.now() - CLOCK_MARGIN - watch.changed_at)


def _heed(ctx: Context, one: Tracked, event: Event) -> None:
    """Say what a person must know of, and stop where further runs would only fail."""
    match event:
        case RunLost():
            ctx.notice(f"held: item {one.item.id}: the API no longer knows run {one.attempt.run_id}")
        case RunMisnamed(run_id=run_id, marker=marker):
            ctx.notice(
                f"held: item {one.item.id}: the API shows its run {run_id} with the marker of another "
                f"attempt, {marker}; its result is not taken"
            )
        case RunEnded(run=run) if run.error is not None and run.error.category == "BILLING_FAILURE":
            ctx.stop(StopKind.NO_CREDITS, f"a run ended for want of credits: {run.error.message}")


def _stop_if_only_stuck(ctx: Context, tracked: Sequence[Tracked], watches: Watches) -> None:
    """Nothing but runs without a change for too long, and no room for others: let the table be made."""
    running = [one for one in tracked if one.attempt.state is AttemptState.RUNNING]
    for one in running:
        watch = watches.by_run.get(one.attempt.run_id or "")
        if watch is None or watch.age <= ctx.policies[one.item.batch].rules.limits.stuck:
            return
    if running and ctx.alive() == len(running) and not _is_more_to_send(ctx):
        ctx.stop(StopKind.ONLY_STUCK, f"{len(running)} runs have not changed for too long", detaches=True)


def _is_more_to_send(ctx: Context) -> bool:
    if not ctx.may_submit() or ctx.session.pacing.room(ctx.journal.count_open(), ctx.alive()) == 0:
        return False
    return ctx.journal.next_due_at(ctx.batch.pk) is not None
