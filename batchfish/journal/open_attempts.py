"""The open attempts of a journal, kept in memory by its owner, so that a stage reads none of them twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from batchfish.core.items import AttemptState
from batchfish.journal.records import OpenAttempt

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from batchfish.core.items import Attempt, Item


class OpenAttempts:
    """The open attempts of all batches, with their items, as they were written last.

    They are bounded by the concurrency of the batches, whatever the number of items.
    """

    def __init__(self, found: Iterable[OpenAttempt], batch8_of: Callable[[int], str]) -> None:
        """Start with the open attempts in the file; `batch8_of` returns what a batch's markers begin with."""
        self._by_item: defaultdict[int, dict[int, OpenAttempt]] = defaultdict(dict)
        self._by_state: Counter[AttemptState] = Counter()
        self._batch8_of = batch8_of
        for one in found:
            self._by_item[one.item.pk][one.attempt.k] = one
            self._by_state[one.attempt.state] += 1

    def put(self, attempt: Attempt, item: Item) -> None:
        """Note an attempt as it was written, and forget it if it is no longer open."""
        attempts = self._by_item[item.pk]
        before = attempts.pop(attempt.k, None)
        if before is not None:
            self._by_state[before.attempt.state] -= 1
        if attempt.state.is_open:
            self._by_state[attempt.state] += 1
            attempts[attempt.k] = OpenAttempt(item=item, attempt=attempt, batch8=self._batch8_of(item.batch))
        if not attempts:
            del self._by_item[item.pk]

    def update_item(self, item: Item) -> None:
        """Note an item as it was written."""
        for k, one in self.of_item(item.pk).items():
            self._by_item[item.pk][k] = OpenAttempt(item=item, attempt=one.attempt, batch8=one.batch8)

    def of_item(self, item: int) -> dict[int, OpenAttempt]:
        """Return the open attempts of an item by their number."""
        return dict(sorted(self._by_item[item].items())) if item in self._by_item else {}

    def in_states(self, states: Collection[AttemptState]) -> Sequence[OpenAttempt]:
        """Return the open attempts in these states, or in any if none is named, as they were intended."""
        if states and not any(self._by_state[state] for state in states):
            return []
        found = [one for one in self._all() if not states or one.attempt.state in states]
        return sorted(found, key=lambda one: (one.attempt.intended_at, one.attempt.item, one.attempt.k))

    def count(self) -> int:
        """Count the open attempts."""
        return self._by_state.total()

    def count_held(self) -> int:
        """Count the open attempts that wait for a person."""
        return self._by_state[AttemptState.HELD]

    def batches(self) -> Sequence[int]:
        """Return the batches that have an open attempt."""
        return sorted({one.item.batch for one in self._all()})

    def _all(self) -> Iterable[OpenAttempt]:
        return (one for attempts in self._by_item.values() for one in attempts.values())
