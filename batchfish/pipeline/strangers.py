"""Runs of our items that another journal made: a lost one, a copy in another folder, another manifest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchfish.pipeline.backoff import repeating
from batchfish.pipeline.lookup import list_whole, read_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from batchfish.core.identity import Marker
    from batchfish.core.runs import RunSnapshot
    from batchfish.pipeline.clock import Clock
    from batchfish.pipeline.lookup import KnownRuns
    from batchfish.webagent.base import WebAgent


@dataclass(frozen=True, kw_only=True, slots=True)
class Strangers:
    """The markers of other journals' runs, and the runs whose marker cannot be read."""

    markers: Sequence[Marker] = ()
    unread: Sequence[RunSnapshot] = ()


async def find_strangers(
    agent: WebAgent,
    texts: Iterable[str],
    *,
    known: KnownRuns,
    batch8s: Collection[str],
    clock: Clock,
    chance: Callable[[], float],
    patience: float,
) -> Strangers:
    """Search goals for each of the texts; return the runs whose batch is not among `batch8s`.

    WebAgentUnavailable where no complete listing is to be had for `patience` seconds.
    """
    since = clock.boottime()
    markers: dict[str, Marker] = {}
    unread: dict[str, RunSnapshot] = {}
    for text in texts:
        async for attempt in repeating(clock, chance, lambda _: clock.boottime() - since >= patience):
            with attempt:
                listing = await list_whole(agent, text)
        rows = read_rows(listing.rows, known)
        markers |= {one.run.run_id: one.marker for one in rows.marked if one.marker.batch8 not in batch8s}
        unread |= {run.run_id: run for run in rows.unread}
    return Strangers(markers=tuple(markers.values()), unread=tuple(unread.values()))
