"""The stage that polls runs until they end, judges their results, and notes lost, late and misnamed ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.core import identity
from batchfish.core.backoff import LONGEST_RETRY_AFTER
from batchfish.core.describe import several, spell_duration
from batchfish.core.events import DeadlinePassed, Event, RunEnded, RunFound, RunLost, RunMisnamed
from batchfish.core.items import AttemptState, Status
from batchfish.core.pacing import next_poll, poll_interval
from batchfish.core.reuse import fresh_since
from batchfish.errors import WebAgentUnavailable
from batchfish.pipeline import backoff
from batchfish.pipeline.context import Context, StopKind
from batchfish.pipeline.watches import Watch, Watches

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batchfish.core.runs import RunSnapshot
    from batchfish.journal.records import OpenAttempt
    from batchfish.webagent.base import PollResult

POLLS_BEFORE_LOSS, SECONDS_BEFORE_LOSS = 3, 3600.0
"""A run is lost after this many polls, over this long, that found another run but not it."""

MISNAMED_IN_A_ROW = 3
"""A run is held after this many polls in a row that show it with another marker; one may be a slip."""

CLOCK_MARGIN = 3600.0
"""Seconds by which our wall clock may be ahead of the server's, where the API does not say what it has."""


async def poll(ctx: Context) -> None:
    """Poll the runs that are alive until nothing is left or the stages detach."""
    watches = Watches()
    listener = ctx.wakeup.listen(lambda: _is_due_sooner(ctx, watches))
    while not ctx.is_over():
        now = ctx.clock.boottime()
        interval = _interval(ctx, watches, now)
        watches.add(ctx.journal.open_runs().keys(), now, interval)
        watches.forget_all_but(ctx.journal.open_runs().keys())
        due = watches.due(now, interval)
        if not due:
            await listener.wait(max(0.001, watches.next_due(now)))
            continue
        try:
            result = await _poll(ctx, due + _controls(ctx, due, watches))
        except WebAgentUnavailable:
            return  # the stages detach
        # The items may have changed while the answer was awaited.
        runs = ctx.journal.open_runs()
        polled = [runs[run_id] for run_id in due if run_id in runs]
        has_news = _record(ctx, polled, result, watches)
        asked_to_wait = min(result.retry_after or 0.0, LONGEST_RETRY_AFTER)
        for run_id in due:
            watch = watches.by_run[run_id]
            pause = next_poll(now - watch.since, interval)
            # From one request to the next: how long its answer takes is no reason to see ends later.
            watch.next_poll = max(now + pause, ctx.clock.boottime() + max(pause / 2, asked_to_wait))
        _pace(ctx, watches, result, now, interval)
        if has_news:
            ctx.wakeup.wake()  # the intents that follow are committed with these ends
            await ctx.journal.commit()
        else:
            _stop_if_only_stuck(ctx, watches)


def _is_due_sooner(ctx: Context, watches: Watches) -> bool:
    """Watch the runs that are new, and return whether one of them is due before all others."""
    now, earliest = ctx.clock.boottime(), watches.earliest
    watches.add(ctx.journal.open_runs().keys(), now, _interval(ctx, watches, now))
    return watches.earliest < earliest


def _interval(ctx: Context, watches: Watches, now: float) -> float:
    """Return the seconds between two polls of a run, by what is known of how long runs take."""
    options = ctx.options
    if not options.learns_interval:
        return options.poll_interval
    run_seconds = watches.queue.run_seconds
    return poll_interval(
        options.poll_interval,
        run_seconds,
        watches.oldest(now) if run_seconds is None else 0.0,
        is_growing=ctx.session.pacing.is_growing,
    )


def _pace(ctx: Context, watches: Watches, result: PollResult, asked_at: float, interval: float) -> None:
    """Pass on to the pacing, once an interval, how full the server's queue is; see `Queue.count`."""
    queue, now = watches.queue, ctx.clock.boottime()
    for run_id, run in result.runs.items():
        if (watch := watches.by_run.get(run_id)) is not None:
            queue.note(run, watch)
    if now - queue.told_at < interval / 2:
        return
    over = {run_id for run_id, run in result.runs.items() if run.is_final}
    shown = (watch for run_id, watch in watches.by_run.items() if run_id not in over)
    working, waiting = queue.count(shown, asked_at, interval)
    before, alive = ctx.session.pacing, ctx.count_alive()
    # A run that no poll has shown yet may have a slot or not: it counts as starting.
    starting = max(0, alive - working - waiting)
    ctx.session.pacing = before.polled(
        alive=alive,
        waiting=waiting,
        starting=starting,
        ended=queue.ended,
        create_time=ctx.session.create_time / max(interval, now - queue.told_at),
    )
    queue.ended, queue.told_at = 0, now
    if ctx.session.pacing.limit > before.limit:
        ctx.wakeup.wake()


async def poll_held(ctx: Context) -> None:
    """Poll the runs of held attempts once where nothing else is left to do: the API may show them again."""
    held = {
        run_id: one
        for run_id, one in ctx.journal.open_runs().items()
        if one.attempt.state is AttemptState.HELD
    }
    if not held or not ctx.is_idle():
        return
    watches = Watches()
    watches.add(held.keys(), ctx.clock.boottime(), ctx.options.poll_interval)
    try:
        result = await ctx.agent.poll(list(held))
    except WebAgentUnavailable:
        return  # they stay held, and the next process polls them again
    if _record(ctx, held.values(), result, watches):
        await ctx.journal.commit()


async def poll_reusable(ctx: Context) -> None:
    """Poll the runs of earlier batches once if results may be reused: some may have ended unnoticed.

    Without that, their items would be paid for again, although their results are there.
    """
    if fresh_since(ctx.rules, number=ctx.batch.number, now=ctx.clock.now()) is None or not ctx.may_submit():
        return
    asked = {run_id for run_id, one in ctx.journal.open_runs().items() if one.item.batch != ctx.batch.pk}
    watches = Watches()
    watches.add(ctx.journal.open_runs().keys(), ctx.clock.boottime(), ctx.options.poll_interval)
    while asked:
        try:
            result = await _poll(ctx, sorted(asked))
        except WebAgentUnavailable:
            return  # the stages detach
        # The items may have changed while the answer was awaited.
        polled = [one for run_id, one in ctx.journal.open_runs().items() if run_id in asked]
        if _record(ctx, polled, result, watches):
            await ctx.journal.commit()
        # Results beyond the size limit of one answer are left for the next poll.
        left = asked - result.runs.keys() - result.not_found
        asked = left if left < asked else set()


def _record(ctx: Context, polled: Iterable[OpenAttempt], result: PollResult, watches: Watches) -> bool:
    """Write what a poll shows of these runs; return whether anything was written."""
    events = [(one, event) for one in polled for event in _note_poll(ctx, one, result, watches)]
    for one, event in events:
        ctx.record(one.item.pk, one.attempt.k, event)
        _report(ctx, one, event)
    return bool(events)


def _controls(ctx: Context, due: Sequence[str], watches: Watches) -> list[str]:
    """Return the id of a run that the API must know, to poll with runs that may all be lost.

    They are believed to be lost only if it is found.
    """
    if any(watches.by_run[run_id].gone_since is None for run_id in due):
        return []
    runs = ctx.journal.open_runs()
    if not any(runs[run_id].attempt.state is AttemptState.RUNNING for run_id in due):
        return []
    alive = [run_id for run_id, watch in watches.by_run.items() if watch.gone_since is None]
    ended = None if alive else ctx.journal.latest_ended(ctx.agent.key_id)
    return alive[:1] if ended is None or ended.run_id is None else [ended.run_id]


async def _poll(ctx: Context, run_ids: list[str]) -> PollResult:
    """Poll runs until the API answers; WebAgentUnavailable once the stages detach."""
    result = await backoff.until_answered(ctx, lambda: ctx.agent.poll(run_ids))
    if result.retry_after is not None:
        backoff.hold_reads(ctx, result.retry_after, "a part of a poll of many runs was refused")
    return result


def _note_poll(ctx: Context, one: OpenAttempt, result: PollResult, watches: Watches) -> list[Event]:
    """Note what a poll shows of one run, and return the events that follow; mostly none."""
    run_id = one.attempt.run_id or ""
    run, watch = result.runs.get(run_id), watches.by_run[run_id]
    if run is None:
        return _note_absence(ctx, one, result, watch) if run_id in result.not_found else []
    other = _other_marker(run, one.attempt.marker)
    if other is not None:
        watch.misnamed += 1
        is_held = one.attempt.state is AttemptState.HELD or watch.misnamed < MISNAMED_IN_A_ROW
        return [] if is_held else [RunMisnamed(run_id=run_id, marker=other)]
    watch.misnamed = 0
    _note_change(ctx, watch, run.started_at or run.created_at or one.attempt.created_at)
    watch.age = _age(ctx, watch, result)
    watch.missed, watch.missing_since, watch.gone_since = 0, None, None
    found: list[Event] = [RunFound()] if one.attempt.state is AttemptState.HELD else []
    if run.is_final:
        request = ctx.journal.request(one.item.pk)
        verdict = ctx.policies[one.item.batch].judge(request, one.item.id, run)
        return [*found, RunEnded(run=run, verdict=verdict)]
    return found or _note_time(ctx, one, run, result, watch)


def _note_time(
    ctx: Context, one: OpenAttempt, run: RunSnapshot, result: PollResult, watch: Watch
) -> list[Event]:
    """Return DeadlinePassed for a run past `run_timeout`; report once a run past `queue_timeout`."""
    limits = ctx.policies[one.item.batch].rules.limits
    lasted = _lasted(ctx, watch, result)
    waited = lasted if run.status == "PENDING" else 0.0
    if limits.queue_timeout is not None and waited > limits.queue_timeout and not watch.is_wait_reported:
        watch.is_wait_reported = True
        ctx.notice(
            f"item {one.item.id}: run {run.run_id} has waited {spell_duration(waited)} for its start; it "
            "keeps its slot"
        )
    is_followed = one.item.status is Status.RUNNING and one.attempt.k == one.item.follows
    has_started = run.started_at is not None
    is_late = has_started and limits.run_timeout is not None and lasted > limits.run_timeout
    return [DeadlinePassed()] if is_followed and is_late else []


def _other_marker(run: RunSnapshot, marker: str) -> str | None:
    """Return the marker in a run's goal if it is another attempt's, else None."""
    if run.goal is None or not marker or identity.is_marked(run.goal, marker):
        return None
    carried = identity.read_marker(run.goal)
    return None if carried is None or str(carried) == marker else str(carried)


def _note_absence(ctx: Context, one: OpenAttempt, result: PollResult, watch: Watch) -> list[Event]:
    """Note that the API does not know a run; return RunLost once that is proven."""
    now, is_followed = ctx.clock.boottime(), one.attempt.state is AttemptState.RUNNING
    _note_change(ctx, watch, watch.changed_at or one.attempt.created_at)
    watch.age = _age(ctx, watch, result)
    if watch.gone_since is None:
        watch.gone_since = now
    if result.runs:
        watch.missed += 1
        if watch.missing_since is None:
            watch.missing_since = now
        is_lost = watch.missed >= POLLS_BEFORE_LOSS and now - watch.missing_since >= SECONDS_BEFORE_LOSS
        return [RunLost()] if is_lost and is_followed else []
    if is_followed and now - watch.gone_since >= SECONDS_BEFORE_LOSS and not watch.is_loss_reported:
        watch.is_loss_reported = True
        ctx.notice(
            f"item {one.item.id}: the API has not known run {one.attempt.run_id} for "
            f"{spell_duration(now - watch.gone_since)}, but shows no other run either; it is polled further"
        )
    return []


def _note_change(ctx: Context, watch: Watch, changed_at: float | None) -> None:
    if changed_at != watch.changed_at:
        watch.changed_at, watch.same_since = changed_at, ctx.clock.boottime()


def _lasted(ctx: Context, watch: Watch, result: PollResult) -> float:
    """Return the least time for which a run has been in its status, in seconds.

    It is measured by the server's clock. Where the server does not send its time, it is the time since a poll
    of this process first showed the status, by the boot clock: too little after a restart, but never too much
    because a clock is set wrong, so that no run is cancelled too early.
    """
    if result.server_date is None:
        return ctx.clock.boottime() - watch.same_since
    return 0.0 if watch.changed_at is None else result.server_date - watch.changed_at


def _age(ctx: Context, watch: Watch, result: PollResult) -> float:
    """Return how long ago a run's status last changed, in seconds.

    Where the server does not send its time, our wall clock less CLOCK_MARGIN is used, so that the age counts
    over restarts. A wrong clock does no harm here: a run of great age is no longer followed, and no more.
    """
    lasted = _lasted(ctx, watch, result)
    if result.server_date is not None or watch.changed_at is None:
        return lasted
    return max(lasted, ctx.clock.now() - CLOCK_MARGIN - watch.changed_at)


def _report(ctx: Context, one: OpenAttempt, event: Event) -> None:
    """Report what a person must know, and stop the run where the account is out of credits."""
    match event:
        case RunLost():
            ctx.notice(f"held: item {one.item.id}: the API no longer knows run {one.attempt.run_id}")
        case RunMisnamed(run_id=run_id, marker=marker):
            ctx.notice(
                f"held: item {one.item.id}: the API shows its run {run_id} with the marker of another "
                f"attempt, {marker}; its result is not used"
            )
        case RunEnded(run=run) if run.error is not None and run.error.category == "BILLING_FAILURE":
            ctx.stop(
                StopKind.NO_CREDITS,
                f"run {run.run_id} failed: the account is out of credits: {run.error.message}",
            )


def _stop_if_only_stuck(ctx: Context, watches: Watches) -> None:
    """Stop the run if all runs that are left have not changed for `limits.stuck`, so that a table is made."""
    running = 0
    for run_id, one in ctx.journal.open_runs().items():
        if one.attempt.state is AttemptState.RUNNING:
            watch = watches.by_run.get(run_id)
            if watch is None or watch.age <= ctx.policies[one.item.batch].rules.limits.stuck:
                return
            running += 1
    if running and ctx.count_alive() == running and not _is_more_to_send(ctx):
        ctx.stop(
            StopKind.ONLY_STUCK,
            f"only {several(running, 'run')} left, without a change for too long",
            detaches=True,
        )


def _is_more_to_send(ctx: Context) -> bool:
    if not ctx.may_submit() or ctx.session.awaits_budget:
        return False
    if ctx.session.pacing.room(ctx.journal.count_open(), ctx.count_alive()) == 0:
        return False
    return ctx.journal.next_due_at(ctx.batch.pk) is not None
