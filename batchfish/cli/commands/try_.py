"""`batchfish try`: runs one item and shows its events; it is journalled like any other run."""

from __future__ import annotations

import asyncio
import json
import secrets
import shlex
import signal
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from batchfish.cli.access import local_agent, refuse_other_access, remote_access
from batchfish.cli.agreement import agreement_of
from batchfish.cli.batch_choice import refuse_other_api
from batchfish.cli.console import put_if_possible
from batchfish.cli.documents import DocumentType, document
from batchfish.cli.exits import SIGNAL_BASE, STOPS, ExitCode
from batchfish.cli.factory import open_context, owned_journal
from batchfish.cli.locate import journal_for, make_home, read_manifest, spell
from batchfish.cli.options import ApiOptions, JournalLocation, ManifestSource, Pace, Questions, Reporting
from batchfish.cli.parser import Arguments, flag, group, option, spelled
from batchfish.cli.preflight import ask_short_settle
from batchfish.cli.signals import cancel_alive, handling_signals
from batchfish.cli.system_clock import SystemClock
from batchfish.core import identity
from batchfish.core.items import Status
from batchfish.core.names import TRY_SUFFIX
from batchfish.core.results import ResultText, UnreadableResult, read_result
from batchfish.errors import NeedsYes, WrongInput
from batchfish.journal.records import NewBatch
from batchfish.pipeline.context import StopKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from batchfish.cli.access import Access
    from batchfish.cli.agreement import Agreement
    from batchfish.cli.console import Console
    from batchfish.core.items import Item, ItemSpec
    from batchfish.journal.records import Batch
    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.manifest.manifest import Manifest
    from batchfish.pipeline.context import Context
    from batchfish.pipeline.run import RunReport
    from batchfish.webagent.streaming import StreamEvent


class Options(Arguments, frozen=True, kw_only=True):
    """The options of `try`."""

    item: str | None = option("--item", metavar="ID", help="run the item of this id (default: the first)")
    sync: bool = flag(
        "--sync", help="create the run over /run, which shows no events and cannot be cancelled"
    )
    manifest: ManifestSource = group(ManifestSource, "manifest")
    pace: Pace = group(Pace, "limits", only=("settle",))
    reporting: Reporting = group(Reporting, "output", only=("json",))
    location: JournalLocation = group(JournalLocation, "journal")
    api: ApiOptions = group(ApiOptions, "API")
    questions: Questions = group(Questions, "questions")


def run(options: Options, env: Mapping[str, str], console: Console) -> int:
    """Run one item of a manifest once, show its events, and print its result.

    An earlier try of the same item that has not ended is followed instead.
    """
    refuse_other_access(options.api, is_local=options.location.local)
    manifest = read_manifest(options.manifest)
    manifest.check()
    spec = _find_item(manifest, options.item)
    path = journal_for(manifest, options.location, TRY_SUFFIX)
    make_home(path)
    with ExitStack() as stack:
        agreement = agreement_of(options.questions)
        journal = stack.enter_context(owned_journal(path, agreement))
        access = (
            stack.enter_context(local_agent(options.api.agent, env, manifest.folder))
            if options.location.local
            else remote_access(options.api, env)
        )
        ask_short_settle(options.pace, manifest.rules, access, agreement)
        refuse_other_api(journal.reader, access.recorded_as)
        batch, item = _continue_or_begin(journal, manifest, spec, access.recorded_as)
        return asyncio.run(_run_item(options, agreement, env, console, journal, batch, item, access))


def _find_item(manifest: Manifest, wanted: str | None) -> ItemSpec:
    """Return the item of this id, or the first one."""
    for spec in manifest.items():
        if wanted is None or wanted in {spec.id, identity.default_id(identity.fingerprint(spec), 1)}:
            return spec
    raise WrongInput(
        f"{manifest.path}: the manifest has no items" if wanted is None else f"no item is called {wanted}"
    )


def _continue_or_begin(
    journal: SqliteJournal, manifest: Manifest, spec: ItemSpec, recorded_as: str
) -> tuple[Batch, Item]:
    """Return the unfinished earlier try of this item, or begin another, as a batch of its own."""
    key = identity.item_key(identity.fingerprint(spec), 1)
    for batch in reversed(journal.reader.batches()):
        item = journal.item_by_key(batch.batch8, key)
        if item is not None and not item.status.is_final:
            return batch, item
    journal.reader.staged.load([spec], identity.FINGERPRINT_VERSION)
    journal.reader.staged.compare(None)
    name = manifest.name + TRY_SUFFIX
    new = NewBatch(
        name=name,
        period=None,
        number=journal.reader.latest_number(name, None) + 1,
        base_url=recorded_as,
        manifest=manifest.resolved(),
        manifest_path=str(manifest.path.absolute()),
        markers=manifest.rules.unanswered.marker,
    )
    batch = journal.batch(journal.begin(new, now=SystemClock().now(), chance=secrets.token_bytes(4)))
    begun = journal.item_by_key(batch.batch8, key)
    assert begun is not None  # noqa: S101 - it was inserted just now
    return batch, begun


async def _run_item(
    options: Options,
    agreement: Agreement,
    env: Mapping[str, str],
    console: Console,
    journal: SqliteJournal,
    batch: Batch,
    item: Item,
    access: Access,
) -> int:
    from batchfish.pipeline.run import run_batch
    from batchfish.webagent.single_run import StreamingSender, WaitingSender

    clock = SystemClock()
    printer = EventPrinter(console, clock.boottime)
    sender = WaitingSender if options.sync else partial(StreamingSender, on_event=printer.show)
    async with open_context(
        journal, batch, access, env, console, pace=options.pace, agreement=agreement, sender=sender
    ) as opened:
        policy = opened.policies[batch.pk]
        once = replace(policy.rules, retry=replace(policy.rules.retry, attempts=1))
        ctx = replace(opened, policies={**opened.policies, batch.pk: replace(policy, rules=once)})
        _announce(ctx, journal.path, item, console)
        with _cancelling_at_signals(ctx, console, can_cancel=not options.sync):
            report = await run_batch(ctx)
    item = journal.item(item.pk)
    code = _exit_code(item, report)
    if item.status.is_final:
        journal.finish(batch.pk, code, clock.now())
    _show_result(console, journal, item, as_json=options.reporting.json)
    console.say(_next_command(options, item))
    return code


def _next_command(options: Options, item: Item) -> str:
    """Return what to type next: the plan of the whole batch after a success, else this command again."""
    if item.status is Status.SUCCEEDED:
        words = ["plan", *spelled(options.location, options.manifest)]
        return f"to see what the whole batch would submit: batchfish {shlex.join(words)}"
    chosen = [] if options.item is None else ["--item", options.item]
    words = ["try", *spelled(options.location, options.manifest), *chosen, *spelled(options.api)]
    when = "after a change" if item.status.is_final else "to follow it"
    return f"{when}: batchfish {shlex.join(words)}"


def _announce(ctx: Context, journal: Path, item: Item, console: Console) -> None:
    """Print what is about to be paid for, or that an earlier try is followed; NeedsYes if that is held."""
    if item.status is Status.HELD:
        raise NeedsYes(
            f"an earlier try of {item.id} is held ({item.message or item.reason})",
            remedy=f"Decide about it with: batchfish held --batch {spell(journal, ctx.batch)}",
        )
    if item.status is not Status.QUEUED:
        console.say(f"an earlier try of {item.id} has not ended: it is followed, and nothing new is paid for")
    request = ctx.journal.request(item.pk)
    console.say(f"{item.id}: {request.url}\n  goal: {' '.join(request.goal.split())}")


@contextmanager
def _cancelling_at_signals(ctx: Context, console: Console, *, can_cancel: bool) -> Iterator[None]:
    """Cancel the run at the first Ctrl-C during the block; detach from it at any other signal."""

    def handle(number: int) -> None:
        if number == signal.SIGINT and ctx.session.stop is None and can_cancel:
            ctx.stop(
                StopKind.SIGNAL, "the remote run is being cancelled; Ctrl-C again leaves it", signal=number
            )
            cancel_alive(ctx)
            return
        if not can_cancel:
            console.warn(
                "a run created over /run cannot be cancelled: it goes on, and the next `try` follows it"
            )
        ctx.stop(StopKind.SIGNAL, "left alone", detaches=True, signal=number)

    with handling_signals(handle):
        yield


def _exit_code(item: Item, report: RunReport) -> int:
    if report.stop is not None:
        number = report.stop.signal
        return STOPS[report.stop.kind] if number is None else SIGNAL_BASE + number
    return ExitCode.OK if item.status is Status.SUCCEEDED else ExitCode.ITEMS_NOT_OK


def _show_result(console: Console, journal: SqliteJournal, item: Item, *, as_json: bool) -> None:
    """Print the item's status, and its result."""
    text = journal.reader.results.of_item(item) if item.status.is_final else None
    result = _parse_result(text)
    because = f": {item.message}" if item.message else ""
    reason = f", {item.reason}" if item.reason and item.reason != item.status else ""
    console.say(f"{item.id}: {item.status}{reason}{because}")
    if as_json:
        put_if_possible(
            document(
                DocumentType.TRY,
                id=item.id,
                status=item.status,
                reason=item.reason,
                message=item.message,
                result=result,
            )
        )
    elif text is not None:
        put_if_possible(
            result if isinstance(result, str) else json.dumps(result, indent=2, ensure_ascii=False)
        )


def _parse_result(result: ResultText | None) -> object:
    """Return the value of a result, or its text if it is not JSON."""
    try:
        return read_result(result)
    except UnreadableResult:
        return result.text if result is not None else None


class EventPrinter:
    """Prints the events of a run as lines, each with the seconds since the printer was made."""

    def __init__(self, console: Console, boottime: Callable[[], float]) -> None:
        """Print on this console; `boottime` returns seconds."""
        self._console = console
        self._boottime = boottime
        self._began_at = boottime()

    def show(self, event: StreamEvent) -> None:
        """Print an event; heartbeats only on a verbose console."""
        from batchfish.webagent.streaming import Complete, Heartbeat, Progress, Started, StreamingUrl

        match event:
            case Started(run_id=run_id):
                self._line(f"started, run {run_id}")
            case StreamingUrl(url=url):
                self._line(f"watch it at {url}")
            case Progress(purpose=purpose):
                self._line(purpose)
            case Heartbeat() if self._console.is_verbose:
                self._line("still working")
            case Complete(run=run):
                self._line(run.status.lower())

    def _line(self, text: str) -> None:
        self._console.say(f"{self._boottime() - self._began_at:7.1f}s  {' '.join(text.split())}")
