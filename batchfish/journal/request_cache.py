"""The requests of items, kept in memory by the journal's owner while a run of theirs may be alive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.journal import records

if TYPE_CHECKING:
    from batchfish.journal.group import ReadRows
    from batchfish.journal.records import Request

MOST_CHARACTERS = 2 * 2**20
"""The length of the requests that are kept at most; those beyond are read again when their run has ended."""


class RequestCache:
    """The requests of the items that have an open attempt, and the one that was read last.

    An item's request is read when its intent is written, and again to judge the result of its run: in between
    it is kept, up to MOST_CHARACTERS in all.
    """

    def __init__(self, rows: ReadRows) -> None:
        """Start with nothing in memory."""
        self._rows = rows
        self._kept: dict[int, tuple[Request, int]] = {}
        self._latest: tuple[int, Request, int] | None = None
        self._size = 0

    def of_item(self, item: int) -> Request:
        """Return what an item asks of the API."""
        if (kept := self._kept.get(item)) is not None:
            return kept[0]
        if self._latest is None or self._latest[0] != item:
            query = (
                f"SELECT {records.REQUEST} FROM items i JOIN requests r ON r.pk = i.request WHERE i.pk = ?"
            )
            (row,) = self._rows(query, item)
            self._latest = item, records.request_from(row), sum(map(len, row))
        return self._latest[1]

    def note(self, item: int, *, is_alive: bool) -> None:
        """Keep the request of an item that has an open attempt, if it was read last; else forget it."""
        if not is_alive:
            _, size = self._kept.pop(item, (None, 0))
            self._size -= size
        elif item not in self._kept and self._latest is not None and self._latest[0] == item:
            _, request, size = self._latest
            if self._size + size <= MOST_CHARACTERS:
                self._kept[item] = request, size
                self._size += size
