"""`batchfish try`: runs one item and shows its events."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from batchfish.cli import batch_choice, locate
from batchfish.cli.access import check_settle, local_agent, refuse_other_access, remote_access
from batchfish.cli.completion import wait_for
from batchfish.cli.console import put_beside_work
from batchfish.cli.exits import SIGNAL_BASE, STOPS, ExitCode
from batchfish.cli.factory import SystemClock, make_agent, make_context
from batchfish.cli.locate import load
from batchfish.cli.signals import cancel_alive, heeding
from batchfish.core import identity
from batchfish.core.items import Status
from batchfish.core.results import ResultText, UnreadableResult, read_result
from batchfish.errors import NeedsYes, WrongInput
from batchfish.journal import batches, ingest, queries
from batchfish.pipeline.context import StopKind
from batchfish.pipeline.run import run_batch
from batchfish.webagent.credentials import is_loopback
from batchfish.webagent.single_run import StreamingSender, WaitingSender
from batchfish.webagent.streaming import Complete, Heartbeat, Progress, Started, StreamingUrl

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator, Mapping

    from batchfish.cli.access import Access
    from batchfish.cli.console import Console
    from batchfish.core.items import Item, ItemSpec
    from batchfish.journal.base import Batch
    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.manifest.manifest import Manifest
    from batchfish.pipeline.context import Context
    from batchfish.pipeline.run import RunReport
    from batchfish.webagent.streaming import StreamEvent


def run(args: Namespace, env: Mapping[str, str], console: Console) -> int:
    """Run one item of a manifest once, show what happens, and give its result."""
    refuse_other_access(args, is_local=args.local)
    manifest = load(args)
    manifest.check()
    spec = _pick(manifest, args.item)
    path = args.journal or locate.journal_of(
        manifest.folder.absolute(), manifest.name + identity.TRY_SUFFIX, is_local=args.local
    )
    locate.make_home(path)
    with ExitStack() as stack:
        journal = stack.enter_context(wait_for(path, args))
        access = (
            stack.enter_context(local_agent(args, env, manifest.folder))
            if args.local
            else remote_access(args, env)
        )
        check_settle(args, manifest.rules, access)
        batch, item = _take_in(journal, manifest, spec, access.recorded_as)
        return asyncio.run(_watch(args, env, console, journal, batch, item, access))


def _pick(manifest: Manifest, wanted: str | None) -> ItemSpec:
    """Give the item of this id, or the first one."""
    for spec in manifest.items():
        if wanted is None or wanted in {spec.id, identity.default_id(identity.fingerprint(spec), 1)}:
            return spec
    raise WrongInput(
        f"{manifest.path}: the manifest has no items" if wanted is None else f"no item is called {wanted}"
    )


def _take_in(
    journal: SqliteJournal, manifest: Manifest, spec: ItemSpec, recorded_as: str
) -> tuple[Batch, Item]:
    """Give the earlier try of this very item that has not ended, or begin another, as a batch of its own."""
    batch_choice.refuse_other_api(journal.connection, recorded_as)
    key = identity.item_key(identity.fingerprint(spec), 1)
    for batch in reversed(queries.all_batches(journal.connection)):
        item = journal.item_by_key(batch.batch8, key)
        if item is not None and not item.status.is_final:
            return batch, item
    ingest.stage(journal.connection, [spec], identity.FINGERPRINT_VERSION)
    ingest.compare(journal.connection, None)
    name = manifest.name + identity.TRY_SUFFIX
    new = batches.NewBatch(
        name=name,
        period=None,
        number=batches.latest_number(journal.connection, name, None) + 1,
        base_url=recorded_as,
        manifest=manifest.resolved(),
        manifest_path=str(manifest.path.absolute()),
        markers=manifest.rules.unanswered.marker,
    )
    pk = batches.begin(journal.connection, new, now=SystemClock().now(), chance=secrets.token_bytes(4))
    batch = journal.batch(pk)
    begun = journal.item_by_key(batch.batch8, key)
    assert begun is not None  # noqa: S101 - it was taken in just now
    return batch, begun


async def _watch(
    args: Namespace,
    env: Mapping[str, str],
    console: Console,
    journal: SqliteJournal,
    batch: Batch,
    item: Item,
    access: Access,
) -> int:
    clock = SystemClock()
    teller = Teller(console, clock.boottime(), clock.boottime)
    sender = WaitingSender if args.sync else partial(StreamingSender, on_event=teller.tell)
    async with make_agent(access, journal, env, sender) as agent:
        ctx = make_context(args, journal, batch, agent, console, is_near=is_loopback(access.base_url))
        terms = ctx.policies[batch.pk]
        once = replace(terms.rules, retry=replace(terms.rules.retry, attempts=1))
        ctx = replace(ctx, policies={**ctx.policies, batch.pk: replace(terms, rules=once)})
        _announce(ctx, item, console)
        with _cancelling(ctx, console, can_cancel=not args.sync):
            report = await run_batch(ctx)
    item = journal.item(item.pk)
    code = _exit_code(item, report)
    if item.status.is_final:
        batches.finish(journal.connection, batch.pk, code, clock.now())
    _show(args, console, journal, item)
    return code


def _announce(ctx: Context, item: Item, console: Console) -> None:
    """Say what is about to be paid for, or that an earlier try goes on."""
    if item.status is Status.HELD:
        raise NeedsYes(
            f"an earlier try of {item.id} waits for a person ({item.message or item.reason}): "
            f"batchfish held --batch {ctx.batch.name}"
        )
    if item.status is not Status.QUEUED:
        console.say(f"an earlier try of {item.id} has not ended: it is followed, and nothing new is paid for")
    request = ctx.journal.request(item.pk)
    console.say(f"{item.id}: {request.url}\n  goal: {' '.join(request.goal.split())}")


@contextmanager
def _cancelling(ctx: Context, console: Console, *, can_cancel: bool) -> Iterator[None]:
    """Let Ctrl-C cancel the remote run, and the second one, or a scheduler's signal, leave it to itself."""

    def interrupted(number: int) -> None:
        was_told = ctx.session.stop is not None
        if number != signal.SIGINT or was_told or not can_cancel:
            if not can_cancel:
                console.warn(
                    "a run made over /run cannot be cancelled: it goes on, and the next `try` follows it"
                )
            ctx.stop(StopKind.SIGNAL, "left alone", detaches=True, signal=number)
            return
        ctx.stop(StopKind.SIGNAL, "the remote run is being cancelled; Ctrl-C again leaves it", signal=number)
        cancel_alive(ctx)

    with heeding(interrupted):
        yield


def _exit_code(item: Item, report: RunReport) -> int:
    if report.stop is not None:
        number = report.stop.signal
        return STOPS[report.stop.kind] if number is None else SIGNAL_BASE + number
    return ExitCode.OK if item.status is Status.SUCCEEDED else ExitCode.ITEMS_NOT_OK


def _show(args: Namespace, console: Console, journal: SqliteJournal, item: Item) -> None:
    """Show the verdict, and the result as it came."""
    text = queries.result_of(journal.connection, item) if item.status.is_final else None
    result = _read(text)
    because = f": {item.message}" if item.message else ""
    reason = f", {item.reason}" if item.reason and item.reason != item.status else ""
    console.say(f"{item.id}: {item.status}{reason}{because}")
    if args.json:
        shown = {
            "type": "try",
            "id": item.id,
            "status": item.status,
            "reason": item.reason,
            "message": item.message,
            "result": result,
        }
        put_beside_work(json.dumps(shown))
    elif text is not None:
        put_beside_work(
            result if isinstance(result, str) else json.dumps(result, indent=2, ensure_ascii=False)
        )


def _read(result: ResultText | None) -> object:
    """Return the value of a result, or its text where it is not JSON."""
    try:
        return read_result(result)
    except UnreadableResult:
        return result.text if result is not None else None


class Teller:
    """Writes events as lines, each with the seconds since the try began."""

    def __init__(self, console: Console, began_at: float, boottime: Callable[[], float]) -> None:
        self._voice = console
        self._began_at = began_at
        self._boottime = boottime

    def tell(self, event: StreamEvent) -> None:
        """Tell one event; heartbeats only where much is told."""
        match event:
            case Started(run_id=run_id):
                self._line(f"started, run {run_id}")
            case StreamingUrl(url=url):
                self._line(f"watch it at {url}")
            case Progress(purpose=purpose):
                self._line(" ".join(purpose.split()))
            case Heartbeat() if self._voice.is_verbose:
                self._line("still at work")
            case Complete(run=run):
                self._line(run.status.lower())

    def _line(self, text: str) -> None:
        self._voice.say(f"{self._boottime() - self._began_at:7.1f}s  {text}")
