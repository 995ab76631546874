"""Many writes in one transaction: begun by the first of them, made durable by a commit that callers share."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from batchfish.errors import StorageFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


class GroupCommit:
    """The owner's reads and writes. A read sees what was written; what was written is durable after a commit.

    All of it happens in the event loop's own thread: a commit can neither be cut in two nor reordered.
    After one failure what the file holds is not known: whatever is asked for then raises StorageFailed.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        """Take the journal over: whoever owned it before can write to it no longer."""
        self._connection = connection
        self._path = path
        self._waiting: asyncio.Future[None] | None = None
        self._failure: str | None = None
        self._token = secrets.token_hex(8)
        self.write("INSERT OR REPLACE INTO meta VALUES ('owner', ?)", (self._token,), is_takeover=True)
        self.commit_now()

    def read(self, query: str, *values: str | float) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        self.refuse_after_failure()
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._fail(error) from error

    def write(
        self, statement: str, values: Sequence[Any] = (), *, is_takeover: bool = False
    ) -> list[tuple[Any, ...]]:
        """Execute a statement, to be made durable by the next commit; return the rows that it returns."""
        self.refuse_after_failure()
        try:
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN IMMEDIATE")
                if not is_takeover:
                    self._refuse_beside_another()
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._fail(error) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all that a block writes, or nothing of it; what was written before is committed with it."""
        try:
            yield
        except BaseException:
            self._fail("an earlier change was broken off")
            raise
        self.commit_now()

    async def commit(self) -> None:
        """Return once everything written so far is durable; callers of one turn share one transaction."""
        if self._waiting is None:
            loop = asyncio.get_running_loop()
            self._waiting = loop.create_future()
            loop.call_soon(self._flush, self._waiting)
        await asyncio.shield(self._waiting)

    def commit_now(self) -> None:
        """Make everything written so far durable, outside a running event loop or at its edges."""
        self.refuse_after_failure()
        try:
            if self._connection.in_transaction:
                self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._fail(error) from error

    def _flush(self, waiting: asyncio.Future[None]) -> None:
        self._waiting = None
        try:
            self.commit_now()
        except StorageFailed as error:
            waiting.set_exception(error)
        else:
            waiting.set_result(None)

    def _refuse_beside_another(self) -> None:
        """Stop where another process has taken the journal over, as when somebody removed the lock file."""
        query = "SELECT value FROM meta WHERE name = 'owner'"
        (owner,) = self._connection.execute(query).fetchone()
        if owner != self._token:
            raise self._fail("another process has taken it over")

    def refuse_after_failure(self) -> None:
        """Raise StorageFailed where an earlier read, write or commit has failed."""
        if self._failure is not None:
            raise StorageFailed(self._failure)

    def _fail(self, error: sqlite3.Error | str) -> StorageFailed:
        if self._failure is not None:
            return StorageFailed(self._failure)  # the first error is the one to report
        self._failure = f"{self._path}: the journal cannot be used any further: {error}"
        with suppress(sqlite3.Error):
            self._connection.rollback()
        return StorageFailed(self._failure)
