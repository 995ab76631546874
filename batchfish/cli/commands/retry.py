"""`batchfish retry`: makes another attempt for items that failed or are held."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING

from batchfish.cli.agreement import Question, agreement_of
from batchfish.cli.completion import complete
from batchfish.cli.factory import open_context, owned_journal
from batchfish.cli.locate import batch_in, find
from batchfish.cli.options import Execution, Selection, batch_argument
from batchfish.cli.parser import Arguments, flag, group, option
from batchfish.cli.preflight import check_batch
from batchfish.cli.selection import select
from batchfish.cli.summary import report_nothing_selected, to_see
from batchfish.core.describe import several
from batchfish.core.events import ProvenAbsent, RetryRequested
from batchfish.core.items import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.cli.console import Console
    from batchfish.core.items import Item
    from batchfish.pipeline.context import Context


class Options(Arguments, frozen=True, kw_only=True):
    """The options of `retry`."""

    batch: str | None = batch_argument()
    failed: bool = flag("--failed", is_exclusive=True, help="retry items that failed or were cancelled")
    held: bool = flag(
        "--held", is_exclusive=True, help="send held items again; paid for twice if their run exists"
    )
    reason: str | None = option(
        "--reason", metavar="REASON", is_exclusive=True, help="retry items that failed for this reason"
    )
    selection: Selection = group(Selection, "selection among these items")
    execution: Execution = group(Execution)


def run(options: Options, env: Mapping[str, str], console: Console) -> int:
    """Queue another attempt of the wanted items, and run the batch to completion."""
    execution = options.execution
    place, agreement = find(options.batch, execution.location), agreement_of(execution.questions)
    with ExitStack() as stack:
        on_wait = console.say if execution.pace.if_running == "wait" else None
        journal = stack.enter_context(owned_journal(place.journal, agreement, on_wait=on_wait))
        batch = batch_in(journal.reader, place.batch)
        statuses = (Status.HELD,) if options.held else (Status.FAILED, Status.CANCELLED)
        items = journal.reader.items_in(batch.pk, statuses, options.reason)
        select(options.selection, journal, batch, among={item.pk for item in items})
        selected = journal.selection()
        items = [item for item in items if selected is None or item.pk in selected]
        if not items:
            message = f"{batch.name} has nothing to retry of that kind; {to_see(journal.path, batch)}"
            return report_nothing_selected(execution.reporting, console, message)
        if options.held:
            agreement.ask(
                Question.RESUBMIT_HELD,
                f"{several(len(items), 'held item')} of {batch.name} would be sent again, and paid for twice "
                "where a run exists already.",
            )
        access = check_batch(batch, journal, execution, agreement, env, stack)

        async def queue_and_complete() -> int:
            async with open_context(
                journal, batch, access, env, console, pace=execution.pace, agreement=agreement
            ) as ctx:
                for item in items:
                    queue_again(ctx, item)
                journal.reopen(batch.pk)
                await journal.commit()
            reopened = journal.batch(batch.pk)
            return await complete(reopened, journal, access, execution, agreement, env, console)

        return asyncio.run(queue_and_complete())


def queue_again(ctx: Context, item: Item) -> None:
    """Queue another attempt of an item; the person says that its held creates made no run."""
    while item.status is Status.HELD:
        item = ctx.record(item.pk, item.follows, ProvenAbsent()).item
    if item.status.is_final:
        ctx.record(item.pk, None, RetryRequested())
