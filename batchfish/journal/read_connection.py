"""The connection by which a journal is read: reads can be refused, and fail as StorageFailed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from batchfish.journal import files

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from pathlib import Path


class ReadConnection:
    """A connection to a journal, for reads alone."""

    def __init__(
        self, connection: sqlite3.Connection, path: Path, before_read: Callable[[], None] | None = None
    ) -> None:
        """Read on this connection; `before_read` is called before each read, and may raise to refuse it."""
        self.connection = connection
        self._path = path
        self._before_read = before_read

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection for a read in the block, whose errors are raised as StorageFailed."""
        if self._before_read is not None:
            self._before_read()
        with files.storage_errors(self._path):
            yield self.connection

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Show all reads of the block the same moment, whatever is written meanwhile."""
        with self.reading() as connection:
            connection.execute("BEGIN DEFERRED")
        try:
            yield
        finally:
            self.connection.rollback()

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with self.reading() as connection:
            return connection.execute(query, values).fetchall()

    def each(self, query: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query; those that are not taken are not read."""
        with self.reading() as connection:
            # An iterator that is left half-way may outlive the connection, and could not close a cursor then.
            yield from iter(connection.execute(query, values).fetchone, None)

    def number(self, query: str, *values: object) -> int:
        """Return the whole number that a query of one row and column returns."""
        ((number,),) = self.rows(query, *values)
        return int(number)

    def has_table(self, name: str) -> bool:
        """Return whether the journal has a table, which one of an earlier version may lack."""
        with self.reading() as connection:
            return files.has_table(connection, name)
