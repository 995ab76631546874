"""The queued items of a batch that are due next, kept in memory by the journal's owner."""

from __future__ import annotations

import math
import sys
from bisect import bisect_left, bisect_right, insort
from itertools import islice, takewhile
from typing import TYPE_CHECKING, TypeAlias

from batchfish.core.items import Status
from batchfish.journal import records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchfish.core.items import Item
    from batchfish.journal.group import ReadRows

SLICE = 256
"""The number of items that are read at a time."""

MOST = 4 * SLICE
"""The number of items above which those that are due last are forgotten, and read again in their turn."""

_Place: TypeAlias = tuple[float, int, int]  # due_at, row and pk of an item: the order of the index items_due

_START: _Place = (-sys.float_info.max, 0, 0)
_END: _Place = (math.inf, 0, 0)
_PLACE = "i.due_at, i.row, i.pk"
_QUEUED = "i.batch = ? AND i.status = 'queued' AND i.wanted = 1"  # as in items_due, which SQLite then uses


class DueItems:
    """The selected, queued items of a batch in the order in which they are due, as they were written last.

    The first of them are in memory, up to a place in that order, and the others are read when those before
    them have been sent. So each is read once, many in one statement, and a million items need no more memory
    than a few hundred.
    """

    def __init__(self, rows: ReadRows, batch: int, selected: str | None = None) -> None:
        """Start with nothing in memory. `selected` is a table of the pks to choose from; None: all."""
        self._rows = rows
        self._batch = batch
        self._selected = selected
        self._places: list[_Place] = []  # of the items in memory, sorted
        self._items: dict[int, Item] = {}
        self._known_to = _START  # all items up to this place are in memory

    def due(self, now: float, limit: int, *, furthest: float = math.inf) -> Sequence[Item]:
        """Return up to `limit` items that are due at `now`, earliest first.

        An item due later than `furthest` was recorded before the clock was set back; it is due, too.
        """
        while len(self._places) < limit and self._known_to < _END and self._known_to[0] <= now:
            self._read_on()
        places = takewhile(lambda place: place[0] <= now, self._places)
        found = [self._items[pk] for _, _, pk in islice(places, limit)]
        return [*found, *self._later_than(furthest, limit - len(found))]

    def next_due_at(self) -> float | None:
        """Return when the next item is due; None if nothing is queued."""
        while not self._places and self._known_to < _END:
            self._read_on()
        return self._places[0][0] if self._places else None

    def get(self, item: int) -> Item | None:
        """Return an item if it is in memory."""
        return self._items.get(item)

    def put(self, item: Item) -> None:
        """Note an item of the batch as it was written."""
        before = self._items.pop(item.pk, None)
        if before is not None:
            del self._places[bisect_left(self._places, _place(before))]
        is_queued = item.status is Status.QUEUED and item.wanted
        if is_queued and _place(item) <= self._known_to and self._is_selected(item):
            insort(self._places, _place(item))
            self._items[item.pk] = item
            if len(self._places) > MOST:
                self._forget_last()

    def _read_on(self) -> None:
        """Read the next items into memory."""
        condition = f"({_PLACE}) > (?, ?, ?)"
        found = self._read(f"{condition} ORDER BY {_PLACE} LIMIT ?", *self._known_to, SLICE)
        for item in found:
            self._places.append(_place(item))
            self._items[item.pk] = item
        self._known_to = self._places[-1] if len(found) == SLICE else _END

    def _forget_last(self) -> None:
        for _, _, pk in self._places[SLICE:]:
            del self._items[pk]
        del self._places[SLICE:]
        self._known_to = self._places[-1]

    def _later_than(self, furthest: float, limit: int) -> Sequence[Item]:
        if self._known_to < _END:
            return self._read(f"i.due_at > ? ORDER BY {_PLACE} LIMIT ?", furthest, limit) if limit else []
        first = bisect_right(self._places, furthest, key=lambda place: place[0])
        return [self._items[pk] for _, _, pk in self._places[first : first + limit]]

    def _read(self, condition: str, *values: float) -> list[Item]:
        selected = "" if self._selected is None else f" AND i.pk IN (SELECT pk FROM {self._selected})"
        rows = self._rows(
            f"SELECT {records.ITEM} FROM items i WHERE {_QUEUED}{selected} AND {condition}",
            self._batch,
            *values,
        )
        return [records.item_from(row) for row in rows]

    def _is_selected(self, item: Item) -> bool:
        if self._selected is None:
            return True
        return bool(self._rows(f"SELECT 1 FROM {self._selected} WHERE pk = ?", item.pk))


def _place(item: Item) -> _Place:
    return item.due_at, item.row, item.pk
