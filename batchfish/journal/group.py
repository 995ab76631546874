"""Group commit: many writes share one transaction, after a check that this process still owns the journal."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

from batchfish.errors import StorageFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from batchfish.journal.changes import Statement

IF_THE_DISK_IS_FULL = "If its disk is full, make room. Then run the same command again: it goes on."


class ReadRows(Protocol):
    """Returns the rows of a query with these values."""

    def __call__(self, query: str, *values: str | float) -> Sequence[tuple[Any, ...]]:
        """Return the rows."""
        ...


class GroupCommit:
    """The reads and writes of a journal's owner; writes share a transaction until the next commit.

    The first write of a transaction checks that this process still owns the journal. Everything happens in
    the thread of the event loop, so that no other write comes between the statements of one method. After a
    failure it is not known what the file holds: every later read, write or commit raises StorageFailed.
    """

    def __init__(
        self, connection: sqlite3.Connection, path: Path, put_off: Callable[[], Iterable[Statement]]
    ) -> None:
        """Become the owner of the journal; an earlier owner can no longer write to it.

        `put_off` returns the statements that the writes since the last call still need; it is called before
        each commit.
        """
        self._connection = connection
        self._path = path
        self._put_off = put_off
        self._waiting: list[asyncio.Future[None]] = []
        self._later: asyncio.TimerHandle | None = None
        self._failure: tuple[str, str | None] | None = None  # message and remedy
        self._token = secrets.token_hex(8)
        try:
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('owner', ?)", (self._token,))
        except sqlite3.Error as error:
            raise self._fail(error) from error

    def read(self, query: str, *values: str | float) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        self.refuse_after_failure()
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._fail(error) from error

    def write(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Execute a statement, to be made durable by the next commit; return the rows that it returns."""
        self.refuse_after_failure()
        try:
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN IMMEDIATE")
                self._refuse_former_owner()
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._fail(error) from error
        except BaseException:  # such as UnicodeEncodeError; earlier statements of the same change are written
            self._fail("a change was interrupted")
            raise

    def write_put_off(self) -> None:
        """Execute the statements that were put off until the next commit, so that reads show their effect."""
        self.refuse_after_failure()
        try:
            if self._connection.in_transaction:
                for statement, values in self._put_off():
                    self._connection.execute(statement, values)
        except sqlite3.Error as error:
            raise self._fail(error) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all that the block writes, or nothing; what was written before is committed with it.

        The block may count items by triggers, which need the counts of what was written before.
        """
        self.write_put_off()
        try:
            yield
        except BaseException:
            self._fail("a change was interrupted")
            raise
        self.commit_now()

    async def commit(self) -> None:
        """Return once everything written so far is durable; callers of one turn share one transaction."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._flush)
        durable = loop.create_future()
        self._waiting.append(durable)
        await durable

    def commit_within(self, seconds: float) -> None:
        """Commit everything written so far in this time at the latest, together with what is written next.

        If that fails, whatever comes next raises StorageFailed.
        """
        loop = asyncio.get_running_loop()
        at = loop.time() + seconds
        if self._later is None or at < self._later.when():
            if self._later is not None:
                self._later.cancel()
            self._later = loop.call_at(at, self._flush)

    def commit_now(self) -> None:
        """Commit everything written so far."""
        self.write_put_off()
        try:
            if self._connection.in_transaction:
                self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._fail(error) from error

    def _flush(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        callers, self._waiting = [one for one in self._waiting if not one.cancelled()], []
        try:
            self.commit_now()
        except StorageFailed as error:
            for durable in callers:
                durable.set_exception(error)
        else:
            for durable in callers:
                durable.set_result(None)

    def _refuse_former_owner(self) -> None:
        """Raise StorageFailed if another process owns the journal, as when the lock file was removed."""
        query = "SELECT value FROM meta WHERE name = 'owner'"
        (owner,) = self._connection.execute(query).fetchone()
        if owner != self._token:
            raise self._fail("another process has taken it over")

    def refuse_after_failure(self) -> None:
        """Raise StorageFailed if an earlier read, write or commit failed."""
        if self._failure is not None:
            message, remedy = self._failure
            raise StorageFailed(message, remedy=remedy)

    def _fail(self, error: sqlite3.Error | str) -> StorageFailed:
        if self._failure is None:  # the first error is the one to report
            remedy = IF_THE_DISK_IS_FULL if isinstance(error, sqlite3.Error) else None
            self._failure = f"{self._path}: the journal cannot be used any further: {error}", remedy
            with suppress(sqlite3.Error):
                self._connection.rollback()
        message, remedy = self._failure
        return StorageFailed(message, remedy=remedy)
