"""Changes the settings of a batch, here or through the process that owns it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from batchfish.cli import requests
from batchfish.cli.agreement import agreement_of
from batchfish.cli.counts import count, finished_code
from batchfish.cli.documents import DocumentType, put_document
from batchfish.cli.exits import ExitCode
from batchfish.cli.locate import find, open_batch, spell
from batchfish.core.rules import budget_from
from batchfish.core.settings import BUDGET, settings_from
from batchfish.errors import WrongInput
from batchfish.journal.lock import owner_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import ExitStack

    from batchfish.cli.console import Console
    from batchfish.cli.options import JournalChange
    from batchfish.journal.sqlite import SqliteJournal


def change(name: str | None, changes: Mapping[str, object], options: JournalChange, console: Console) -> int:
    """Change the settings of the batch of this name, and say what is in force then; return the exit code.

    A finished batch is left as it is.
    """
    place = find(name, options.location)
    with open_batch(place) as (reader, batch):
        if changes.get(BUDGET) is not None and budget_from(batch.manifest) is None:
            raise WrongInput(
                f"{batch.name} has no budget, so the price of a step is not known",
                remedy="Write `budget: {usd: 20, usd_per_step: 0.015}` into its manifest, then run it.",
            )
        is_finished = finished_code(reader, batch, count_others=False) is not None
    if is_finished:
        console.say(f"{batch.name} is finished already: nothing was changed")
    else:

        def record(journal: SqliteJournal, _: ExitStack) -> int:
            journal.change_settings(batch.pk, changes, time.time())
            return ExitCode.OK

        requests.carry_out(
            place.journal,
            agreement_of(options.questions),
            here=record,
            leave=lambda: requests.leave_settings(place.journal, batch, changes),
        )
    owner = owner_of(place.journal)
    with open_batch(place) as (reader, _):
        settings, counts = settings_from(reader.settings(batch.pk)), count(reader, batch.pk)
    if options.reporting.json:
        put_document(
            DocumentType.SETTINGS,
            batch=batch.name,
            settings=settings.by_name,
            owner=owner,
            counts=dict(counts.by_status),
        )
    elif not is_finished:
        command = f"batchfish {{}} {spell(place.journal, batch)}"
        if owner is not None:
            follows = f"; process {owner} obeys"
        elif settings.is_paused:
            follows = f"; to let it submit again: {command.format('unpause')}"
        else:
            follows = f"; go on with: {command.format('resume')}"
        console.say(f"{batch.name}: {settings or 'as its manifest has it'}{follows}")
    return ExitCode.OK
