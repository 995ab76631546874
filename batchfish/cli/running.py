"""`run`, `resume` and `retry`: a batch is brought to completion."""

from __future__ import annotations

import asyncio
import shlex
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from batchfish.cli import beginning, places, selecting, signals, tables, wishes
from batchfish.cli.agreement import Question
from batchfish.cli.counts import Counts, code_of, count, count_selected
from batchfish.cli.ending import conclude, put_summary, say_what_is_next
from batchfish.cli.exits import ExitCode
from batchfish.cli.manifests import load
from batchfish.cli.progress import choose, show
from batchfish.cli.serving import local_agent, reach
from batchfish.cli.settings import (
    LOCAL_BASE,
    Access,
    check_settle,
    refuse_other_access,
    remote_access,
    spell_api,
)
from batchfish.cli.wiring import SystemClock, make_agent, make_context, owned_journal
from batchfish.errors import BatchBusy
from batchfish.journal import batches
from batchfish.pipeline.context import Context, StopKind
from batchfish.pipeline.run import run_batch
from batchfish.webagent.request import is_loopback

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from batchfish.cli.messages import Console
    from batchfish.journal.base import Batch
    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.manifest.manifest import Manifest

LOOK_AT_LOCK_EVERY = 1.0


def run(args: Namespace, env: Mapping[str, str], console: Console) -> int:
    """Bring the batch of a manifest to completion."""
    refuse_other_access(args, is_local=args.local)
    if args.dry_run:
        from batchfish.cli.planning import plan

        return plan(args, env, console)
    manifest = load(args)
    if not manifest.check().items:
        return say_nothing_selected(args, console)
    path = args.journal or places.journal_of(manifest.folder.absolute(), manifest.name, is_local=args.local)
    places.make_home(path)
    with ExitStack() as stack:
        journal = stack.enter_context(wait_for(path, args))
        access = None if args.local else remote_access(args, env)
        intention = beginning.intend(
            journal.connection,
            manifest,
            recorded_as=LOCAL_BASE if access is None else access.recorded_as,
            now=SystemClock().now(),
            anew=args.new,
        )
        if intention.batch is not None:
            batches.relocate(journal.connection, intention.batch.pk, str(manifest.path.absolute()))
        _agree_to_begin_anew(args, journal, intention)
        target, folder = tables.target_for(
            intention.name, manifest.rules.output.path, manifest.folder.absolute(), args.output
        )
        tables.spare_rows(target, manifest)
        # Whether one that begins may replace a file is asked later: first, whether its journal is lost.
        begins = intention.batch is None
        tables.check_output(journal.connection, target, folder, None if begins else args.agreement)
        if not selecting.selects_any(args, journal.connection, manifest.variables):
            return say_nothing_selected(args, console)
        beginning.agree_to_changes(intention, args.agreement)
        code = finished_code(journal, intention.batch)
        if code is not None and not intention.is_edited:
            return say_finished(journal, intention.batch, code, args, console)
        access = access or stack.enter_context(local_agent(args, env, manifest.folder))
        check_settle(args, manifest.rules, access)
        return asyncio.run(_run_manifest(args, env, console, journal, manifest, intention, access))


def _agree_to_begin_anew(args: Namespace, journal: SqliteJournal, intention: beginning.Intention) -> None:
    """Raise NeedsYes unless a person agrees to begin another batch beside one that has not finished."""
    left = intention.leaves
    if left is not None:
        args.agreement.ask(
            Question.UNFINISHED_BATCH,
            f"{left.name} has not finished ({count(journal.connection, left.pk)}). --new would begin "
            f"{intention.name} beside it, and pay for every item again. To go on with {left.name}: batchfish "
            f"resume {places.spell(journal.path, left)}. To begin {intention.name}: batchfish run "
            f"{shlex.quote(args.file)} --new --accept {Question.UNFINISHED_BATCH}.",
        )


async def _run_manifest(
    args: Namespace,
    env: Mapping[str, str],
    console: Console,
    journal: SqliteJournal,
    manifest: Manifest,
    intention: beginning.Intention,
    access: Access,
) -> int:
    can_search = True
    if intention.batch is None:
        beginning.refuse_same_items_beside(journal, manifest, intention, access.recorded_as, args.agreement)
        async with make_agent(access, journal, env) as agent:
            can_search = await beginning.refuse_strangers(
                journal,
                agent,
                manifest,
                intention,
                anew=args.new,
                agreement=args.agreement,
                patience=args.max_outage,
                notice=console.warn,
            )
        target, folder = tables.target_for(
            intention.name, manifest.rules.output.path, manifest.folder.absolute(), args.output
        )
        tables.check_output(journal.connection, target, folder, args.agreement)
    pk = beginning.take_in(
        journal.connection,
        manifest,
        intention,
        base_url=access.recorded_as,
        now=SystemClock().now(),
        can_search=can_search,
    )
    batch = journal.batch(pk)
    selecting.select(args, journal, batch)
    return await bring_to_completion(args, env, console, journal, batch, access)


def resume(args: Namespace, env: Mapping[str, str], console: Console) -> int:
    """Bring a batch to completion from its journal alone."""
    place = places.find(args.batch, args.journal, is_local=args.local)
    with ExitStack() as stack:
        journal = stack.enter_context(wait_for(place.journal, args))
        batch = chosen_batch(journal, place.batch)
        selecting.select(args, journal, batch)
        if (code := finished_code(journal, batch)) is not None:
            return say_finished(journal, batch, code, args, console)
        access = reach(args, env, batch, stack)
        return asyncio.run(bring_to_completion(args, env, console, journal, batch, access))


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
        raise places.no_batch(journal.path, name)
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
    table = tables.write_batch(journal.path, batch, args.output, args.agreement, raw_csv=args.csv_raw)
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
        target, folder = tables.target_of(batch, args.output)
        tables.check_output(journal.connection, target, folder, args.agreement)
    before = count_selected(journal, batch.pk)
    if not before.total:
        return say_nothing_selected(args, console)
    async with make_agent(access, journal, env) as agent:
        ctx = make_context(args, journal, batch, agent, console, is_near=is_loopback(access.base_url))
        with signals.listening(ctx, console):
            console.say(announce(ctx, before))
            report = await run_batch(
                ctx,
                lambda ctx: wishes.heed(ctx, journal),
                *show(choose(args.progress, is_quiet=args.quiet), journal, console),
            )
        if report.stop is not None and report.stop.kind is StopKind.CANCELLED:
            await wishes.heed_once(ctx, journal)
    return conclude(args, console, journal, journal.batch(batch.pk), report)


def announce(ctx: Context, counts: Counts) -> str:
    """Say what is about to happen, before it costs."""
    limits, retry = ctx.rules.limits, ctx.rules.retry
    return (
        f"{ctx.batch.name}: {counts}; up to {limits.concurrency} runs at once on "
        f"{spell_api(ctx.batch.base_url)}, "
        f"at most {retry.attempts} attempts an item"
    )
