"""Pictures and sources of pages as runs saw them: one table of the book, which never outgrows its limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

SCREENSHOT = "screenshot"
HTML = "html"
MOST_BYTES = 256 * 1024 * 1024


class Captures:
    """The captures of finished runs; the oldest make room for new ones."""

    def __init__(self, db: sqlite3.Connection, *, most_bytes: int = MOST_BYTES) -> None:
        self._db = db
        self._most_bytes = most_bytes

    def add(self, run_id: str, found: Iterable[tuple[int, str, bytes]]) -> None:
        """Keep captures of a run: the number of the step, the kind, the bytes."""
        rows = [(run_id, step, kind, body) for step, kind, body in found]
        if not rows:
            return
        self._db.executemany("INSERT INTO captures (run_id, step, kind, body) VALUES (?, ?, ?, ?)", rows)
        self._db.execute(
            "DELETE FROM captures WHERE seq IN (SELECT seq FROM (SELECT seq,"
            " sum(length(body)) OVER (ORDER BY seq DESC) AS bytes FROM captures) WHERE bytes > ?)",
            (self._most_bytes,),
        )

    def get(self, run_id: str, step: int, kind: str) -> bytes | None:
        """Give one capture; None where there is none, or none any more."""
        row = self._db.execute(
            "SELECT body FROM captures WHERE run_id = ? AND step = ? AND kind = ?", (run_id, step, kind)
        ).fetchone()
        return None if row is None else bytes(row[0])
