"""The server's books: what it was really asked for, whatever a client believes."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from batchfish.core.identity import read_marker

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Booked:
    """A run as the server wrote it down, and the item (batch8, key) that its goal's marker names."""

    run_id: str
    url: str
    goal: str
    status: str

    @property
    def item(self) -> tuple[str, str] | None:
        marker = read_marker(self.goal)
        return None if marker is None else (marker.batch8, marker.key)


@dataclass(frozen=True, slots=True)
class Books:
    """A local agent's store, read beside it."""

    store: Path

    def runs(self, below: str = "") -> list[Booked]:
        """Return every run that was ever made of a URL that starts so, in the order they were made."""
        rows = self._read(
            "SELECT run_id, url, goal, status FROM runs WHERE substr(url, 1, length(?1)) = ?1 ORDER BY seq",
            below,
        )
        return [
            Booked(run_id=run_id, url=url, goal=goal, status=status) for run_id, url, goal, status in rows
        ]

    def markers(self) -> set[str]:
        """Give the markers of all runs, each of which names one create."""
        return {str(read_marker(run.goal)) for run in self.runs()}

    def count(self) -> int:
        """Count the runs that were ever made."""
        return int(self._read("SELECT count(*) FROM runs")[0][0])

    def paid_twice(self) -> dict[str, int]:
        """Count the runs of every item and every URL that has more than one: each is money lost."""
        runs = self.runs()
        counted = Counter(str(run.item) for run in runs) + Counter(run.url for run in runs)
        return {what: number for what, number in counted.items() if number > 1}

    def most_alive(self) -> int:
        """Tell how many runs were alive at once, at most."""
        changes = self._read(
            "SELECT 1, created_at AS at FROM runs UNION ALL SELECT -1, finished_at FROM runs"
            " WHERE finished_at IS NOT NULL ORDER BY 2, 1 DESC"  # a create before an end of the same moment
        )
        return max(accumulate(int(change) for change, _ in changes))

    def _read(self, query: str, *values: str) -> list[tuple[str, ...]]:
        with closing(sqlite3.connect(f"{self.store.as_uri()}?mode=ro", uri=True, timeout=10)) as db:
            return db.execute(query, values).fetchall()
