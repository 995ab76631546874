"""Finding runs by the marker in their goal, and taking found ones as their items' own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from batchfish.core import identity
from batchfish.core.events import Adopted
from batchfish.core.items import AttemptState
from batchfish.errors import WebAgentUnavailable
from batchfish.pipeline.backoff import looking

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batchfish.core.identity import Marker
    from batchfish.core.items import Attempt
    from batchfish.core.runs import RunSnapshot
    from batchfish.pipeline.context import Context
    from batchfish.webagent.base import Listing, WebAgent


def search_text(marker: str) -> str:
    """Return what to search goals for: the marker without its k, which finds every attempt of the item."""
    return marker[: marker.rindex("-") + 1]


def carries(goal: str | None, marker: str) -> bool:
    """Whether the goal's own last line is this very marker."""
    return goal is not None and str(identity.read_marker(goal)) == marker


def shows(listing: Listing, run_id: str, marker: str) -> bool:
    """Whether a search by marker has returned a known run.

    Its row need not show the marker: a listing that cuts goals would return a run that is looked for in the
    same way, and that one's row, since its marker cannot be read, would not pass for absence.
    """
    rows = (row for row in listing.rows if row.run_id == run_id)
    return any(identity.read_marker(row.goal or "") is None or carries(row.goal, marker) for row in rows)


class KnownRuns(Protocol):
    """The runs that are known when a listing is read; the journal fills this."""

    def attempt_of_run(self, run_id: str) -> Attempt | None:
        """Return the attempt that a run belongs to."""
        ...

    def is_disowned(self, run_id: str) -> bool:
        """Whether a person declared a run to be nobody's."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class MarkedRun:
    """A listed run and the marker on the last line of its goal.

    `bound_to` is the attempt of another marker that holds it: the API has answered that one's create with the
    wrong run_id.
    """

    marker: Marker
    run: RunSnapshot
    bound_to: Attempt | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """The rows of a listing that tell something new, the oldest first.

    `marked` are runs that the journal does not know, `misbound` those that it holds for another attempt than
    the one whose marker they carry. `unread` are runs that the search by marker returned, but whose marker
    cannot be read, since the listing cuts or omits goals. Any of these may be the one that was searched for,
    so they prove neither presence nor absence.
    """

    marked: Sequence[MarkedRun] = ()
    misbound: Sequence[MarkedRun] = ()
    unread: Sequence[RunSnapshot] = ()


def read_rows(rows: Iterable[RunSnapshot], known: KnownRuns) -> Rows:
    """Read the markers of the listed runs that are not known; a known run is its item's own by its id.

    Unless its row carries the marker of another attempt.
    """
    marked, misbound, unread = [], [], []
    for run in sorted(rows, key=lambda run: (run.created_at or 0.0, run.run_id)):
        attempt, marker = known.attempt_of_run(run.run_id), identity.read_marker(run.goal or "")
        if attempt is not None:
            if marker is not None and _is_of_another_item(marker, attempt):
                misbound.append(MarkedRun(marker=marker, run=run, bound_to=attempt))
        elif marker is not None:
            marked.append(MarkedRun(marker=marker, run=run))
        elif not known.is_disowned(run.run_id):
            unread.append(run)
    return Rows(marked=marked, misbound=misbound, unread=unread)


def _is_of_another_item(marker: Marker, attempt: Attempt) -> bool:
    """Whether a marker names another item than an attempt's own; of one item, any k will do."""
    return bool(attempt.marker) and search_text(str(marker)) != search_text(attempt.marker)


def obstacle_in(rows: Rows, text: str) -> str | None:
    """Return why a search for `text` proves neither presence nor absence of a run; None where it does."""
    for found in rows.misbound:
        if search_text(str(found.marker)) == text:
            return (
                f"its run is {found.run.run_id}, but the API has answered another item's create with that id"
            )
    return f"its run may be {name_runs(rows.unread)}, where the marker is not shown" if rows.unread else None


def name_runs(runs: Sequence[RunSnapshot], most: int = 5) -> str:
    """Return the ids of runs for a message, the first few of many."""
    named = ", ".join(run.run_id for run in runs[:most])
    return named if len(runs) <= most else f"{named} and {len(runs) - most} more"


async def list_whole(agent: WebAgent, text: str) -> Listing:
    """List the runs whose goal holds this text; WebAgentUnavailable where the listing is not complete.

    One that breaks off is void: it proves no absence, and of two runs of an item it may show the wrong one.
    """
    listing = await agent.find_by_marker(text)
    if not listing.is_complete:
        raise WebAgentUnavailable("the listing of runs was not complete")
    return listing


async def list_as_of_start(agent: WebAgent, text: str, *, since: float | None = None) -> Listing:
    """List the runs whose goal holds this text, all that there were when it was asked; newer ones may lack.

    That is enough to compare sets with while creates are sent. WebAgentUnavailable where it broke off.
    """
    listing = await agent.find_by_marker(text, since=since)
    if not listing.covers_start:
        raise WebAgentUnavailable("the listing of runs was not complete")
    return listing


async def find(ctx: Context, text: str, patience: float) -> Listing:
    """List runs by their goal until the API answers or has not answered for `patience` seconds."""
    since = ctx.clock.boottime()
    async for attempt in looking(ctx, gives_up=lambda: ctx.clock.boottime() - since >= patience):
        with attempt:
            listing = await list_whole(ctx.agent, text)
    ctx.is_answered()
    return listing


def adopt(ctx: Context, item: int, found: MarkedRun) -> bool:
    """Bind a found run to the item that its marker names, as the attempt of that k where it is free.

    False where that attempt's create is on its way in this process: the answer will say whose the run is.
    """
    k, earlier_run = found.marker.k, None
    attempt = ctx.journal.attempt(item, k)
    if attempt is not None and attempt.state is AttemptState.SUBMITTING:
        return False
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
