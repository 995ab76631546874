"""The pace of a batch: how many runs may be alive at once, and how often each is polled."""

from __future__ import annotations

import math

from msgspec import Struct
from msgspec.structs import replace

from batchfish.core import backoff
from batchfish.core.window import AUTO, Bounds, Window

FIRST_BACKOFF, LONGEST_BACKOFF = 1.0, 60.0
"""The longest pauses after one refused round and after many, in seconds."""

MOST_NEEDED = 64
"""One more run is tried after at most this many accepted rounds, however often it was refused."""

FEWEST_CREATES_AT_ONCE, MOST_CREATES_AT_ONCE = 6, 32
CREATES_A_SECOND = 450
"""The rate that the creates which wait at once add up to, within these bounds; each takes a connection."""

SHORTEST_FIRST_INTERVAL, LONGEST_FIRST_INTERVAL = 0.05, 0.25
"""The bounds of the time between two polls until a run has ended, in seconds."""

LEAST_POLL_INTERVAL, USUAL_POLL_INTERVAL = 0.1, 0.5
"""The time between two polls of short runs, and of those of 2 s to 10 s, in seconds; see `poll_interval`."""

SLOWEST_POLL = 5.0
"""The longest time between two polls of one run, in poll intervals."""

POLL_SLOWDOWN = 60.0
"""A run's polls come one interval further apart for each so many seconds of its age."""


class Pacing(Struct, frozen=True, kw_only=True):
    """The limit of runs alive at once: the window that polls have shown, lowered while creates are refused.

    Creates that are in flight together make one *round*, which counts once: eight creates that are refused
    (429) together are one refusal. Each create is stamped with `round` when it is sent, and the stamp is
    passed in with its answer. The first answer to a create of the latest round ends that round.

    A refused round lowers the limit to half of what was tried, but not below the number of runs alive, which
    the API evidently accepts. An accepted round raises it by one. Each time one more run is refused again,
    four times as many accepted rounds are needed before the next try, since a refusal may cost a long wait.
    """

    window: Window
    lowered_to: int | None = None
    refused_at: int | None = None  # so many were alive when one more was refused; None: never, or disproven
    half: int = 1  # of what was tried in the last refused round
    needed: int = 1  # accepted rounds before one more run is tried
    accepted_rounds: int = 0  # in a row, since the limit last changed
    bad_rounds: int = 0  # refused or failed, in a row
    round: int = 1
    last_bad: int = 0  # creates stamped up to here were in flight when one of them was refused or failed

    @classmethod
    def within(cls, bounds: Bounds | None) -> Pacing:
        """Return the pacing to begin with; None: the bounds of `auto`."""
        return cls(window=Window.within(bounds or AUTO))

    def bounded(self, bounds: Bounds | None) -> Pacing:
        """Return the pacing within other bounds; None: those of `auto`."""
        return replace(self, window=self.window.bounded(bounds or AUTO))

    @property
    def limit(self) -> int:
        """The number of runs that may be alive now."""
        return self.window.size if self.lowered_to is None else min(self.lowered_to, self.window.size)

    @property
    def is_growing(self) -> bool:
        """Whether polls have not shown yet how many runs the server works on at once."""
        return not self.window.has_queued and self.limit < self.window.bounds.most

    @property
    def backoff(self) -> float:
        """The longest pause after the latest bad round, in seconds, where the API asks for none."""
        return backoff.exponential(self.bad_rounds, first=FIRST_BACKOFF, longest=LONGEST_BACKOFF)

    def room(self, open_attempts: int, alive: int) -> int:
        """Return how many more creates may be sent; `alive` of the `open_attempts` do not wait for a person.

        Those that wait hold their slots, but are no evidence of how many runs the API accepts.
        """
        return max(0, min(self.window.bounds.most - open_attempts, self.limit - alive))

    def polled(
        self, *, alive: int, waiting: int, starting: int, ended: int, create_time: float = 0.0
    ) -> Pacing:
        """Return the pacing after a poll; see `Window.polled`."""
        window = self.window.polled(
            alive=alive, waiting=waiting, starting=starting, ended=ended, create_time=create_time
        )
        return replace(self, window=window)

    def accepted(self, stamp: int, alive: int) -> Pacing:
        """Return the pacing after a create was accepted; `alive` counts its run, too."""
        if stamp <= self.last_bad:
            return self
        if stamp < self.round:
            return replace(self, bad_rounds=0)
        is_disproven = self.refused_at is not None and alive > self.refused_at
        needed = 1 if is_disproven else self.needed
        is_raised = self.lowered_to is not None and self.accepted_rounds + 1 >= needed
        return replace(
            self,
            lowered_to=self.limit + 1 if is_raised else self.lowered_to,
            refused_at=None if is_disproven else self.refused_at,
            needed=needed,
            accepted_rounds=0 if is_raised else self.accepted_rounds + 1,
            bad_rounds=0,
            round=self.round + 1,
        )

    def refused(self, stamp: int, alive: int) -> Pacing:
        """Return the pacing after a create was refused for its rate while `alive` runs were alive."""
        paced = self
        if stamp > self.last_bad:
            is_again = self.refused_at is not None
            paced = replace(
                self.failed(stamp),
                half=(alive + 1) // 2,
                needed=min(4 * self.needed, MOST_NEEDED) if is_again else 1,
                accepted_rounds=0,
            )
        limit = max(1, paced.half, min(self.limit, alive))
        return replace(paced, lowered_to=limit, refused_at=limit)

    def failed(self, stamp: int) -> Pacing:
        """Return the pacing after a create could not be sent at all; the limit stays."""
        if stamp <= self.last_bad:
            return self
        return replace(self, bad_rounds=self.bad_rounds + 1, last_bad=self.round, round=self.round + 1)


def poll_interval(
    shortest: float, run_seconds: float | None, oldest: float, *, is_growing: bool = False
) -> float:
    """Return the seconds between two polls, at least `shortest`, by how long runs take.

    The end of a run is noticed half an interval late, on average. Runs of less than 0.2 s are polled twice in
    their time, runs of up to 2 s four times, but every 0.1 s at most, runs of 2 s to 10 s every 0.5 s, and
    longer ones twenty times in their time. While it is not known how long they take (None), the first polls
    come soon, since the window grows by them: four in the time for which the oldest run has been alive.
    `is_growing`: it still does, and even the shortest runs are polled four times.
    """
    if run_seconds is None:
        soon = max(SHORTEST_FIRST_INTERVAL, oldest / 4)
        return max(shortest, min(soon, LONGEST_FIRST_INTERVAL))
    least = shortest if is_growing else max(shortest, min(LEAST_POLL_INTERVAL, run_seconds / 2))
    return max(least, min(run_seconds / 4, USUAL_POLL_INTERVAL), run_seconds / 20)


def creates_at_once(latency: float) -> int:
    """Return how many creates may wait for their answers at once, which take `latency` seconds."""
    return min(MOST_CREATES_AT_ONCE, max(FEWEST_CREATES_AT_ONCE, math.ceil(CREATES_A_SECOND * latency)))


def next_poll(age: float, interval: float) -> float:
    """Return the seconds until a run of this age is polled again; older runs are polled less often."""
    return interval * min(SLOWEST_POLL, 1.0 + max(0.0, age) / POLL_SLOWDOWN)
