"""Searches of the API's listing: runs are found by the marker in their goal, and bound to their items."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec import Struct

from batchfish.core import identity
from batchfish.core.events import Adopted
from batchfish.core.items import Status
from batchfish.errors import WebAgentUnavailable
from batchfish.pipeline import backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from batchfish.core.identity import Marker
    from batchfish.core.items import Attempt
    from batchfish.core.runs import RunSnapshot
    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.pipeline.clock import Clock
    from batchfish.pipeline.context import Context
    from batchfish.webagent.base import Listing, WebAgent


class MarkedRun(Struct, frozen=True, kw_only=True):
    """A listed run and the marker on the last line of its goal."""

    marker: Marker
    run: RunSnapshot


class NewRuns(Struct, frozen=True, kw_only=True):
    """The runs of a listing that the journal does not know as they are listed, the oldest first.

    `marked` are unknown runs. `misbound` are those that the journal has bound to another item than the one
    their marker names, because the API answered that item's create with their id. `unread` are unknown runs
    whose marker cannot be read, since the listing cuts or omits goals. Any of these may be the run that is
    searched for, so they prove neither presence nor absence.
    """

    marked: Sequence[MarkedRun] = ()
    misbound: Sequence[MarkedRun] = ()
    unread: Sequence[RunSnapshot] = ()

    def of_item(self, batch8: str, key: str) -> list[MarkedRun]:
        """Return the unknown runs whose marker names this batch and item."""
        return [found for found in self.marked if (found.marker.batch8, found.marker.key) == (batch8, key)]

    def obstacle_to(self, text: str) -> str | None:
        """Return why a search for `text` proves neither presence nor absence of a run; None where it does."""
        for found in self.misbound:
            if search_text(str(found.marker)) == text:
                return (
                    f"its run is {found.run.run_id}, but the API has answered another item's create with "
                    "that id"
                )
        if self.unread:
            return f"its run may be {name_runs(self.unread)}, where the marker is not shown"
        return None


class ForeignRuns(Struct, frozen=True, kw_only=True):
    """The runs that other journals have made: their markers, and the runs whose marker cannot be read."""

    markers: Sequence[Marker] = ()
    unread: Sequence[RunSnapshot] = ()


def search_text(marker: str) -> str:
    """Return the text to search goals for: a marker without its k, which finds every attempt of its item."""
    return marker[: marker.rindex("-") + 1]


def shows(listing: Listing, run_id: str, marker: str) -> bool:
    """Whether a search by marker has found a known run.

    Its row need not show the marker. Where a listing cuts goals, the run that is searched for would be listed
    without its marker, too, and such a row never passes for absence.
    """
    markers = [identity.read_marker(row.goal or "") for row in listing.rows if row.run_id == run_id]
    return any(found is None or str(found) == marker for found in markers)


def new_runs(rows: Iterable[RunSnapshot], journal: SqliteJournal) -> NewRuns:
    """Return the listed runs that are unknown, or known for another item than their marker names.

    A known run belongs to its item by its id, unless its row carries the marker of another one.
    """
    marked, misbound, unread = [], [], []
    listed = sorted(rows, key=lambda run: (run.created_at or 0.0, run.run_id))
    known = journal.attempts_of_runs([run.run_id for run in listed])
    for run in listed:
        attempt, marker = known.get(run.run_id), identity.read_marker(run.goal or "")
        if attempt is not None:
            if marker is not None and _is_of_another_item(marker, attempt):
                misbound.append(MarkedRun(marker=marker, run=run))
        elif marker is not None:
            marked.append(MarkedRun(marker=marker, run=run))
        elif not journal.is_disowned(run.run_id):
            unread.append(run)
    return NewRuns(marked=marked, misbound=misbound, unread=unread)


def _is_of_another_item(marker: Marker, attempt: Attempt) -> bool:
    """Whether a marker names another item than the attempt's, whatever its k."""
    return bool(attempt.marker) and search_text(str(marker)) != search_text(attempt.marker)


def name_runs(runs: Sequence[RunSnapshot], most: int = 5) -> str:
    """Return the ids of runs for a message, the first few of many."""
    named = ", ".join(run.run_id for run in runs[:most])
    return named if len(runs) <= most else f"{named} and {len(runs) - most} more"


async def search(ctx: Context, text: str, gives_up_after: float) -> Listing:
    """Return the runs whose goal holds `text`, once the API has listed all of them.

    WebAgentUnavailable where it has not for `gives_up_after` seconds, or the stages detach.
    """
    since = ctx.clock.boottime()
    return await backoff.until_answered(
        ctx,
        lambda: _list_whole(ctx.agent, text),
        lambda: ctx.clock.boottime() - since >= gives_up_after,
    )


async def find_foreign_runs(
    agent: WebAgent,
    journal: SqliteJournal,
    texts: Iterable[str],
    *,
    batch8s: Collection[str],
    clock: Clock,
    chance: Callable[[], float],
    gives_up_after: float,
) -> ForeignRuns:
    """Search goals for all of the texts at once; return the runs whose batch is not among `batch8s`.

    WebAgentUnavailable where no complete listing has come after `gives_up_after` seconds.
    """
    since = clock.boottime()

    async def find(text: str) -> NewRuns:
        async for attempt in backoff.retrying(
            clock, chance, lambda: clock.boottime() - since >= gives_up_after
        ):
            with attempt:
                listing = await _list_whole(agent, text)
        return new_runs(listing.rows, journal)

    markers: dict[str, Marker] = {}
    unread: dict[str, RunSnapshot] = {}
    for found in await asyncio.gather(*map(find, texts), return_exceptions=True):
        if isinstance(found, BaseException):
            raise found
        markers |= {one.run.run_id: one.marker for one in found.marked if one.marker.batch8 not in batch8s}
        unread |= {run.run_id: run for run in found.unread}
    return ForeignRuns(markers=tuple(markers.values()), unread=tuple(unread.values()))


async def _list_whole(agent: WebAgent, text: str) -> Listing:
    """List the runs whose goal holds this text; WebAgentUnavailable where the listing is not complete.

    An incomplete one proves no absence, and of two runs of an item it may show the wrong one.
    """
    listing = await agent.find_by_marker(text)
    if not listing.is_complete:
        raise WebAgentUnavailable("the listing of runs was not complete")
    return listing


async def list_as_of_start(agent: WebAgent, text: str, *, since: float | None = None) -> Listing:
    """List the runs whose goal holds this text and that existed when it was asked; newer ones may be missing.

    That is enough to compare sets of runs while creates are sent. With `since` (epoch seconds of the server's
    clock), only those created from then on. WebAgentUnavailable where the listing is not complete.
    """
    listing = await agent.find_by_marker(text, since=since)
    if not listing.covers_start:
        raise WebAgentUnavailable("the listing of runs was not complete")
    return listing


def adopt(ctx: Context, item: int, found: MarkedRun) -> bool:
    """Bind a found run to the item that its marker names, as the attempt of that k where it is free.

    Returns False where a create of the item is on its way in this process: its answer may name this run, and
    if it makes another one, that is known then. A create that waits to be sent is not sent.
    """
    k, earlier_run = found.marker.k, None
    ctx.put_back_unsent(item)
    if ctx.journal.item(item).status is Status.SUBMITTING:
        return False
    attempt = ctx.journal.attempt(item, k)
    if attempt is not None and attempt.run_id is not None:
        # The create was doubled on its way. The second run counts as an attempt of its own.
        earlier_run, k, attempt = attempt.run_id, ctx.journal.item(item).k + 1, None
    event = Adopted(
        run_id=found.run.run_id,
        k=k,
        marker=str(found.marker),
        key_id=ctx.agent.key_id,
        created_at=found.run.created_at,
        steps=found.run.steps,
        earlier_run=earlier_run,
    )
    ctx.record(item, k if attempt is not None else None, event)
    return True
