"""`batchfish run`: brings the batch of a manifest to completion."""

from __future__ import annotations

import asyncio
import shlex
from contextlib import ExitStack
from typing import TYPE_CHECKING

from batchfish.cli import batch_choice, locate, output, preflight, selection
from batchfish.cli.access import (
    LOCAL_BASE,
    Access,
    check_settle,
    local_agent,
    refuse_other_access,
    remote_access,
)
from batchfish.cli.agreement import Question
from batchfish.cli.completion import (
    bring_to_completion,
    finished_code,
    say_finished,
    say_nothing_selected,
    wait_for,
)
from batchfish.cli.counts import count
from batchfish.cli.factory import SystemClock, make_agent
from batchfish.cli.forecast import show_plan
from batchfish.cli.locate import load
from batchfish.journal import batches

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from batchfish.cli.console import Console
    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.manifest.manifest import Manifest


def run(args: Namespace, env: Mapping[str, str], console: Console) -> int:
    """Bring the batch of a manifest to completion."""
    refuse_other_access(args, is_local=args.local)
    if args.dry_run:
        return show_plan(args)
    manifest = load(args)
    if not manifest.check().items:
        return say_nothing_selected(args, console)
    path = args.journal or locate.journal_of(manifest.folder.absolute(), manifest.name, is_local=args.local)
    locate.make_home(path)
    with ExitStack() as stack:
        journal = stack.enter_context(wait_for(path, args))
        access = None if args.local else remote_access(args, env)
        intention = batch_choice.intend(
            journal.connection,
            manifest,
            recorded_as=LOCAL_BASE if access is None else access.recorded_as,
            now=SystemClock().now(),
            anew=args.new,
        )
        if intention.batch is not None:
            batches.relocate(journal.connection, intention.batch.pk, str(manifest.path.absolute()))
        _agree_to_begin_anew(args, journal, intention)
        target, folder = output.target_for(
            intention.name, manifest.rules.output.path, manifest.folder.absolute(), args.output
        )
        output.spare_rows(target, manifest)
        # Whether one that begins may replace a file is asked later: first, whether its journal is lost.
        begins = intention.batch is None
        output.check_output(journal.connection, target, folder, None if begins else args.agreement)
        if not selection.selects_any(args, journal.connection, manifest.variables):
            return say_nothing_selected(args, console)
        preflight.agree_to_changes(intention, args.agreement)
        code = finished_code(journal, intention.batch)
        if code is not None and not intention.is_edited:
            return say_finished(journal, intention.batch, code, args, console)
        access = access or stack.enter_context(local_agent(args, env, manifest.folder))
        check_settle(args, manifest.rules, access)
        return asyncio.run(_run_manifest(args, env, console, journal, manifest, intention, access))


def _agree_to_begin_anew(args: Namespace, journal: SqliteJournal, intention: batch_choice.Intention) -> None:
    """Raise NeedsYes unless a person agrees to begin another batch beside one that has not finished."""
    left = intention.leaves
    if left is not None:
        args.agreement.ask(
            Question.UNFINISHED_BATCH,
            f"{left.name} has not finished ({count(journal.connection, left.pk)}). --new would begin "
            f"{intention.name} beside it, and pay for every item again. To go on with {left.name}: batchfish "
            f"resume {locate.spell(journal.path, left)}. To begin {intention.name}: batchfish run "
            f"{shlex.quote(args.file)} --new --accept {Question.UNFINISHED_BATCH}.",
        )


async def _run_manifest(
    args: Namespace,
    env: Mapping[str, str],
    console: Console,
    journal: SqliteJournal,
    manifest: Manifest,
    intention: batch_choice.Intention,
    access: Access,
) -> int:
    can_search = True
    if intention.batch is None:
        preflight.refuse_same_items_beside(journal, manifest, intention, access.recorded_as, args.agreement)
        async with make_agent(access, journal, env) as agent:
            can_search = await preflight.refuse_strangers(
                journal,
                agent,
                manifest,
                intention,
                anew=args.new,
                agreement=args.agreement,
                patience=args.max_outage,
                notice=console.warn,
            )
        target, folder = output.target_for(
            intention.name, manifest.rules.output.path, manifest.folder.absolute(), args.output
        )
        output.check_output(journal.connection, target, folder, args.agreement)
    pk = batch_choice.take_in(
        journal.connection,
        manifest,
        intention,
        base_url=access.recorded_as,
        now=SystemClock().now(),
        can_search=can_search,
    )
    batch = journal.batch(pk)
    selection.select(args, journal, batch)
    return await bring_to_completion(args, env, console, journal, batch, access)
