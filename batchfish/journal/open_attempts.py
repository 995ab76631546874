"""The open attempts of a journal, kept in memory by its owner, so that a stage reads none of them twice."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, TypeAlias

from msgspec.structs import replace

from batchfish.core.items import AttemptState
from batchfish.journal.records import OpenAttempt

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from batchfish.core.items import Attempt, Item

_Key: TypeAlias = tuple[int, int]  # of an item, and the number of its attempt


class OpenAttempts:
    """The open attempts of all batches, with their items, as they were written last.

    They are bounded by the concurrency of the batches, whatever the number of items.
    """

    def __init__(self, found: Iterable[OpenAttempt], batch8_of: Callable[[int], str]) -> None:
        """Start with the open attempts in the file; `batch8_of` returns what a batch's markers begin with."""
        self._by_item: defaultdict[int, dict[int, OpenAttempt]] = defaultdict(dict)
        self._by_state: dict[AttemptState, dict[_Key, OpenAttempt]] = {
            state: {} for state in AttemptState if state.is_open
        }
        self._unwanted: dict[_Key, OpenAttempt] = {}
        self.runs: dict[str, OpenAttempt] = {}
        """Those whose run is known, by its id."""
        self._number = 0
        self._batch8_of = batch8_of
        for one in found:
            self._add(one)

    def put(self, attempt: Attempt, item: Item) -> None:
        """Note an attempt and its item as they were written, and forget it if it is no longer open."""
        self._discard(item.pk, attempt.k)
        self.update_item(item)
        if attempt.state.is_open:
            self._add(OpenAttempt(item=item, attempt=attempt, batch8=self._batch8_of(item.batch)))

    def update_item(self, item: Item) -> None:
        """Note an item as it was written."""
        for one in self.of_item(item.pk).values():
            self._discard(item.pk, one.attempt.k)
            self._add(replace(one, item=item))

    def item(self, item: int) -> Item | None:
        """Return an item as it was written last; None if it has no open attempt."""
        for one in self._by_item.get(item, {}).values():
            return one.item
        return None

    def attempt(self, item: int, k: int) -> Attempt | None:
        """Return the item's k-th attempt; None if it is not open."""
        one = self._by_item.get(item, {}).get(k)
        return None if one is None else one.attempt

    def of_item(self, item: int) -> dict[int, OpenAttempt]:
        """Return the open attempts of an item by their number."""
        attempts = self._by_item.get(item, {})
        return dict(sorted(attempts.items())) if len(attempts) > 1 else dict(attempts)

    def in_states(self, states: Collection[AttemptState]) -> Sequence[OpenAttempt]:
        """Return the open attempts in these states, or in any if none is named, as they were intended."""
        kept = (self._by_state.get(state, {}) for state in states or self._by_state)
        return _as_intended(one for attempts in kept for one in attempts.values())

    def unwanted(self) -> Sequence[OpenAttempt]:
        """Return the attempts whose runs are to be cancelled, as they were intended."""
        return _as_intended(self._unwanted.values())

    def count(self) -> int:
        """Count the open attempts."""
        return self._number

    def count_held(self) -> int:
        """Count the open attempts that wait for a person."""
        return len(self._by_state[AttemptState.HELD])

    def batches(self) -> Sequence[int]:
        """Return the batches that have an open attempt."""
        return sorted({one.item.batch for attempts in self._by_item.values() for one in attempts.values()})

    def _add(self, one: OpenAttempt) -> None:
        key = (one.item.pk, one.attempt.k)
        self._number += 1
        self._by_item[one.item.pk][one.attempt.k] = one
        self._by_state[one.attempt.state][key] = one
        if one.attempt.run_id is not None:
            self.runs[one.attempt.run_id] = one
        if one.is_unwanted:
            self._unwanted[key] = one

    def _discard(self, item: int, k: int) -> None:
        one = self._by_item.get(item, {}).get(k)
        if one is None:
            return
        self._number -= 1
        del self._by_item[item][k], self._by_state[one.attempt.state][item, k]
        self._unwanted.pop((item, k), None)
        if one.attempt.run_id is not None:
            del self.runs[one.attempt.run_id]
        if not self._by_item[item]:
            del self._by_item[item]


def _as_intended(found: Iterable[OpenAttempt]) -> list[OpenAttempt]:
    return sorted(found, key=lambda one: (one.attempt.intended_at, one.attempt.item, one.attempt.k))
