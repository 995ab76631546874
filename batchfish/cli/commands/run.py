"""`batchfish run`: runs the batch of a manifest to completion."""

from __future__ import annotations

import asyncio
import shlex
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from batchfish.cli.access import LOCAL_BASE, refuse_other_access, remote_access
from batchfish.cli.agreement import agreement_of
from batchfish.cli.batch_choice import begin_or_amend, choose_batch
from batchfish.cli.completion import complete
from batchfish.cli.counts import finished_code
from batchfish.cli.factory import owned_journal
from batchfish.cli.forecast import show_forecast
from batchfish.cli.locate import journal_for, make_home, read_manifest
from batchfish.cli.notifications import send_left_over
from batchfish.cli.options import Execution, JournalLocation, ManifestSource, Selection
from batchfish.cli.output import refuse_to_replace_rows, target_of
from batchfish.cli.parser import Arguments, flag, group, spelled
from batchfish.cli.preflight import RunCheck, check_run
from batchfish.cli.refusals import Start, notifying_of_refusals
from batchfish.cli.selection import select, selects_any
from batchfish.cli.summary import report_finished, report_nothing_selected
from batchfish.cli.system_clock import SystemClock
from batchfish.journal.row_file import RowFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.cli.access import Access
    from batchfish.cli.agreement import Agreement
    from batchfish.cli.console import Console
    from batchfish.journal.records import Batch
    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.manifest.manifest import Manifest


class Options(Arguments, frozen=True, kw_only=True):
    """The options of `run`."""

    dry_run: bool = flag("-n", "--dry-run", help="show what would be submitted; send nothing")
    new: bool = flag("--new", help="begin another batch, which pays for every item again")
    manifest: ManifestSource = group(ManifestSource, "manifest")
    selection: Selection = group(Selection, "selection of what is submitted now")
    execution: Execution = group(Execution)


def run(options: Options, env: Mapping[str, str], console: Console) -> int:
    """Begin or continue the batch of a manifest, and run it to completion."""
    execution, location = options.execution, options.execution.location
    refuse_other_access(execution.api, is_local=location.local)
    if options.dry_run:
        return show_forecast(
            options.manifest,
            location,
            options.selection,
            execution.pace,
            begins_new=options.new,
            as_json=execution.reporting.json,
            others=spelled(options.selection, replace(execution, location=JournalLocation())),
            console=console,
        )
    manifest = read_manifest(options.manifest)
    start = Start(
        name=manifest.name,
        targets=manifest.rules.notify,
        folder=manifest.folder,
        is_local=location.local,
        command=shlex.join(["batchfish", "run", *spelled(location, options.manifest)]),
    )
    agreement = agreement_of(execution.questions)
    with ExitStack() as stack:
        with notifying_of_refusals(start, env, console):
            begun = _begin(options, manifest, agreement, env, console, stack)
        if isinstance(begun, int):
            return begun
        batch, journal, access = begun
        return asyncio.run(complete(batch, journal, access, execution, agreement, env, console))


class _Begun(NamedTuple):
    """A batch that has begun, its journal, and how to reach the API."""

    batch: Batch
    journal: SqliteJournal
    access: Access


def _begin(
    options: Options,
    manifest: Manifest,
    agreement: Agreement,
    env: Mapping[str, str],
    console: Console,
    stack: ExitStack,
) -> _Begun | int:
    """Begin or amend the batch of a manifest, with the items selected that are submitted now.

    Returns the exit code instead if nothing is selected, or if the batch is finished.
    """
    execution, location = options.execution, options.execution.location
    rows = stack.enter_context(RowFile())
    if not manifest.check(rows).items:
        message = f"nothing is selected: {options.manifest.file} has no items"
        return report_nothing_selected(execution.reporting, console, message)
    path = journal_for(manifest, location)
    make_home(path)
    on_wait = console.say if execution.pace.if_running == "wait" else None
    journal = stack.enter_context(owned_journal(path, agreement, on_wait=on_wait))
    access = None if location.local else remote_access(execution.api, env)
    choice = choose_batch(
        journal.reader,
        manifest,
        rows,
        recorded_as=LOCAL_BASE if access is None else access.recorded_as,
        now=SystemClock().now(),
        begins_new=options.new,
    )
    if not selects_any(options.selection, journal.reader.staged, manifest.variables):
        words = shlex.join(spelled(location, options.manifest))
        message = f"nothing is selected; to see what there is: batchfish plan {words}"
        return report_nothing_selected(execution.reporting, console, message)
    if choice.batch is not None:
        journal.relocate(choice.batch.pk, str(manifest.path.absolute()))
        batch = journal.batch(choice.batch.pk)
        code = finished_code(journal.reader, batch)
        if code is not None and not choice.is_edited:
            refuse_to_replace_rows(target_of(batch, execution.table.output).path, manifest)
            code = report_finished(execution, agreement, console, journal, batch, code)
            send_left_over(journal, batch, env, console)
            return code
    check = RunCheck(
        manifest=manifest,
        choice=choice,
        journal=journal,
        access=access,
        execution=execution,
        agreement=agreement,
        console=console,
        env=env,
        begins_new=options.new,
    )
    clearance = asyncio.run(check_run(check, stack))
    batch = begin_or_amend(
        journal,
        manifest,
        choice,
        base_url=clearance.access.recorded_as,
        now=SystemClock().now(),
        can_search=clearance.can_search,
    )
    select(options.selection, journal, batch)
    return _Begun(batch, journal, clearance.access)
