"""How many more runs may be alive now: a constant, fed with what looks show so that it can learn one day."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """The bound on what may be alive at once."""

    concurrency: int

    def after_look(self, *, pending: int, running: int) -> Window:
        """Take in what a look has shown: so many runs waiting, so many at work."""
        del pending, running  # a constant does not learn
        return self

    def room(self, open_attempts: int) -> int:
        """How many creates may be sent beside so many open attempts."""
        return max(0, self.concurrency - open_attempts)
