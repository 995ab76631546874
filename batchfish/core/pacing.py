"""How many runs may be alive at once: the bound of the batch, lowered while the API refuses creates."""

from __future__ import annotations

from dataclasses import dataclass, replace

FIRST_BACKOFF, LONGEST_BACKOFF = 1.0, 60.0
MOST_NEEDED = 64
"""One more run is tried again after this many accepted rounds, however often it was refused."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pacing:
    """What the answers to creates have shown of the number of runs that the API takes at once.

    Creates that are in flight together make one *round*, which counts once: eight creates that are refused
    (429) together are one refusal. Each create is stamped with `round` when it is sent, and its answer is
    handed in with that stamp. The first answer to a create of the latest round ends the round: creates sent
    from then on belong to the next one.

    A refused round lowers the limit to half of what was tried, but not below what is alive, since the API
    evidently takes that. An accepted round raises it by one. Each time one more run is refused again, four
    times as many accepted rounds are needed before the next try: every refusal may cost a long wait.
    """

    concurrency: int
    lowered_to: int | None = None
    refused_at: int | None = None  # so many were alive when one more was refused; None: never, or disproven
    half: int = 1  # of what was tried in the last refused round
    needed: int = 1  # accepted rounds before one more run is tried
    accepted_rounds: int = 0  # in a row, since the limit last changed
    bad_rounds: int = 0  # refused or failed, in a row
    round: int = 1
    last_bad: int = 0  # creates stamped up to here were in flight when one of them was refused or failed

    @property
    def limit(self) -> int:
        """How many runs may be alive now."""
        return self.concurrency if self.lowered_to is None else min(self.lowered_to, self.concurrency)

    @property
    def backoff(self) -> float:
        """The longest pause after the latest bad round, in seconds, where the API names none."""
        return min(LONGEST_BACKOFF, FIRST_BACKOFF * 2.0 ** min(max(self.bad_rounds - 1, 0), 10))

    def room(self, open_attempts: int, alive: int) -> int:
        """Return how many creates may be sent beside `open_attempts`, of which so many are `alive`.

        Attempts that wait for a person hold their slots, but say nothing about what the API takes.
        """
        return max(0, min(self.concurrency - open_attempts, self.limit - alive))

    def accepted(self, stamp: int, alive: int) -> Pacing:
        """Return the pacing after a create was accepted, whose run is among those alive."""
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
        """Return the pacing after a create was refused for its rate, beside so many that are alive."""
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
        """Return the pacing after a create could not be sent at all, which says nothing about the limit."""
        if stamp <= self.last_bad:
            return self
        return replace(self, bad_rounds=self.bad_rounds + 1, last_bad=self.round, round=self.round + 1)
