"""The reuse of young results of earlier batches, before anything is submitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.core.events import Reused
from batchfish.core.reuse import fresh_since

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batchfish.journal.fresh_results import FreshResult
    from batchfish.journal.queries import JournalReader
    from batchfish.pipeline.context import Context
    from batchfish.pipeline.policy import BatchPolicy


async def reuse_results(ctx: Context) -> None:
    """Record as succeeded the items whose earlier result is young enough, all in one commit."""
    for chunk in _reusable(ctx):
        for one in chunk:
            ctx.record(one.pk, None, Reused(source=one.source))
        await ctx.clock.sleep(0)  # signals are handled meanwhile
    await ctx.journal.commit()


def count_reusable(ctx: Context) -> int:
    """Count the items that would now succeed with a result of an earlier batch."""
    return sum(map(len, _reusable(ctx)))


def reusable_rows(
    reader: JournalReader, batch: int | None, policy: BatchPolicy, *, number: int, now: float
) -> frozenset[int]:
    """Return the numbers of the compared rows that would reuse a result if their batch were run at `now`.

    `batch` is None for one that has not begun; `number` counts the batches of its name and period.
    """
    since = fresh_since(policy.rules, number=number, now=now)
    if since is None:
        return frozenset()
    fresh = reader.results.fresh(batch, since, of_staged_rows=True)
    return frozenset(one.pk for chunk in fresh for one in chunk if _is_good(one, policy))


def _reusable(ctx: Context) -> Iterator[Sequence[FreshResult]]:
    """Yield, in chunks, the results for those items that this process would submit."""
    since = fresh_since(ctx.rules, number=ctx.batch.number, now=ctx.clock.now())
    if since is None or not ctx.may_submit():
        return
    policy, selected = ctx.policies[ctx.batch.pk], ctx.journal.selection()
    for chunk in ctx.journal.reader.results.fresh(ctx.batch.pk, since):
        yield [one for one in chunk if (selected is None or one.pk in selected) and _is_good(one, policy)]


def _is_good(fresh: FreshResult, policy: BatchPolicy) -> bool:
    """Whether a result reaches its goal by the present checks, which may not be those it was judged by."""
    return policy.judge_result(fresh.request, fresh.id, fresh.result).reason is None
