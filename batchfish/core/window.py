"""The number of runs to keep alive so that the server's queue is never empty, and never long."""

from __future__ import annotations

from dataclasses import dataclass, replace

POLLS_KEPT = 4
"""The ends of so many recent polls are kept: runs that started together end together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """The least, first and greatest number of runs to keep alive; all equal for a fixed concurrency."""

    least: int
    start: int
    most: int

    def __str__(self) -> str:
        """Return it as a manifest spells it: `10`, or `1-10-100`."""
        return str(self.most) if self.least == self.most else f"{self.least}-{self.start}-{self.most}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """The number of runs to keep alive, learned from polls; the server's cap is never told.

    A run that ends between two polls leaves its slot empty until the next poll, unless another run of ours
    waits in the server's queue. So as many runs should wait as end between two polls, and one more: fewer
    waste slots, more only wait, and take the places of other batches of the account.

    Until a first run is seen waiting, the window doubles with each poll. From then on it is the number of
    runs at work plus the number that should wait. While polls find the queue empty, it grows by one, two,
    four and so on: the server's cap may have risen.
    """

    bounds: Bounds
    size: int
    ends: tuple[int, ...] = ()  # found by the latest polls, each by itself
    has_queued: bool = False  # a run was seen waiting for a slot
    growth: int = 0  # of the latest poll that found the queue empty

    @classmethod
    def within(cls, bounds: Bounds) -> Window:
        """Return the window to begin with."""
        return cls(bounds=bounds, size=bounds.start)

    def polled(self, *, alive: int, waiting: int, ended: int) -> Window:
        """Return the window after a poll.

        `alive` counts the runs that have not ended, `waiting` those of them that wait for a slot, and `ended`
        the runs that ended since the poll before.
        """
        ends = (*self.ends, ended)[-POLLS_KEPT:]
        wanted = max(ends) + 1
        was_full = alive + ended >= self.size  # else something else than the window holds creates back
        if waiting:
            return self._sized(alive - waiting + wanted, ends=ends, has_queued=True, growth=0)
        if not was_full:
            return replace(self, ends=ends)
        if not self.has_queued:
            return self._sized(2 * self.size, ends=ends, has_queued=False, growth=0)
        return self._sized(
            alive + wanted + self.growth, ends=ends, has_queued=True, growth=max(1, 2 * self.growth)
        )

    def _sized(self, size: int, *, ends: tuple[int, ...], has_queued: bool, growth: int) -> Window:
        return Window(
            bounds=self.bounds,
            size=min(self.bounds.most, max(self.bounds.least, size)),
            ends=ends,
            has_queued=has_queued,
            growth=growth,
        )
