"""Sums up a command that ran a batch: the table, counts, a summary and what to do next."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from batchfish.cli.console import are, put_if_possible
from batchfish.cli.cost import Cost, read_cost
from batchfish.cli.counts import Counts, count, count_selected, exit_code
from batchfish.cli.documents import describe_summary
from batchfish.cli.exits import ExitCode
from batchfish.cli.factory import rules_of
from batchfish.cli.failures import failure_of_stop
from batchfish.cli.joblog import JobLog
from batchfish.cli.launch import put_launch
from batchfish.cli.locate import spell
from batchfish.cli.metrics import write_metrics
from batchfish.cli.notifications import Cause, event_of, new_notifications
from batchfish.cli.output import preview_of, write_batch, write_report
from batchfish.cli.system_clock import SystemClock
from batchfish.core.describe import several
from batchfish.core.settings import PAUSED
from batchfish.errors import BatchfishError
from batchfish.pipeline.context import StopKind
from batchfish.pipeline.recheck import flag_same_answers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from batchfish.cli.agreement import Agreement
    from batchfish.cli.console import Console
    from batchfish.cli.options import Execution, Reporting
    from batchfish.journal.records import Batch
    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.pipeline.context import Stop
    from batchfish.pipeline.run import RunReport

ROWS_ON_A_TERMINAL = 5


class _Files(NamedTuple):
    """The paths of the table and of the report that were written."""

    table: Path | None = None
    report: Path | None = None


_NO_FILES = _Files()


def report_end(
    execution: Execution,
    agreement: Agreement,
    console: Console,
    journal: SqliteJournal,
    batch: Batch,
    ended: RunReport,
    judge: Callable[[int], int] = int,
) -> int:
    """Write the table, record the end of a finished batch, and report both; return the exit code.

    `judge` returns the exit code of a command to which this end means something else.
    """
    reader, allowed, stop = journal.reader, execution.reporting.fail_on_error, ended.stop
    counts = count(reader, batch.pk)
    is_finished = counts.ended == counts.total and not journal.count_open()
    event, now = event_of(stop, is_finished=is_finished), SystemClock().now()
    if is_finished:
        # A batch without items left is finished, even if a rule would have stopped it at its last item.
        stop = None if stop is None or stop.signal is None else stop
    if suspicious := flag_same_answers(journal, batch.pk, now):
        console.say(
            f"{batch.name}: {several(suspicious, 'item')} share an answer with many others: column suspicious"
        )
    judged = count_selected(journal, batch.pk)
    was_cancelled = judged.ended == judged.total and reader.was_cancelled(batch.pk, journal.selection())
    code = judge(exit_code(judged, stop, allowed, was_cancelled=was_cancelled))
    notifications = new_notifications(
        journal,
        batch,
        console,
        counts,
        event=event,
        cause=None if stop is None else Cause(stop.kind, str(failure_of_stop(stop) or stop.message)),
        exit_code=code,
        resume=_command_to_go_on(journal, batch, counts),
    )
    if is_finished:
        whole = exit_code(counts, None, allowed, was_cancelled=reader.was_cancelled(batch.pk))
        journal.finish(batch.pk, whole, now, notifications)
    else:
        journal.notifications.add(batch.pk, notifications, now)
    if code != ExitCode.OK:
        console.speak_up()
    _write_last_metrics(execution.reporting, console, journal, batch, code)
    files = _NO_FILES
    if ended.stop is None or ended.stop.signal is None:
        files = _write_files(execution, agreement, journal, batch)
    alive = f"; {are(ended.alive, 'run')} still alive" if ended.alive else ""
    console.say(f"{batch.name}: {counts}{alive}")
    _report_next_steps(execution, console, journal, batch, counts, code, files, stop)
    return code


def report_finished(
    execution: Execution,
    agreement: Agreement,
    console: Console,
    journal: SqliteJournal,
    batch: Batch,
    code: int,
) -> int:
    """Report that a batch is finished, and write its table, which options may ask for at another place.

    Returns its exit code, or what `--fail-on-error` makes of the failures that there are now.
    """
    counts, allowed = count(journal.reader, batch.pk), execution.reporting.fail_on_error
    if allowed is not None and code in {ExitCode.OK, ExitCode.ITEMS_NOT_OK}:
        code = exit_code(counts, None, allowed)
    if code != ExitCode.OK:
        console.speak_up()
    console.say(f"{batch.name} is finished: {counts}. Nothing was sent; `run --new` starts another.")
    if execution.reporting.json:
        rules = rules_of(journal.reader, batch, execution.pace)
        put_launch(console, journal, batch, counts, rules, submits=False)
    _write_last_metrics(execution.reporting, console, journal, batch, code)
    if execution.reporting.joblog is not None:
        JobLog(execution.reporting.joblog, batch, journal).close()
    files = _write_files(execution, agreement, journal, batch)
    _report_next_steps(execution, console, journal, batch, counts, code, files)
    return code


def _write_last_metrics(
    reporting: Reporting, console: Console, journal: SqliteJournal, batch: Batch, code: int
) -> None:
    """Write the metrics of a command that ends with this exit code, if they are asked for."""
    if reporting.metrics is not None:
        reader, now = journal.reader, SystemClock().now()
        try:
            money = read_cost(reader, batch, now).money
            write_metrics(reporting.metrics, reader, batch, now=now, money=money, exit_code=code)
        except BatchfishError as error:
            console.warn(str(error))


def _write_files(execution: Execution, agreement: Agreement, journal: SqliteJournal, batch: Batch) -> _Files:
    """Write the table, and the report if one is asked for, of a batch as its journal has it now."""
    table = write_batch(journal.path, batch, execution.table, agreement, journal.record_output).path
    report = execution.reporting.report
    if report is not None:
        now = journal.batch(batch.pk)
        report = write_report(journal.path, now, report, agreement, journal.record_output, is_owner=True)
    return _Files(table, report)


def report_nothing_selected(reporting: Reporting, console: Console, message: str) -> int:
    """Report that there is nothing to do; return 5, or 0 with `--allow-empty`.

    `message` says why, and which command shows what there is.
    """
    code = ExitCode.OK if reporting.allow_empty else ExitCode.NO_ITEMS
    (console.say if code == ExitCode.OK else console.warn)(message)
    if reporting.json:
        put_summary(code, Counts())
    return code


def to_see(journal: Path, batch: Batch) -> str:
    """Return the end of a message about a selection without items: how to see the batch's items."""
    return f"to see how many there are: batchfish status {spell(journal, batch)}"


def _report_next_steps(
    execution: Execution,
    console: Console,
    journal: SqliteJournal,
    batch: Batch,
    counts: Counts,
    code: int,
    files: _Files,
    stop: Stop | None = None,
) -> None:
    """Print the first rows, the commands that continue, and last the summary or the table's path."""
    name, as_json = spell(journal.path, batch), execution.reporting.json
    cost = read_cost(journal.reader, batch, SystemClock().now())
    if cost.money is not None:
        console.say(f"{batch.name}: {cost}")
    rows = execution.table.head or 0
    if execution.table.head is None and sys.stdout.isatty() and not console.is_quiet and not as_json:
        rows = ROWS_ON_A_TERMINAL
    if files.table is not None and rows:
        put_if_possible(preview_of(files.table, rows, as_json=as_json))
    if waiting := journal.reader.held_attempts(batch.pk):
        console.say(
            f"{are(len(waiting), 'held attempt')} waiting for your decision and "
            f"{'takes a slot' if len(waiting) == 1 else 'take slots'}: batchfish held list --batch {name}"
        )
    if counts.not_ok:
        console.say(f"to see what is not fine: batchfish results {name} --failed -o failed.csv")
    if code == ExitCode.CANCELLED:
        console.say(f"to submit cancelled items after all: batchfish retry {name} --failed")
    command = _say_how_to_go_on(console, journal, batch, counts, stop)
    if files.report is not None:
        console.say(f"report: {files.report}")
    elif command is None:
        console.say(f"to look at it: batchfish report {name}")
    if as_json:
        put_summary(code, counts, files, batch=batch, command=command, stop=stop, cost=cost)
    elif files.table is not None and not console.is_quiet:
        put_if_possible(str(files.table))


def _say_how_to_go_on(
    console: Console, journal: SqliteJournal, batch: Batch, counts: Counts, stop: Stop | None
) -> str | None:
    """Print what an unfinished batch needs, and the command that continues it; return that command."""
    command = _command_to_go_on(journal, batch, counts)
    if command is None:
        return None
    name = spell(journal.path, batch)
    if journal.reader.settings(batch.pk).get(PAUSED):
        console.warn(f"{batch.name} is paused; to let it submit again: batchfish unpause {name}")
        return command
    if stop is not None and stop.kind is StopKind.BUDGET:
        console.say(f"to raise the budget to N dollars first: batchfish set {name} budget=N")
    console.say(f"go on with: {command}")
    return command


def _command_to_go_on(journal: SqliteJournal, batch: Batch, counts: Counts) -> str | None:
    """Return the command that continues an unfinished batch; None for one without items left."""
    return None if counts.ended == counts.total else f"batchfish resume {spell(journal.path, batch)}"


def put_summary(
    code: int,
    counts: Counts,
    files: _Files = _NO_FILES,
    *,
    batch: Batch | None = None,
    command: str | None = None,
    stop: Stop | None = None,
    cost: Cost | None = None,
) -> None:
    """Print the summary, the last document of a command that runs a batch."""
    put_if_possible(
        describe_summary(
            code,
            counts,
            batch=batch,
            files=files._asdict(),
            command=command,
            stop=stop,
            cost=cost,
            failure=failure_of_stop(stop),
        )
    )
