"""`batchfish retry`: queues one more attempt for items that are not fine, and runs the batch."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING

from batchfish.cli import locate, selection
from batchfish.cli.access import reach
from batchfish.cli.agreement import Question
from batchfish.cli.completion import (
    bring_to_completion,
    chosen_batch,
    say_nothing_selected,
    wait_for,
)
from batchfish.cli.factory import make_agent, make_context
from batchfish.core.describe import several
from batchfish.core.events import ProvenAbsent, RetryRequested
from batchfish.core.items import Status
from batchfish.journal import queries

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping, Sequence

    from batchfish.cli.console import Console
    from batchfish.core.items import Item
    from batchfish.journal.base import Batch
    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.pipeline.context import Context


def run(args: Namespace, env: Mapping[str, str], console: Console) -> int:
    """Queue one more attempt for items that are not fine, and bring the batch to completion."""
    place = locate.find(args.batch, args.journal, is_local=args.local)
    with ExitStack() as stack:
        journal = stack.enter_context(wait_for(place.journal, args))
        batch = chosen_batch(journal, place.batch)
        items = _not_fine(journal, batch, args)
        selection.select(args, journal, batch, among={item.pk for item in items})
        selected = journal.selection()
        items = [item for item in items if selected is None or item.pk in selected]
        if not items:
            return say_nothing_selected(args, console, f"{batch.name} has nothing to retry of that kind")
        if args.held:
            args.agreement.ask(
                Question.RESUBMIT_HELD,
                f"{several(len(items), 'held item')} of {batch.name} would be sent again, and paid for twice "
                "where a run exists already.",
            )
        access = reach(args, env, batch, stack)

        async def decide() -> int:
            async with make_agent(access, journal, env) as agent:
                ctx = make_context(args, journal, batch, agent, console, is_near=True)
                for item in items:
                    send_again(ctx, item)
                journal.reopen(batch.pk)
                await journal.commit()
            return await bring_to_completion(args, env, console, journal, journal.batch(batch.pk), access)

        return asyncio.run(decide())


def _not_fine(journal: SqliteJournal, batch: Batch, args: Namespace) -> Sequence[Item]:
    """Return the wanted items that `--failed`, `--held` or `--reason` speaks of."""
    statuses = (Status.HELD,) if args.held else (Status.FAILED, Status.CANCELLED)
    return queries.items_in(journal.connection, batch.pk, statuses, args.reason)


def send_again(ctx: Context, item: Item) -> None:
    """Queue one more attempt of an item, on a person's word that its held creates made no run."""
    while item.status is Status.HELD:
        item = ctx.record(item.pk, item.follows, ProvenAbsent()).item
    if item.status.is_final:
        ctx.record(item.pk, None, RetryRequested())
