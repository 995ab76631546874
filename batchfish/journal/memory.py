"""The part of a journal that its owner keeps in memory, so that the stages read nothing of it twice."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from batchfish.journal import records
from batchfish.journal.due_items import DueItems
from batchfish.journal.open_attempts import OpenAttempts
from batchfish.journal.request_cache import RequestCache
from batchfish.journal.spending import SpendingTotals

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchfish.core.items import Attempt, Item
    from batchfish.journal.group import ReadRows
    from batchfish.journal.records import Batch

OPEN_ATTEMPTS = (
    f"SELECT {records.ITEM}, {records.ATTEMPT}, b.batch8 FROM attempts a"
    f" JOIN items i ON i.pk = a.item JOIN batches b ON b.pk = i.batch WHERE {records.IS_OPEN}"
)


class Memory:
    """The open attempts of a journal with their requests, the items that are due next, and the sums of money.

    It equals the file, since each write of an item or an attempt is noted here, too. What it holds is bounded
    by the number of open attempts, and not by that of the items.
    """

    open: OpenAttempts
    requests: RequestCache

    def __init__(self, rows: ReadRows, batch_of: Callable[[int], Batch]) -> None:
        """Read the open attempts; the rest is read when it is first asked for."""
        self._rows = rows
        self._batch8_of = cache(lambda batch: batch_of(batch).batch8)
        self._selected: str | None = None
        self._due: dict[int, DueItems] = {}
        self.totals = SpendingTotals(rows, cache(lambda batch: batch_of(batch).period))
        self.read_again()

    def read_again(self) -> None:
        """Read again what is known of items, after many were added or changed in one statement."""
        found = map(records.open_attempt_from, self._rows(OPEN_ATTEMPTS))
        self.open = OpenAttempts(found, self._batch8_of)
        self.requests = RequestCache(self._rows)
        self._due.clear()

    def select(self, table: str | None) -> None:
        """Choose due items from those in a table, by pk, which has changed; None: from all."""
        self._selected = table
        self._due.clear()

    def due_items(self, batch: int) -> DueItems:
        """Return the items of a batch that are due next."""
        if batch not in self._due:
            self._due[batch] = DueItems(self._rows, batch, self._selected)
        return self._due[batch]

    def item(self, item: int) -> Item | None:
        """Return an item as it was written last, if it is in memory."""
        if (found := self.open.item(item)) is not None:
            return found
        for due in self._due.values():
            if (found := due.get(item)) is not None:
                return found
        return None

    def put(self, item: Item, attempt: Attempt | None = None, before: Attempt | None = None) -> None:
        """Note an item as it was written, and an attempt of it, which was `before` (None: there was none)."""
        if item.batch in self._due:
            self._due[item.batch].put(item)
        if attempt is None:
            self.open.update_item(item)
            return
        self.open.put(attempt, item)
        self.requests.note(item.pk, is_alive=self.open.item(item.pk) is not None)
        if self.totals.is_used:
            self.totals.put(item, before, attempt)
