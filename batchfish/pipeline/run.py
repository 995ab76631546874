"""A batch from its opening to its end: the stages side by side, and what is to be said about it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchfish.errors import BatchfishError
from batchfish.pipeline.cancel import cancel
from batchfish.pipeline.context import Context, Stop, StopKind
from batchfish.pipeline.opening import open_batch
from batchfish.pipeline.poll import poll
from batchfish.pipeline.reconcile import reconcile
from batchfish.pipeline.submit import submit

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

GRACE = 20.0
"""Seconds that creates on their way get for their answer once the run detaches."""

TICK = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class RunReport:
    """Why a run ended (a stop, or None where nothing was left to do) and how many runs are alive remotely."""

    stop: Stop | None
    alive: int


async def run_batch(ctx: Context, *companions: Callable[[Context], Coroutine[None, None, None]]) -> RunReport:
    """Bring the batch as far as it goes now. Companions (progress, wishes) run beside the stages."""
    await open_batch(ctx)
    try:
        async with asyncio.TaskGroup() as group:
            lookers = [group.create_task(stage(ctx)) for stage in (poll, reconcile, cancel, *companions)]
            submitter = group.create_task(submit(ctx))
            submitter.add_done_callback(lambda _: ctx.bell.ring())
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


async def _watch(ctx: Context, submitter: asyncio.Task[None], lookers: Sequence[asyncio.Task[None]]) -> None:
    """Keep the time limits, and let everybody go once nothing is left or the run detaches."""
    bell, limit = ctx.bell.listen(), ctx.pace.max_duration
    while not ctx.is_over():
        lasted = ctx.clock.boottime() - ctx.session.began_at
        if limit is not None and lasted >= limit:
            ctx.stop(StopKind.MAX_DURATION, f"it has run for {lasted:.0f} s", detaches=True)
            break
        await bell.wait(ctx.clock, TICK if limit is None else max(0.01, min(TICK, limit - lasted)))
    left = ctx.clock.boottime() + GRACE
    while not submitter.done() and ctx.clock.boottime() < left:
        await bell.wait(ctx.clock, max(0.01, left - ctx.clock.boottime()))
    # A look may be left at any moment; a create without its answer stays as it is written: on its way.
    for task in (submitter, *lookers):
        task.cancel()
