"""What a journal remembers about itself, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3


def read(connection: sqlite3.Connection, name: str) -> str | None:
    """Give what is remembered under a name."""
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return None if row is None else row[0]


def write(connection: sqlite3.Connection, name: str, value: str) -> None:
    """Remember a value under a name, in place of an earlier one."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))
