"""How a run ends: the table, the exit code, and the exact command that goes on."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from batchfish.cli import locate, output
from batchfish.cli.console import put_beside_work
from batchfish.cli.counts import Counts, count, count_selected, exit_code
from batchfish.cli.factory import SystemClock
from batchfish.core.describe import several
from batchfish.journal import batches, queries

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

    from batchfish.cli.console import Console
    from batchfish.journal.base import Batch
    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.pipeline.run import RunReport

ROWS_FOR_A_PERSON = 5


def conclude(
    args: Namespace, console: Console, journal: SqliteJournal, batch: Batch, report: RunReport
) -> int:
    """Write the table, record the end, and say what came of it and how to go on; give the exit code."""
    counts = count(journal.connection, batch.pk)
    stop, allowed = report.stop, args.fail_on_error
    if counts.ended == counts.total and not journal.count_open():
        # What is finished is finished, also where a rule of the batch would have stopped it at its last item.
        stop = None if stop is None or stop.signal is None else stop
        whole = exit_code(
            counts, None, allowed, was_cancelled=queries.was_cancelled(journal.connection, batch.pk)
        )
        batches.finish(journal.connection, batch.pk, whole, SystemClock().now())
    judged = count_selected(journal, batch.pk)
    was_cancelled = judged.ended == judged.total and queries.was_cancelled(
        journal.connection, batch.pk, journal.selection()
    )
    code = exit_code(judged, stop, allowed, was_cancelled=was_cancelled)
    table = None
    if report.stop is None or report.stop.signal is None:
        table = output.write_batch(
            journal.path, batch, args.output, args.agreement, raw_csv=args.csv_raw
        ).path
    console.say(
        f"{batch.name}: {counts}" + (f"; {report.alive} runs are still alive" if report.alive else "")
    )
    say_what_is_next(args, console, journal, batch, counts, code, table)
    return code


def say_what_is_next(
    args: Namespace,
    console: Console,
    journal: SqliteJournal,
    batch: Batch,
    counts: Counts,
    code: int,
    table: Path | None,
) -> None:
    """Show the first rows, say how to go on, and end with what programs read: a summary or a path."""
    name = locate.spell(journal.path, batch)
    going_on = None if counts.ended == counts.total else f"batchfish resume {name}"
    rows = args.head or 0
    if args.head is None and sys.stdout.isatty() and not args.quiet and not args.json:
        rows = ROWS_FOR_A_PERSON
    if table is not None and rows:
        put_beside_work(output.show(table, rows))
    waiting = queries.held_attempts(journal.connection, batch.pk)
    if waiting:
        console.say(
            f"decide about {several(len(waiting), 'held attempt')}, each of which takes a slot: batchfish "
            f"held list --batch {name}"
        )
    if counts.not_ok:
        console.say(f"see what is not fine: batchfish results {name} --failed -o failed.csv")
    if going_on:
        console.say(f"go on with: {going_on}")
    if args.json:
        put_summary(code, counts, table=table, going_on=going_on)
    elif table is not None and not args.quiet:
        put_beside_work(str(table))


def put_summary(code: int, counts: Counts, *, table: Path | None = None, going_on: str | None = None) -> None:
    """Print what programs read: the last object that a command with a batch prints."""
    summary = {
        "type": "summary",
        "ok": code == 0,
        "exit_code": int(code),
        "counts": dict(counts.by_status),
        "table": None if table is None else str(table),
        "resume": going_on,
    }
    put_beside_work(json.dumps(summary))
