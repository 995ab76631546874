"""`run`, `resume` and `retry`: a batch is brought to completion, and what came of it is said."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from batchfish.cli import beginning, places, tables, wishes
from batchfish.cli.counts import Counts, count, count_selected, exit_code
from batchfish.cli.exits import ExitCode
from batchfish.cli.messages import ask, is_terminal, put
from batchfish.cli.progress import choose, show
from batchfish.cli.settings import Access, local_access, remote_access
from batchfish.cli.wiring import SystemClock, chance, make_agent, owned_journal, terms_of
from batchfish.core.window import Window
from batchfish.errors import WrongInput
from batchfish.journal import batches
from batchfish.pipeline.context import Context, Pace, Session, StopKind
from batchfish.pipeline.run import RunReport, run_batch
from batchfish.webagent.request import is_loopback

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Mapping

    from batchfish.cli.messages import Voice
    from batchfish.core.rules import Rules
    from batchfish.journal.base import Batch
    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.manifest.manifest import Manifest
    from batchfish.webagent.client import WebAgentClient

LOOK_AT_LOCK_EVERY = 1.0
POLL_NEAR = 0.25
"""Seconds between looks at an API on this machine."""


def run(args: Namespace, env: Mapping[str, str], voice: Voice) -> int:
    """Bring the batch of a manifest to completion."""
    manifest = load(args)
    summary = manifest.check()
    if not summary.items:
        voice.warn(f"{args.file}: nothing is selected: the manifest has no items")
        return ExitCode.OK if args.allow_empty else ExitCode.NO_ITEMS
    journal_path = args.journal or places.journal_of(
        manifest.folder.absolute(), manifest.name, is_local=args.local
    )
    places.make_home(journal_path)
    with ExitStack() as stack:
        journal = stack.enter_context(wait_for(journal_path, args))
        access = None if args.local else remote_access(args, env)
        recorded_as = "local:" if access is None else access.recorded_as
        intention = beginning.intend(
            journal.connection, manifest, recorded_as=recorded_as, now=SystemClock().now(), anew=args.new
        )
        beginning.agree_to_changes(intention, agreed=args.yes, ask=ask if is_terminal() else None)
        finished = finished_code(journal, intention)
        if finished is not None:
            return say_finished(journal, intention.batch, finished, args, voice)
        access = access or stack.enter_context(local_agent(args, env, manifest.folder))
        return asyncio.run(_run_manifest(args, env, voice, journal, manifest, intention, access))


async def _run_manifest(
    args: Namespace,
    env: Mapping[str, str],
    voice: Voice,
    journal: SqliteJournal,
    manifest: Manifest,
    intention: beginning.Intention,
    access: Access,
) -> int:
    if intention.batch is None and not args.new:
        async with make_agent(access, journal, env) as agent:
            await beginning.refuse_lost_journal(journal.connection, agent, intention, journal.path)
    pk = beginning.take_in(
        journal.connection, manifest, intention, base_url=access.recorded_as, now=SystemClock().now()
    )
    return await bring_to_completion(args, env, voice, journal, journal.batch(pk), access)


def resume(args: Namespace, env: Mapping[str, str], voice: Voice) -> int:
    """Bring a batch to completion from its journal alone."""
    place = places.find(args.batch, args.journal, is_local=args.local)
    with ExitStack() as stack:
        journal = stack.enter_context(wait_for(place.journal, args))
        batch = chosen_batch(journal, place.batch)
        if batch.exit_code is not None:
            voice.say(f"{batch.name} is finished: {count(journal.connection, batch.pk)}")
            return batch.exit_code
        access = reach(args, env, batch, stack)
        return asyncio.run(bring_to_completion(args, env, voice, journal, batch, access))


def load(args: Namespace) -> Manifest:
    """Read the manifest that flags name."""
    from batchfish.manifest.files import spool_standard_input
    from batchfish.manifest.load import ManifestOptions, load_manifest

    path, folder = Path(args.file), None
    if args.file == "-":
        home = Path.cwd() / places.HOME
        home.mkdir(mode=0o700, exist_ok=True)
        path, folder = spool_standard_input(sys.stdin.buffer, home), Path.cwd()
    options = ManifestOptions(
        variables=dict(args.var),
        goal=args.goal if args.goal_file is None else _read_goal(Path(args.goal_file)),
        schema=Path(args.schema) if args.schema else None,
        allow_duplicates=args.allow_duplicates,
        folder=folder,
    )
    return load_manifest(path, options)


def _read_goal(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongInput(f"{path}: the goal cannot be read: {error}") from None


@contextmanager
def wait_for(journal: Path, args: Namespace) -> Iterator[SqliteJournal]:
    """Own a journal; where another process does, leave at once or wait, as `--if-running` says."""
    import time

    from batchfish.errors import BatchBusy

    while True:
        try:
            with owned_journal(journal, agreed=args.yes) as owned:
                yield owned
                return
        except BatchBusy:
            if getattr(args, "if_running", "skip") != "wait":
                raise
            time.sleep(LOOK_AT_LOCK_EVERY)


def chosen_batch(journal: SqliteJournal, name: str | None) -> Batch:
    """Give the named batch of a journal, or its newest."""
    batch = batches.named(journal.connection, name) if name else batches.newest(journal.connection)
    if batch is None:
        raise WrongInput(f"{journal.path} holds no batch {name or ''}".rstrip() + ".")
    return batch


def reach(args: Namespace, env: Mapping[str, str], batch: Batch, stack: ExitStack) -> Access:
    """Reach the API that a batch belongs to; WrongInput where flags mean another one."""
    if batch.base_url == "local:":
        return stack.enter_context(local_agent(args, env, Path(batch.manifest_path).parent))
    access = remote_access(args, env)
    if access.recorded_as != batch.base_url:
        raise WrongInput(f"{batch.name} belongs to {batch.base_url}, not to {access.recorded_as}")
    return access


@contextmanager
def local_agent(args: Namespace, env: Mapping[str, str], folder: Path) -> Iterator[Access]:
    """Use a local agent for the time of the block: the one that runs for this folder, or a new one."""
    from batchfish.cli.serving import agent_options
    from batchfish.localagent.attach import local_agent as attach

    home = folder.absolute() / places.HOME / places.LOCAL
    hidden = {"TINYFISH_API_KEY"}
    with attach(
        home,
        agent_options(args, folder),
        env={name: text for name, text in env.items() if name not in hidden},
    ) as endpoint:
        yield local_access(endpoint.base_url)


def finished_code(journal: SqliteJournal, intention: beginning.Intention) -> int | None:
    """Tell the exit code of a batch that is finished and asked for nothing new; None for any other."""
    batch, difference = intention.batch, intention.difference
    if batch is None or batch.exit_code is None or difference.new or difference.changed:
        return None
    return None if journal.count_open() else batch.exit_code


def say_finished(
    journal: SqliteJournal, batch: Batch | None, code: int, args: Namespace, voice: Voice
) -> int:
    """Say that nothing is left to do."""
    assert batch is not None  # noqa: S101 - only a batch that has begun can be finished
    counts = count(journal.connection, batch.pk)
    voice.say(f"{batch.name} is finished: {counts}. Nothing was sent; `run --new` starts another.")
    target, _ = tables.target_of(batch, args.output)
    if not target.exists():
        tables.write_batch(journal.path, batch, args.output, agreed=args.yes, raw_csv=args.csv_raw)
    summarise(args, code, counts, None, str(target))
    return code


async def bring_to_completion(
    args: Namespace,
    env: Mapping[str, str],
    voice: Voice,
    journal: SqliteJournal,
    batch: Batch,
    access: Access,
) -> int:
    """Submit, follow and collect a batch until it is done or stops, and say how it ended."""
    tables.check_output(journal.connection, batch, args.output, agreed=args.yes)
    select(args, journal, batch)
    before = (
        count_selected(journal.connection) if journal.has_selection else count(journal.connection, batch.pk)
    )
    if not before.total:
        voice.warn("nothing is selected")
        return ExitCode.OK if args.allow_empty else ExitCode.NO_ITEMS
    async with make_agent(access, journal, env) as agent:
        ctx = make_context(args, journal, batch, agent, voice, is_near=is_loopback(access.base_url))
        voice.say(announce(ctx, before))
        with listening_to_signals(ctx, voice):
            report = await run_batch(
                ctx,
                lambda ctx: wishes.heed(ctx, journal),
                *show(choose(args.progress, is_quiet=args.quiet), journal, voice),
            )
        if report.stop is not None and report.stop.kind is StopKind.CANCELLED:
            await wishes.heed_once(ctx, journal)
    return conclude(args, voice, journal, journal.batch(batch.pk), report)


def select(args: Namespace, journal: SqliteJournal, batch: Batch) -> None:
    """Choose what may be submitted in this process; nothing of it is stored."""
    pks = None
    if args.item or args.where or args.limit is not None or args.sample is not None:
        rows = journal.connection.execute(
            "SELECT pk, id, url, inputs FROM items WHERE batch = ? AND wanted = 1 ORDER BY row", (batch.pk,)
        ).fetchall()
        if args.item:
            unknown = set(args.item) - {row[1] for row in rows}
            if unknown:
                raise WrongInput(f"no item is called {', '.join(sorted(unknown))}")
            rows = [row for row in rows if row[1] in args.item]
        if args.where:
            rows = [row for row in rows if _holds(args.where, row, batch)]
        if args.sample is not None:
            rows = sorted(random.sample(rows, min(args.sample, len(rows))))
        pks = [row[0] for row in rows[: args.limit]]
    journal.select(pks)


def _holds(where: str, row: tuple[int, str, str, str], batch: Batch) -> bool:
    from batchfish.core.expressions import ExpressionFailed, InvalidExpression, compile_condition

    values = {**batch.manifest.get("variables", {}), **json.loads(row[3]), "id": row[1], "url": row[2]}
    try:
        return compile_condition(where).holds(values)
    except (InvalidExpression, ExpressionFailed) as error:
        raise WrongInput(f"--where: {error}") from None


def make_context(
    args: Namespace,
    journal: SqliteJournal,
    batch: Batch,
    agent: WebAgentClient,
    voice: Voice,
    *,
    is_near: bool,
) -> Context:
    """Put together what the stages work with."""
    from dataclasses import replace

    clock = SystemClock()
    terms = {one.pk: terms_of(one) for one in journal.batches()}
    own = terms[batch.pk]
    terms[batch.pk] = replace(own, rules=with_flags(own.rules, args))
    interval = args.poll_interval or (POLL_NEAR if is_near else Pace().poll_interval)
    rules = terms[batch.pk].rules
    latest = journal.latest_accepted(agent.key_id)
    return Context(
        journal=journal,
        agent=agent,
        clock=clock,
        chance=chance(),
        batch=batch,
        terms=terms,
        pace=Pace(
            poll_interval=interval,
            max_outage=args.max_outage,
            max_duration=args.max_duration,
            drain=args.drain,
        ),
        session=Session(
            began_at=clock.boottime(),
            markers=batch.markers,
            window=Window(concurrency=rules.limits.concurrency),
            last_accepted=latest.intended_at if latest else None,
        ),
        notice=voice.warn,
    )


def with_flags(rules: Rules, args: Namespace) -> Rules:
    """Let flags win over what the manifest says."""
    from dataclasses import replace

    limits = rules.limits
    if args.concurrency is not None:
        limits = replace(limits, concurrency=args.concurrency)
    if args.halt is not None:
        limits = replace(limits, halt=args.halt)
    unanswered = rules.unanswered
    if args.settle is not None:
        unanswered = replace(unanswered, settle=args.settle)
    return replace(rules, limits=limits, unanswered=unanswered)


def announce(ctx: Context, counts: Counts) -> str:
    """Say what is about to happen, before it costs."""
    limits, retry = ctx.rules.limits, ctx.rules.retry
    where = ctx.batch.base_url
    return (
        f"{ctx.batch.name}: {counts}; up to {limits.concurrency} runs at once on {where}, "
        f"at most {retry.attempts} an item"
    )


@contextmanager
def listening_to_signals(ctx: Context, voice: Voice) -> Iterator[None]:
    """Detach cleanly when told to: what is on its way is recorded, and what is alive goes on remotely."""
    loop = asyncio.get_running_loop()

    def interrupted(number: int) -> None:
        is_second = ctx.session.stop is not None and ctx.session.stop.signal is not None
        if number == signal.SIGINT and not is_second and is_terminal():
            ctx.stop(StopKind.SIGNAL, "interrupted", signal=number)
            voice.warn(
                f"{ctx.alive()} runs are alive and are followed. Ctrl-C again leaves them to themselves (`run` takes "
                "them up later); type c and Enter to cancel them."
            )
            loop.add_reader(sys.stdin, lambda: _read_choice(ctx))
            return
        ctx.stop(StopKind.SIGNAL, signal.Signals(number).name, detaches=True, signal=number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, interrupted, number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
        if sys.stdin is not None and is_terminal():
            loop.remove_reader(sys.stdin)


def _read_choice(ctx: Context) -> None:
    answer = sys.stdin.readline().strip().lower()
    if answer in {"c", "cancel"}:
        journal = ctx.journal
        for one in journal.open_attempts():
            from batchfish.core.events import CancelWished

            ctx.record(one.item.pk, None, CancelWished())
        ctx.bell.ring()
    elif answer in {"d", "detach"}:
        ctx.stop(StopKind.SIGNAL, "detached", detaches=True)


def conclude(args: Namespace, voice: Voice, journal: SqliteJournal, batch: Batch, report: RunReport) -> int:
    """Write the table, record the end, and say what came of it and how to go on."""
    counts = count(journal.connection, batch.pk)
    judged = count_selected(journal.connection) if journal.has_selection else counts
    code = exit_code(
        judged, report.stop, args.fail_on_error, was_cancelled=was_cancelled(journal, batch, counts)
    )
    is_finished = report.stop is None or report.stop.kind is StopKind.CANCELLED
    if is_finished and counts.ended == counts.total and not journal.count_open():
        batches.finish(journal.connection, batch.pk, code, SystemClock().now())
    table = None
    if report.stop is None or report.stop.signal is None:
        table = tables.write_batch(journal.path, batch, args.output, agreed=args.yes, raw_csv=args.csv_raw)
    voice.say(f"{batch.name}: {counts}" + (f"; {report.alive} runs are still alive" if report.alive else ""))
    going_on = None if counts.ended == counts.total else how_to_go_on(args, batch)
    if going_on:
        voice.say(f"go on with: {going_on}")
    if counts.not_ok:
        voice.say(f"see what is not fine: batchfish results {batch.name} --failed -o failed.csv")
    summarise(args, code, counts, going_on, str(table.path) if table else None)
    return code


def was_cancelled(journal: SqliteJournal, batch: Batch, counts: Counts) -> bool:
    """Whether a person has cancelled items of a batch that is over."""
    (wishes_heeded,) = journal.connection.execute(
        "SELECT count(*) FROM items WHERE batch = ? AND wanted = 1 AND status = 'cancelled' AND cancel_wish = 1",
        (batch.pk,),
    ).fetchone()
    return bool(wishes_heeded) and counts.ended == counts.total


def how_to_go_on(args: Namespace, batch: Batch) -> str:
    """Spell the exact command that goes on."""
    local = " --local" if args.local else ""
    return f"batchfish resume {batch.name}{local}"


def summarise(args: Namespace, code: int, counts: Counts, going_on: str | None, table: str | None) -> None:
    """Give programs the last word, and scripts the table's path."""
    if args.json:
        summary = {
            "type": "summary",
            "ok": code == 0,
            "exit_code": int(code),
            "counts": dict(counts.by_status),
            "table": table,
            "resume": going_on,
        }
        print(json.dumps(summary), flush=True)
    elif table is not None and not args.quiet:
        put(table)
