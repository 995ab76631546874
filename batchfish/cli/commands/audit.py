"""`batchfish audit`: compares the runs that a journal knows with those that the account lists."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from batchfish.cli import locate
from batchfish.cli.access import reach
from batchfish.cli.console import put, put_object
from batchfish.cli.exits import ExitCode
from batchfish.cli.factory import SystemClock, chance, make_agent_to_read
from batchfish.core import identity
from batchfish.core.describe import several
from batchfish.core.items import AttemptState
from batchfish.journal import queries
from batchfish.pipeline.backoff import retrying_alone
from batchfish.pipeline.policy import policy_of
from batchfish.pipeline.search import list_as_of_start

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping, Sequence

    from batchfish.cli.console import Console
    from batchfish.core.runs import RunSnapshot
    from batchfish.journal.base import Batch
    from batchfish.journal.queries import KnownAttempt
    from batchfish.webagent.base import Listing


_NOT_YET_TAKEN_IN = {AttemptState.UNANSWERED, AttemptState.HELD}


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedRun:
    """A run that the API lists and the journal does not know; `item` is None where its marker names none."""

    run_id: str
    item: str | None
    status: str
    steps: int | None

    def __str__(self) -> str:
        """Spell it for a person."""
        steps = "steps not known" if self.steps is None else several(self.steps, "step")
        whose = f"of item {self.item}, " if self.item is not None else ""
        return f"run {self.run_id}: {whose}{self.status}, {steps}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Audit:
    """The differences between the journal and the listing of one batch: none where the four lists are empty.

    `surplus` runs are one too many for their item, `unanswered` ones belong to a create whose answer was lost
    and are taken in by `run`; of `unread` ones the listing does not show the marker; `unlisted` are the ids
    of known runs that are not listed.
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


def run(args: Namespace, env: Mapping[str, str], console: Console) -> int:
    """Compare a batch with the listing, beside whoever works on it; nothing is written but cancels."""
    place = locate.find(args.batch, args.journal, is_local=args.local)
    with ExitStack() as stack:
        connection, batch = stack.enter_context(locate.open_for_reading(place))
        access = reach(args, env, batch, stack, may_pay=False)

        async def list_and_compare() -> Audit:
            async with make_agent_to_read(access, connection, env) as agent:
                clock = SystemClock()
                gives_up_at = clock.boottime() + args.max_outage
                async for attempt in retrying_alone(clock, chance(), lambda: clock.boottime() >= gives_up_at):
                    with attempt:
                        listing = await list_as_of_start(agent, f"bf-{batch.batch8}-")
                # Read after it was listed: what a process has learnt meanwhile is known.
                found = compare(
                    batch,
                    listing,
                    queries.attempts_of_batch(connection, batch.pk),
                    queries.disowned_runs(connection),
                    settle=policy_of(batch).rules.unanswered.settle,
                )
                alive = [run.run_id for run in found.surplus if run.status in {"PENDING", "RUNNING"}]
                if args.cancel and alive:
                    await agent.cancel(alive)
                    console.say(f"cancelling {several(len(alive), 'run')}: {', '.join(alive)}")
                return found

        found = asyncio.run(list_and_compare())
    if args.json:
        put_object(type="audit", equal=found.is_equal, **asdict(found))
    else:
        _show(found, place, batch, console, is_cancelled=args.cancel)
    return ExitCode.OK if found.is_equal else ExitCode.NEEDS_YES


def compare(
    batch: Batch,
    listing: Listing,
    attempts: Sequence[KnownAttempt],
    disowned: frozenset[str],
    *,
    settle: float,
) -> Audit:
    """Compare what is listed with what is known; a known run younger than `settle` may not be listed yet."""
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
            if state in _NOT_YET_TAKEN_IN:
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


def _show(found: Audit, place: locate.Place, batch: Batch, console: Console, *, is_cancelled: bool) -> None:
    spelled = locate.spell(place.journal, batch)
    if found.is_equal:
        put(f"{found.batch}: the journal and the API's listing agree on {several(found.known, 'run')}")
        return
    put(
        f"{found.batch}: the journal knows {several(found.known, 'run')}, the API lists "
        f"{found.listed}; they differ"
    )
    for said, runs in (
        ("one too many", found.surplus),
        ("not taken in yet", found.unanswered),
        ("its marker is not shown", found.unread),
    ):
        for run in runs:
            put(f"  {said}: {run}")
    for run_id in found.unlisted:
        put(f"  not listed: run {run_id}")
    if any(run.status in {"PENDING", "RUNNING"} for run in found.surplus) and not is_cancelled:
        console.say(f"cancel what is alive and one too many: batchfish audit {spelled} --cancel")
    if found.unanswered:
        console.say(f"take in what is found: batchfish resume {spelled}")
    if found.unread:
        console.say(f"bind a run to its item: batchfish held adopt ITEM RUN --batch {spelled}")
