"""The tables that were written from a journal: what is asked of it for them, and which files are its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence


def bodies(connection: sqlite3.Connection, batch: int) -> Sequence[str]:
    """Give the request bodies (JSON) of a batch, each once, in the order of the rows that ask them first."""
    rows = connection.execute(
        "SELECT r.body FROM items i JOIN requests r ON r.pk = i.request"
        " WHERE i.batch = ? AND i.wanted = 1 GROUP BY r.pk ORDER BY min(i.row)",
        (batch,),
    )
    return [body for (body,) in rows]


def input_names(connection: sqlite3.Connection, batch: int) -> Sequence[str]:
    """Give the names of the variables that a batch's rows have, in the order in which they appear."""
    rows = connection.execute(
        "SELECT j.key FROM items i, json_each(i.inputs) j WHERE i.batch = ? AND i.wanted = 1"
        " GROUP BY j.key ORDER BY min(i.row), min(j.id)",
        (batch,),
    )
    return [name for (name,) in rows]


def marks(connection: sqlite3.Connection) -> Sequence[str]:
    """Give the marks (JSON) by which the files that were written from this journal are known again."""
    return [mark for (mark,) in connection.execute("SELECT mark FROM outputs")]


def record(connection: sqlite3.Connection, path: str, mark: str, at: float) -> None:
    """Remember the mark of a file that is written now (epoch seconds), in place of an earlier one."""
    connection.execute("INSERT OR REPLACE INTO outputs VALUES (?, ?, ?)", (path, mark, at))
