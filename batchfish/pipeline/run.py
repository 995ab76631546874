"""Running a batch: recovery, then all stages side by side until nothing is left or the run stops."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec import Struct

from batchfish.core.describe import spell_duration
from batchfish.errors import BatchfishError
from batchfish.pipeline.backoff import check_outage
from batchfish.pipeline.cancel import cancel
from batchfish.pipeline.comparison import compare_regularly
from batchfish.pipeline.context import Context, Stop, StopKind
from batchfish.pipeline.poll import poll, poll_held, poll_reusable
from batchfish.pipeline.reconcile import reconcile
from batchfish.pipeline.recovery import recover
from batchfish.pipeline.reuse import reuse_results
from batchfish.pipeline.submit import submit

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

GRACE = 15.0
"""Seconds that creates on their way get for their answer once the run detaches; that takes 20 s in all."""

TICK = 1.0
"""Seconds between two checks of the time that a run may take and of a lasting outage."""


class RunReport(Struct, frozen=True, kw_only=True):
    """The end of `run_batch`: why it stopped (None: nothing is left), and how many runs are still alive."""

    stop: Stop | None
    alive: int


async def run_batch(ctx: Context, *companions: Callable[[Context], Coroutine[None, None, None]]) -> RunReport:
    """Run a batch until nothing is left to do or it stops.

    Companions, such as the progress bar, run beside the stages. Raises the first BatchfishError of a stage,
    which ends the others.
    """
    await _prepare(ctx)
    try:
        async with asyncio.TaskGroup() as group:
            stages = (poll, reconcile, cancel, compare_regularly, *companions)
            readers = [group.create_task(stage(ctx)) for stage in stages]
            submitter = group.create_task(submit(ctx))
            group.create_task(_finish(ctx, submitter, readers))
    except* BatchfishError as errors:
        # The first one ended the other stages; a person needs to see that one alone.
        raise first_of(errors) from None
    finally:
        await ctx.journal.commit()  # answers whose commit was put off
    return RunReport(stop=ctx.session.stop, alive=ctx.count_alive())


def first_of(errors: BaseExceptionGroup[BatchfishError]) -> BatchfishError:
    """Return the first error of a group, also from groups within it."""
    first = errors.exceptions[0]
    return first_of(first) if isinstance(first, BaseExceptionGroup) else first


async def _prepare(ctx: Context) -> None:
    """Recover, poll what is held, and reuse results; a run that detaches meanwhile abandons it."""

    async def prepare() -> None:
        await recover(ctx)
        await poll_held(ctx)
        await poll_reusable(ctx)
        await reuse_results(ctx)

    preparation = asyncio.ensure_future(prepare())
    preparation.add_done_callback(lambda _: ctx.wakeup.wake())
    try:
        await _supervise(ctx, preparation.done)
    finally:
        preparation.cancel()  # unless it is done
        await asyncio.gather(preparation, return_exceptions=True)
    if not ctx.has_detached():
        preparation.result()


async def _supervise(ctx: Context, is_done: Callable[[], bool]) -> None:
    """Wait until `is_done()` or the run detaches; stop it when its time is up or an outage lasts."""
    limit = ctx.options.max_duration
    listener = ctx.wakeup.listen(lambda: is_done() or ctx.has_detached())
    while not is_done() and not ctx.has_detached():
        check_outage(ctx)
        lasted = ctx.clock.boottime() - ctx.session.began_at
        if limit is not None and lasted >= limit:
            ctx.stop(StopKind.MAX_DURATION, f"its time of {spell_duration(limit)} is over", detaches=True)
        else:
            await listener.wait(TICK if limit is None else max(0.01, min(TICK, limit - lasted)))


async def _finish(ctx: Context, submitter: asyncio.Task[None], readers: Sequence[asyncio.Task[None]]) -> None:
    """Cancel the stage tasks once nothing is left or the run detaches."""
    await _supervise(ctx, ctx.is_over)
    await asyncio.wait([submitter], timeout=GRACE)
    # A read may be abandoned at any moment; a create without its answer stays in the journal as submitting.
    for task in (submitter, *readers):
        task.cancel()
