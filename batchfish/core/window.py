"""The number of runs to keep alive so that the server's queue is never empty, and never long."""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace

POLLS_KEPT = 4
"""The number of latest polls whose ends are kept: runs that started together end together."""


class Bounds(Struct, frozen=True, kw_only=True):
    """The least, first and greatest number of runs to keep alive; all equal for a fixed concurrency."""

    least: int
    start: int
    most: int

    @classmethod
    def fixed(cls, number: int) -> Bounds:
        """Return the bounds of a fixed concurrency."""
        return cls(least=number, start=number, most=number)

    @property
    def is_fixed(self) -> bool:
        """Whether the number never changes."""
        return self.least == self.most

    def __str__(self) -> str:
        """Return it as a manifest spells it: `10`, or `1-10-100`."""
        return str(self.most) if self.is_fixed else f"{self.least}-{self.start}-{self.most}"


AUTO = Bounds(least=1, start=10, most=100)
"""The bounds of `concurrency: auto`."""

_SPELLED = re.compile(r"(\d{1,5})(?:-(\d{1,5})-(\d{1,5}))?", re.ASCII)
MOST_ALIVE = 10_000
"""The largest number of runs alive at once that can be asked for."""


def parse_bounds(text: str) -> Bounds | None:
    """Parse `auto`, `20` or `1-10-100` (MIN-START-MAX); None if it is none of them or out of order."""
    found = _SPELLED.fullmatch(text)
    if text == "auto":
        return AUTO
    if found is None:
        return None
    least = int(found[1])
    start, most = (int(found[2]), int(found[3])) if found[2] else (least, least)
    is_ordered = 1 <= least <= start <= most <= MOST_ALIVE
    return Bounds(least=least, start=start, most=most) if is_ordered else None


class Window(Struct, frozen=True, kw_only=True):
    """The number of runs to keep alive, learned from polls; the server's cap is never told.

    A run that ends between two polls leaves its slot empty until the next poll, unless another run of ours
    waits in the server's queue. So as many runs should wait as end between two polls and while a create is
    on its way, and one more: fewer waste slots, more only wait, and take the places of other batches of the
    account.

    Until a first run is seen waiting, the window doubles with each poll. From then on it is the number of
    runs that have a slot plus the number that should wait. While polls find the queue empty, it grows by one,
    two, four and so on: the server's cap may have risen. It does not grow while most runs are only starting.
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

    def bounded(self, bounds: Bounds) -> Window:
        """Return the window within other bounds; what it has learned is kept."""
        size = min(bounds.most, max(bounds.least, self.size))
        return replace(self, bounds=bounds, size=size)

    def polled(
        self, *, alive: int, waiting: int, ended: int, starting: int = 0, create_time: float = 0.0
    ) -> Window:
        """Return the window after a poll.

        `alive` counts the runs that have not ended: `waiting` of them wait for a slot, and `starting` of them
        are neither seen waiting nor seen at work, since they just begin or no poll has shown them yet.
        `ended` counts those that ended since the poll before. `create_time` is how long a create takes, in
        times between two polls: so much longer do slots stay empty.
        """
        known = replace(self, ends=(*self.ends, ended)[-POLLS_KEPT:])
        meanwhile = round(create_time * sum(known.ends) / len(known.ends))
        wanted = max(known.ends) + meanwhile + 1
        if waiting:
            return replace(known, size=self._within(alive - waiting + wanted), has_queued=True, growth=0)
        if alive + ended < self.size or 2 * starting >= alive + ended:
            return known  # something else than the window holds runs back
        if not self.has_queued:
            return replace(known, size=self._within(2 * self.size))
        size = self._within(alive + wanted + self.growth)
        return replace(known, size=size, growth=max(1, 2 * self.growth))

    def _within(self, size: int) -> int:
        return min(self.bounds.most, max(self.bounds.least, size))
