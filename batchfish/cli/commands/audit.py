"""`batchfish audit`: compares the runs that a journal knows with those that the account lists."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING

from msgspec import Struct, to_builtins

from batchfish.cli.access import reach
from batchfish.cli.console import put
from batchfish.cli.documents import DocumentType, put_document
from batchfish.cli.exits import ExitCode
from batchfish.cli.factory import chance, make_client_to_read
from batchfish.cli.locate import find, open_batch, spell
from batchfish.cli.options import ApiOptions, JournalLocation, Pace, Reporting, batch_argument
from batchfish.cli.parser import Arguments, flag, group
from batchfish.cli.system_clock import SystemClock
from batchfish.core import identity
from batchfish.core.describe import several
from batchfish.core.items import AttemptState
from batchfish.pipeline.policy import policy_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from batchfish.cli.console import Console
    from batchfish.core.runs import RunSnapshot
    from batchfish.journal.queries import JournalReader
    from batchfish.journal.records import Batch, KnownAttempt
    from batchfish.webagent.base import Listing
    from batchfish.webagent.client import WebAgentClient

_WAITING_FOR_RUN = {AttemptState.UNANSWERED, AttemptState.HELD}
_ALIVE = {"PENDING", "RUNNING"}


class Options(Arguments, frozen=True, kw_only=True):
    """The options of `audit`."""

    batch: str | None = batch_argument()
    cancel: bool = flag("--cancel", help="cancel surplus runs that are still alive")
    pace: Pace = group(Pace, "limits", only=("max_outage",))
    reporting: Reporting = group(Reporting, "output", only=("json",))
    location: JournalLocation = group(JournalLocation, "journal")
    api: ApiOptions = group(ApiOptions, "API")


class ListedRun(Struct, frozen=True, kw_only=True):
    """A run that the API lists and the journal does not know; `item` is None if its marker names none."""

    run_id: str
    item: str | None
    status: str
    steps: int | None

    def __str__(self) -> str:
        steps = "steps not known" if self.steps is None else several(self.steps, "step")
        whose = f"of item {self.item}, " if self.item is not None else ""
        return f"run {self.run_id}: {whose}{self.status}, {steps}"


class Audit(Struct, frozen=True, kw_only=True):
    """The differences between the journal of a batch and the API's listing: none if all lists are empty.

    `surplus` runs are one too many for their item. `unanswered` runs belong to a create whose answer was
    lost; `run` adopts them. The listing does not show the marker of `unread` runs. `unlisted` are the ids of
    known runs that are not listed.
    """

    batch: str
    known: int
    listed: int
    surplus: Sequence[ListedRun]
    unanswered: Sequence[ListedRun]
    unread: Sequence[ListedRun]
    unlisted: Sequence[str]

    @property
    def is_equal(self) -> bool:
        """Whether journal and listing name the same runs."""
        return not (self.surplus or self.unanswered or self.unread or self.unlisted)


def run(options: Options, env: Mapping[str, str], console: Console) -> int:
    """Compare a batch's journal with the API's listing; return 0 if they are equal, else 6.

    Nothing is written to the journal, which another process may own.
    """
    place = find(options.batch, options.location)
    with ExitStack() as stack:
        reader, batch = stack.enter_context(open_batch(place))
        access = reach(options.api, env, batch, stack)

        async def list_and_compare() -> Audit:
            async with make_client_to_read(access, reader, env) as agent:
                found = await _compare(agent, reader, batch, options.pace.max_outage)
                alive = [run.run_id for run in found.surplus if run.status in _ALIVE]
                if options.cancel and alive:
                    await agent.cancel(alive)
                    console.say(f"cancelling {several(len(alive), 'run')}: {', '.join(alive)}")
                return found

        found = asyncio.run(list_and_compare())
    if options.reporting.json:
        put_document(DocumentType.AUDIT, equal=found.is_equal, **to_builtins(found))
    else:
        _put_audit(found, place.journal, batch, console, is_cancelled=options.cancel)
    return ExitCode.OK if found.is_equal else ExitCode.NEEDS_YES


async def _compare(agent: WebAgentClient, reader: JournalReader, batch: Batch, limit: float) -> Audit:
    """List the runs of a batch, for `limit` seconds without an answer at most, and compare them."""
    from batchfish.pipeline.backoff import retrying
    from batchfish.pipeline.search import list_as_of_start

    clock = SystemClock()
    gives_up_at = clock.boottime() + limit
    async for attempt in retrying(clock, chance(), lambda: clock.boottime() >= gives_up_at):
        with attempt:
            listing = await list_as_of_start(agent, f"bf-{batch.batch8}-")
    # The journal is read after the listing, so that runs which a process has recorded meanwhile are known.
    return compare(
        batch,
        listing,
        reader.attempts_of_batch(batch.pk),
        reader.disowned_runs(),
        settle=policy_of(batch).rules.unanswered.settle,
    )


def compare(
    batch: Batch,
    listing: Listing,
    attempts: Sequence[KnownAttempt],
    disowned: frozenset[str],
    *,
    settle: float,
) -> Audit:
    """Compare the listed runs with the known ones; a run younger than `settle` need not be listed yet."""
    known = {one.run_id: one for one in attempts if one.run_id is not None}
    open_markers = {one.marker: one.state for one in attempts if one.run_id is None}
    ids = {one.key: one.item for one in attempts}
    surplus, unanswered, unread = [], [], []
    for run in listing.rows:
        if run.run_id in known or run.run_id in disowned:
            continue
        marker = identity.read_marker(run.goal or "")
        if marker is None:
            unread.append(_listed(run, None))
        elif marker.batch8 == batch.batch8:
            state = open_markers.get(str(marker))
            if state in _WAITING_FOR_RUN:
                unanswered.append(_listed(run, ids.get(marker.key)))
            elif state is not AttemptState.SUBMITTING:
                surplus.append(_listed(run, ids.get(marker.key)))
    shown = {run.run_id for run in listing.rows}
    since = None if listing.server_date is None else listing.server_date - settle
    unlisted = [
        run_id
        for run_id, one in known.items()
        if run_id not in shown and (since is None or one.created_at is None or one.created_at < since)
    ]
    return Audit(
        batch=batch.name,
        known=len(known),
        listed=len(listing.rows),
        surplus=surplus,
        unanswered=unanswered,
        unread=unread,
        unlisted=unlisted,
    )


def _listed(run: RunSnapshot, item: str | None) -> ListedRun:
    return ListedRun(run_id=run.run_id, item=item, status=run.status, steps=run.steps)


def _put_audit(found: Audit, journal: Path, batch: Batch, console: Console, *, is_cancelled: bool) -> None:
    name = spell(journal, batch)
    if found.is_equal:
        put(f"{found.batch}: the journal and the API's listing agree on {several(found.known, 'run')}")
        return
    put(
        f"{found.batch}: the journal knows {several(found.known, 'run')}, the API lists "
        f"{found.listed}; they differ"
    )
    for kind, runs in (
        ("surplus", found.surplus),
        ("not adopted yet", found.unanswered),
        ("its marker is not shown", found.unread),
    ):
        for run in runs:
            put(f"  {kind}: {run}")
    for run_id in found.unlisted:
        put(f"  not listed: run {run_id}")
    if any(run.status in _ALIVE for run in found.surplus) and not is_cancelled:
        console.say(f"to cancel surplus runs that are alive: batchfish audit {name} --cancel")
    if found.unanswered:
        console.say(f"to adopt runs that were found: batchfish resume {name}")
    if found.unread:
        console.say(f"to bind a run to its item: batchfish held adopt ITEM RUN --batch {name}")
