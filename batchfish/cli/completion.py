"""Runs a batch until it is complete or stops, and reports how it ended."""

from __future__ import annotations

from contextlib import AsyncExitStack, closing, suppress
from threading import Thread
from typing import TYPE_CHECKING

from msgspec.structs import replace

from batchfish.cli import requests
from batchfish.cli.cost import money_of
from batchfish.cli.counts import count_selected
from batchfish.cli.factory import open_context
from batchfish.cli.joblog import JobLog
from batchfish.cli.launch import announce, put_launch
from batchfish.cli.metrics import show_metrics, write_metrics
from batchfish.cli.notifications import notifying_of_failures, send_waiting, warn_of_faults
from batchfish.cli.progress import show_progress
from batchfish.cli.signals import stopping_at_signals
from batchfish.cli.summary import report_end, report_nothing_selected, to_see
from batchfish.core.items import AttemptState
from batchfish.pipeline.context import StopKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchfish.cli.access import Access
    from batchfish.cli.agreement import Agreement
    from batchfish.cli.console import Console
    from batchfish.cli.counts import Counts
    from batchfish.cli.options import Execution
    from batchfish.journal.records import Batch
    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.pipeline.context import Context
    from batchfish.pipeline.run import RunReport

LONGEST_WAIT = 60.0


async def complete(
    batch: Batch,
    journal: SqliteJournal,
    access: Access,
    execution: Execution,
    agreement: Agreement,
    env: Mapping[str, str],
    console: Console,
    judge: Callable[[int], int] = int,
) -> int:
    """Submit the selected items, follow their runs, write the table, and return the exit code.

    `judge` returns the exit code of a command to which the batch's end means something else.
    """
    before = count_selected(journal, batch.pk)
    if not before.total:
        message = f"nothing of {batch.name} is selected; {to_see(journal.path, batch)}"
        return report_nothing_selected(execution.reporting, console, message)
    async with notifying_of_failures(journal, batch, env, console):
        ended = await _run(batch, before, journal, access, execution, agreement, env, console)
        batch = journal.batch(batch.pk)
        code = report_end(execution, agreement, console, journal, batch, ended, judge)
    if ended.stop is None or ended.stop.signal is None:  # after a signal the process has to end soon
        await send_waiting(journal, batch, env, console)
    return code


async def _run(
    batch: Batch,
    before: Counts,
    journal: SqliteJournal,
    access: Access,
    execution: Execution,
    agreement: Agreement,
    env: Mapping[str, str],
    console: Console,
) -> RunReport:
    """Submit the selected items, counted `before`, and follow their runs; return how that ended."""
    from batchfish.pipeline.reuse import count_reusable
    from batchfish.pipeline.run import run_batch

    reporting = execution.reporting
    async with (
        open_context(
            journal, batch, access, env, console, pace=execution.pace, agreement=agreement
        ) as opened,
        AsyncExitStack() as stack,
    ):
        ctx = opened
        if reporting.joblog is not None:
            job_log = stack.enter_context(closing(JobLog(reporting.joblog, batch, journal)))
            ctx = replace(ctx, observe=job_log.note)
        if reporting.metrics is not None:  # fails here, before anything is sent, if it cannot be written
            now, money = ctx.clock.now(), money_of(ctx)
            write_metrics(reporting.metrics, journal.reader, batch, now=now, money=money)
        with stopping_at_signals(ctx, console):
            money, reused = money_of(ctx), count_reusable(ctx)
            announce(console, batch, before, ctx.rules, money, reused)
            warn_of_faults(batch, env, console)
            if ctx.session.is_paused:
                console.warn(f"{batch.name} is paused: nothing is submitted")
            if execution.reporting.json:
                submits = ctx.may_submit()
                put_launch(
                    console, journal, batch, before, ctx.rules, submits=submits, money=money, reused=reused
                )
            ended = await run_batch(
                ctx,
                lambda ctx: requests.take_requests(ctx, journal),
                load_table_writer,
                *show_progress(reporting.progress, journal.reader, console),
                *show_metrics(reporting.metrics),
            )
        if ended.stop is not None and ended.stop.kind is StopKind.CANCELLED:
            await requests.take_waiting_requests(ctx, journal)
    return ended


async def load_table_writer(ctx: Context) -> None:
    """Import what writes the table, in a thread, once nothing is left to send: the last runs take longer."""

    def is_all_sent() -> bool:
        on_their_way = ctx.journal.open_attempts(AttemptState.SUBMITTING)
        return not on_their_way and ctx.journal.next_due_at(ctx.batch.pk) is None

    listener = ctx.wakeup.listen(is_all_sent)
    while not is_all_sent():
        await listener.wait(LONGEST_WAIT)
    Thread(target=_import_table_writer, daemon=True).start()


def _import_table_writer() -> None:
    with suppress(Exception):  # who writes the table imports it again, and reports what is wrong
        import batchfish.table.write  # noqa: F401
