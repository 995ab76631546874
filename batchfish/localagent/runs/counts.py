"""How many runs match a filter, which each page of a listing shows: only new runs are counted again."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Hashable, Sequence

MOST_COUNTS = 64


class RunCounts:
    """Counts the runs of a store, and remembers the counts of the last filters.

    New runs follow all others, so a count goes on where the one before it stopped.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        """Count over the connection that makes all changes."""
        self._db = db
        self._counted: OrderedDict[Hashable, tuple[int, int]] = OrderedDict()

    def count(self, where: str, values: Sequence[Any], span: range, *, at: float, version: int) -> int:
        """Return how many runs match that listings show at a time, of those whose `seq` is in a span.

        Whether a run matches `where` must not change while `version` is the same.
        """
        ((newest, hidden),) = self._db.execute(
            "SELECT (SELECT max(seq) FROM runs), (SELECT min(seq) FROM runs INDEXED BY runs_hidden"
            " WHERE visible_at > created_at AND visible_at > ?)",
            (at,),
        )
        stop = min(span.stop, (newest or 0) + 1)
        key = (where, *values, span, version)
        begin, total = self._counted.pop(key, (span.start, 0))
        # What follows a run that listings omit as yet may be shown already, but is not remembered as counted.
        until = max(begin, min(stop, hidden or stop))
        total += self._count(where, values, range(begin, until), at)
        self._counted[key] = until, total
        if len(self._counted) > MOST_COUNTS:
            self._counted.popitem(last=False)
        return total + self._count(where, values, range(until, stop), at)

    def _count(self, where: str, values: Sequence[Any], span: range, at: float) -> int:
        if not span:
            return 0
        ((count,),) = self._db.execute(
            f"SELECT count(*) FROM runs WHERE seq >= ? AND seq < ? AND visible_at <= ? AND {where}",  # noqa: S608
            (span.start, span.stop, at, *values),
        )
        return int(count)
