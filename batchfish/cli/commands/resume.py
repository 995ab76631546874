"""`batchfish resume`: continues a batch from its journal alone."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING

from batchfish.cli.access import LOCAL_BASE
from batchfish.cli.agreement import agreement_of
from batchfish.cli.completion import complete
from batchfish.cli.counts import finished_code
from batchfish.cli.factory import owned_journal
from batchfish.cli.locate import batch_in, find, folder_of, spell
from batchfish.cli.notifications import send_left_over
from batchfish.cli.options import Execution, Selection, batch_argument
from batchfish.cli.parser import Arguments, group
from batchfish.cli.preflight import check_batch
from batchfish.cli.refusals import Start, notifying_of_refusals
from batchfish.cli.selection import select
from batchfish.cli.summary import report_finished
from batchfish.core.rules import rules_from

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.cli.console import Console


class Options(Arguments, frozen=True, kw_only=True):
    """The options of `resume`."""

    batch: str | None = batch_argument()
    selection: Selection = group(Selection, "selection of what is submitted now")
    execution: Execution = group(Execution)


def run(options: Options, env: Mapping[str, str], console: Console) -> int:
    """Run a batch to completion without its manifest."""
    execution = options.execution
    place, agreement = find(options.batch, execution.location), agreement_of(execution.questions)
    with ExitStack() as stack:
        on_wait = console.say if execution.pace.if_running == "wait" else None
        journal = stack.enter_context(owned_journal(place.journal, agreement, on_wait=on_wait))
        batch = batch_in(journal.reader, place.batch)
        select(options.selection, journal, batch)
        if (code := finished_code(journal.reader, batch)) is not None:
            code = report_finished(execution, agreement, console, journal, batch, code)
            send_left_over(journal, batch, env, console)
            return code
        start = Start(
            name=batch.name,
            targets=rules_from(batch.manifest).notify,
            folder=folder_of(batch),
            is_local=batch.base_url == LOCAL_BASE,
            command=f"batchfish resume {spell(place.journal, batch)}",
        )
        with notifying_of_refusals(start, env, console):
            access = check_batch(batch, journal, execution, agreement, env, stack)
        return asyncio.run(complete(batch, journal, access, execution, agreement, env, console))
