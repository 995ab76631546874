"""`batchfish cancel`: cancels a batch or some of its items."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from batchfish.cli import requests
from batchfish.cli.agreement import Agreement, agreement_of
from batchfish.cli.completion import complete
from batchfish.cli.counts import count, finished_code
from batchfish.cli.exits import ExitCode
from batchfish.cli.factory import open_context
from batchfish.cli.locate import find, open_batch
from batchfish.cli.options import Execution, Selection, batch_argument
from batchfish.cli.parser import Arguments, argument, given, group
from batchfish.cli.preflight import check_batch
from batchfish.cli.selection import choose_to_cancel
from batchfish.cli.summary import put_summary, report_nothing_selected, to_see
from batchfish.core.describe import several
from batchfish.errors import WrongUsage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import ExitStack
    from pathlib import Path

    from batchfish.cli.console import Console
    from batchfish.cli.locate import Place
    from batchfish.journal.records import Batch
    from batchfish.journal.sqlite import SqliteJournal


class Options(Arguments, frozen=True, kw_only=True):
    """The options of `cancel`."""

    batch: str | None = batch_argument()
    items: tuple[str, ...] = argument(
        "ITEM", "ids of items (default: every item that has not ended)", repeats=True
    )
    selection: Selection = group(Selection, "selection", only=("item", "where"))
    execution: Execution = group(
        Execution, without=("concurrency", "halt", "if_running", "fail_on_error"), fixed={"drain": True}
    )


def run(options: Options, env: Mapping[str, str], console: Console) -> int:
    """Cancel items here if no process owns the batch; else ask the owner to do it."""
    execution = options.execution
    place, agreement = find(options.batch, execution.location), agreement_of(execution.questions)
    with open_batch(place) as (reader, batch):
        items = choose_to_cancel(options.selection, options.items, reader, batch)
    if items is not None and not items:
        message = f"nothing of {batch.name} is selected; {to_see(place.journal, batch)}"
        return report_nothing_selected(execution.reporting, console, message)

    def cancel_here(journal: SqliteJournal, stack: ExitStack) -> int:
        return _cancel_here(journal, batch, items, execution, agreement, env, console, stack)

    def leave() -> Path:
        _leave_files_to_owner(execution, batch)
        return requests.leave_cancel(place.journal, batch, items)

    code = requests.carry_out(place.journal, agreement, here=cancel_here, leave=leave)
    return _report_accepted(place, batch, items, execution, console) if code is None else code


def _leave_files_to_owner(execution: Execution, batch: Batch) -> None:
    """Raise WrongUsage if options ask for a table or a report, which this process will not write."""
    names = given(execution.table)
    if execution.reporting.report is not None:
        names.append("--report")
    if names:
        raise WrongUsage(
            f"another process works on {batch.name} and writes its table",
            remedy=f"Leave out {names[0]}, or see `batchfish results` and `batchfish report`.",
        )


def _report_accepted(
    place: Place, batch: Batch, items: Sequence[int] | None, execution: Execution, console: Console
) -> int:
    """Report that the process that owns the batch has recorded the request."""
    which = several(len(items), "item") if items else "everything that has not ended"
    console.say(f"the process that works on it cancels {which} of {batch.name}")
    if execution.reporting.json:
        with open_batch(place) as (reader, _):
            put_summary(ExitCode.OK, count(reader, batch.pk), batch=batch)
    return ExitCode.OK


def _cancel_here(
    journal: SqliteJournal,
    batch: Batch,
    items: Sequence[int] | None,
    execution: Execution,
    agreement: Agreement,
    env: Mapping[str, str],
    console: Console,
    stack: ExitStack,
) -> int:
    """Record that items are to be cancelled, and follow their runs to the end."""
    if finished_code(journal.reader, batch) is not None:
        console.say(f"{batch.name} is finished already: nothing is left to cancel")
        if execution.reporting.json:
            put_summary(ExitCode.OK, count(journal.reader, batch.pk), batch=batch)
        return ExitCode.OK
    access = check_batch(batch, journal, execution, agreement, env, stack)

    async def cancel_and_complete() -> int:
        async with open_context(
            journal, batch, access, env, console, pace=execution.pace, agreement=agreement
        ) as ctx:
            number = await requests.cancel_items(ctx, journal, batch.pk, items)
            console.say(f"cancelling {several(number, 'item')} of {batch.name}")

        def judge(code: int) -> int:
            return code if _is_any_left(journal, batch, items) else ExitCode.OK

        cancelled = journal.batch(batch.pk)
        return await complete(cancelled, journal, access, execution, agreement, env, console, judge)

    return asyncio.run(cancel_and_complete())


def _is_any_left(journal: SqliteJournal, batch: Batch, items: Sequence[int] | None) -> bool:
    """Return whether an item that was to be cancelled has not ended."""
    left = journal.reader.not_ended(batch.pk)
    return bool(left if items is None else set(left) & set(items))
