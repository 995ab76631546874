"""`batchfish cancel`: cancels a batch or items of it."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from batchfish.cli import locate, requests, selection
from batchfish.cli.access import options_given, reach
from batchfish.cli.completion import (
    bring_to_completion,
    finished_code,
    say_nothing_selected,
)
from batchfish.cli.counts import count
from batchfish.cli.exits import ExitCode
from batchfish.cli.factory import make_agent, make_context, owned_journal
from batchfish.cli.report import put_summary
from batchfish.core.describe import several
from batchfish.errors import BatchBusy, WrongInput
from batchfish.journal import queries

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping, Sequence

    from batchfish.cli.console import Console
    from batchfish.journal.base import Batch
    from batchfish.journal.sqlite import SqliteJournal


LOOK_EVERY = 0.2
"""Seconds between looks whether a running process has heeded a wish."""


def run(args: Namespace, env: Mapping[str, str], console: Console) -> int:
    """Cancel a batch, or items of it; a process that works on it is asked to do it."""
    place = locate.find(args.batch, args.journal, is_local=args.local)
    with locate.open_for_reading(place) as (connection, batch):
        items = selection.choose_to_cancel(args, connection, batch)
    if items is not None and not items:
        return say_nothing_selected(args, console)
    which = several(len(items), "item") if items else "everything that has not ended"
    wish = None
    try:
        while True:
            try:
                with ExitStack() as stack:
                    journal = stack.enter_context(owned_journal(place.journal, args.agreement))
                    return _cancel_alone(args, env, console, journal, batch, items, stack)
            except BatchBusy:
                if wish is None:
                    _leave_table_to_owner(args, batch)
                    wish = requests.leave(place.journal, batch.pk, items)
                elif not wish.exists():
                    console.say(f"the process that works on it cancels {which} of {batch.name}")
                    if args.json:
                        with locate.open_for_reading(place) as (connection, batch):
                            put_summary(ExitCode.OK, count(connection, batch.pk))
                    return ExitCode.OK
            time.sleep(LOOK_EVERY)
    finally:
        if wish is not None:
            wish.unlink(missing_ok=True)


def _leave_table_to_owner(args: Namespace, batch: Batch) -> None:
    """Raise WrongInput where options ask for a table that another process will write."""
    given = options_given(args, ("--output", "--head")) or ["--csv-raw"] * args.csv_raw
    if given:
        raise WrongInput(
            f"another process works on {batch.name} and writes its table: leave out {given[0]}, or see "
            "`batchfish results`"
        )


def _cancel_alone(
    args: Namespace,
    env: Mapping[str, str],
    console: Console,
    journal: SqliteJournal,
    batch: Batch,
    items: Sequence[int] | None,
    stack: ExitStack,
) -> int:
    """Record the wish where no process works on the batch, and follow the runs that it meets to their end."""
    if finished_code(journal, batch) is not None:
        console.say(f"{batch.name} is finished already: nothing is left to cancel")
        if args.json:
            put_summary(ExitCode.OK, count(journal.connection, batch.pk))
        return ExitCode.OK
    access = reach(args, env, batch, stack)

    async def decide() -> int:
        async with make_agent(access, journal, env) as agent:
            ctx = make_context(args, journal, batch, agent, console, is_near=True)
            number = await requests.cancel_items(ctx, journal, batch.pk, items)
            console.say(f"cancelling {several(number, 'item')} of {batch.name}")
        code = await bring_to_completion(args, env, console, journal, journal.batch(batch.pk), access)
        return code if _is_left(journal, batch, items) else ExitCode.OK

    return asyncio.run(decide())


def _is_left(journal: SqliteJournal, batch: Batch, items: Sequence[int] | None) -> bool:
    """Whether something that was to be cancelled has not ended."""
    left = queries.not_ended(journal.connection, batch.pk)
    return bool(left if items is None else set(left) & set(items))
