"""A batch from its opening to its end: the stages side by side, and what is to be said about it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchfish.errors import BatchfishError
from batchfish.pipeline.cancel import cancel
from batchfish.pipeline.comparison import compare_regularly
from batchfish.pipeline.context import Context, Stop, StopKind
from batchfish.pipeline.poll import poll, poll_held
from batchfish.pipeline.reconcile import reconcile
from batchfish.pipeline.recovery import open_batch
from batchfish.pipeline.submit import submit

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

GRACE = 15.0
"""Seconds that creates on their way get for their answer once the run detaches, which takes 20 s in all."""

TICK = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class RunReport:
    """Why a run ended (a stop, or None where nothing was left to do) and how many runs are alive remotely."""

    stop: Stop | None
    alive: int


async def run_batch(ctx: Context, *companions: Callable[[Context], Coroutine[None, None, None]]) -> RunReport:
    """Bring the batch as far as it goes now. Companions (progress, wishes) run beside the stages."""
    await _open(ctx)
    try:
        async with asyncio.TaskGroup() as group:
            stages = (poll, reconcile, cancel, compare_regularly, *companions)
            lookers = [group.create_task(stage(ctx)) for stage in stages]
            submitter = group.create_task(submit(ctx))
            submitter.add_done_callback(lambda _: ctx.wakeup.wake())
            group.create_task(_watch(ctx, submitter, lookers))
    except* BatchfishError as errors:
        # One of them stopped the others; the person needs that one, not the group it came in.
        raise first_of(errors) from None
    await ctx.journal.commit()
    return RunReport(stop=ctx.session.stop, alive=ctx.alive())


def first_of(errors: BaseExceptionGroup[BatchfishError]) -> BatchfishError:
    """Give the first error of a group, however deep it lies."""
    first = errors.exceptions[0]
    return first_of(first) if isinstance(first, BaseExceptionGroup) else first


async def _open(ctx: Context) -> None:
    """Open the batch; a run that detaches before that leaves it, whatever look it waits for."""

    async def begin() -> None:
        await open_batch(ctx)
        await poll_held(ctx)

    opening = asyncio.ensure_future(begin())
    opening.add_done_callback(lambda _: ctx.wakeup.wake())
    try:
        await _keep_time(ctx, opening.done)
    finally:
        if ctx.has_detached():
            opening.cancel()
            await asyncio.wait([opening])
    if not ctx.has_detached():
        opening.result()


async def _keep_time(ctx: Context, is_done: Callable[[], bool]) -> None:
    """Return once it is done or the run detaches: at the latest when its time is up."""
    listener, limit = ctx.wakeup.listen(), ctx.options.max_duration
    while not is_done() and not ctx.has_detached():
        ctx.watch_outage()
        lasted = ctx.clock.boottime() - ctx.session.began_at
        if limit is not None and lasted >= limit:
            ctx.stop(StopKind.MAX_DURATION, f"it has run for {lasted:.0f} s", detaches=True)
        else:
            await listener.wait(ctx.clock, TICK if limit is None else max(0.01, min(TICK, limit - lasted)))


async def _watch(ctx: Context, submitter: asyncio.Task[None], lookers: Sequence[asyncio.Task[None]]) -> None:
    """Let everybody go once nothing is left or the run detaches."""
    await _keep_time(ctx, ctx.is_over)
    listener = ctx.wakeup.listen()
    left = ctx.clock.boottime() + GRACE
    while not submitter.done() and ctx.clock.boottime() < left:
        await listener.wait(ctx.clock, max(0.01, left - ctx.clock.boottime()))
    # A look may be left at any moment; a create without its answer stays as it is written: on its way.
    for task in (submitter, *lookers):
        task.cancel()
