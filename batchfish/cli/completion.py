"""How a batch is brought to completion by the commands that submit or cancel."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from batchfish.cli import locate, output, requests, signals
from batchfish.cli.access import (
    Access,
    spell_api,
)
from batchfish.cli.counts import Counts, code_of, count, count_selected
from batchfish.cli.exits import ExitCode
from batchfish.cli.factory import make_agent, make_context, owned_journal
from batchfish.cli.progress import choose, show
from batchfish.cli.report import conclude, put_summary, say_what_is_next
from batchfish.errors import BatchBusy
from batchfish.journal import batches
from batchfish.pipeline.context import Context, StopKind
from batchfish.pipeline.run import run_batch
from batchfish.webagent.credentials import is_loopback

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from batchfish.cli.console import Console
    from batchfish.journal.base import Batch
    from batchfish.journal.sqlite import SqliteJournal


LOOK_AT_LOCK_EVERY = 1.0


@contextmanager
def wait_for(journal: Path, args: Namespace) -> Iterator[SqliteJournal]:
    """Own a journal; where another process does, leave at once or wait, as `--if-running` says."""
    with ExitStack() as stack:
        while True:
            try:
                owned = stack.enter_context(owned_journal(journal, args.agreement))
                break
            except BatchBusy:
                if args.if_running != "wait":
                    raise
                time.sleep(LOOK_AT_LOCK_EVERY)
        yield owned


def chosen_batch(journal: SqliteJournal, name: str | None) -> Batch:
    """Give the named batch of a journal, or its newest."""
    batch = batches.named(journal.connection, name) if name else batches.newest(journal.connection)
    if batch is None:
        raise locate.no_batch(journal.path, name)
    return batch


def finished_code(journal: SqliteJournal, batch: Batch | None) -> int | None:
    """Return the exit code of a batch of which no item is left and no attempt is open; None for any other."""
    if batch is None or batch.exit_code is None or journal.count_open():
        return None
    return code_of(batch, count(journal.connection, batch.pk))


def say_finished(
    journal: SqliteJournal, batch: Batch | None, code: int, args: Namespace, console: Console
) -> int:
    """Say that nothing is left to do, and write the table, which may be wanted at another place."""
    assert batch is not None  # noqa: S101 - only a batch that has begun can be finished
    counts = count(journal.connection, batch.pk)
    console.say(f"{batch.name} is finished: {counts}. Nothing was sent; `run --new` starts another.")
    table = output.write_batch(journal.path, batch, args.output, args.agreement, raw_csv=args.csv_raw)
    say_what_is_next(args, console, journal, batch, counts, code, table.path)
    return code


def say_nothing_selected(args: Namespace, console: Console, said: str = "nothing is selected") -> int:
    """Print that there is nothing to do, and return the exit code: `--allow-empty` makes it fine."""
    console.warn(said)
    code = ExitCode.OK if args.allow_empty else ExitCode.NO_ITEMS
    if args.json:
        put_summary(code, Counts())
    return code


async def bring_to_completion(
    args: Namespace,
    env: Mapping[str, str],
    console: Console,
    journal: SqliteJournal,
    batch: Batch,
    access: Access,
) -> int:
    """Submit what is selected, follow and collect until a batch is done or stops, and say how it ended."""
    if not args.drain:  # else nothing is paid for, and no file may stand in the way of a cancel
        target, folder = output.target_of(batch, args.output)
        output.check_output(journal.connection, target, folder, args.agreement)
    before = count_selected(journal, batch.pk)
    if not before.total:
        return say_nothing_selected(args, console)
    async with make_agent(access, journal, env) as agent:
        ctx = make_context(args, journal, batch, agent, console, is_near=is_loopback(access.base_url))
        with signals.listening(ctx, console):
            console.say(announce(ctx, before))
            report = await run_batch(
                ctx,
                lambda ctx: requests.heed(ctx, journal),
                *show(choose(args.progress, is_quiet=args.quiet), journal, console),
            )
        if report.stop is not None and report.stop.kind is StopKind.CANCELLED:
            await requests.heed_once(ctx, journal)
    return conclude(args, console, journal, journal.batch(batch.pk), report)


def announce(ctx: Context, counts: Counts) -> str:
    """Say what is about to happen, before it costs."""
    limits, retry = ctx.rules.limits, ctx.rules.retry
    return (
        f"{ctx.batch.name}: {counts}; up to {limits.concurrency} runs at once on "
        f"{spell_api(ctx.batch.base_url)}, "
        f"at most {retry.attempts} attempts an item"
    )
