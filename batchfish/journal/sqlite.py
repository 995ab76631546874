"""The journal in one SQLite file: one read-write connection, WAL with full synchronisation, group commit."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from importlib import resources
from typing import TYPE_CHECKING

from batchfish.core.items import Attempt, AttemptState, Item
from batchfish.errors import StorageFailed
from batchfish.journal import records

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from batchfish.core.lifecycle import Change
    from batchfish.journal.base import Batch, Outcome, Request, Tracked

MIGRATIONS = ("schema.sql",)
"""One script a schema version: a journal of version n is brought up by the scripts after its n-th."""

OPEN_STATES = tuple(state for state in AttemptState if state.is_open)

_TRACKED = (
    f"SELECT {records.ITEM}, {records.ATTEMPT}, b.batch8 FROM attempts a"
    " JOIN items i ON i.pk = a.item JOIN batches b ON b.pk = i.batch"
)


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a journal's file; a read-only connection may be used from any thread and beside the owner."""
    try:
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode={'ro' if read_only else 'rw'}",
            uri=True,
            isolation_level=None,
            check_same_thread=not read_only,
            timeout=10.0,
        )
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA mmap_size = 0")
    except sqlite3.Error as error:
        raise StorageFailed(f"{path}: cannot open the journal: {error}") from error
    return connection


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the schema to the newest version, one script a transaction; refuse a newer one than ours."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise StorageFailed(f"{path}: written by a newer batchfish (schema {version}); use that one")
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        text = resources.files("batchfish.journal").joinpath(script).read_text(encoding="utf-8")
        connection.executescript(f"BEGIN IMMEDIATE;\n{text}\nPRAGMA user_version = {number};\nCOMMIT;")


class SqliteJournal:  # more than eight public methods: the whole seam to the disk, one statement each
    """The owner's connection. It writes at once and commits in groups, in the event loop's own thread.

    A write is seen by later reads before it is durable; `commit` is what may be relied on. No thread is used,
    so a commit can neither be cancelled half-way nor reordered. After one failed commit every write raises.
    """

    def __init__(self, path: Path) -> None:
        """Open or make the file (0600), check it, and bring its schema up to date."""
        self.path = path
        if not path.exists():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        self._stat = path.stat()
        self._group: asyncio.Future[None] | None = None
        self._failure: str | None = None
        self.has_selection = False
        self.connection = connect(path)
        try:
            self.connection.execute("PRAGMA journal_mode = WAL")
            self.connection.execute("PRAGMA synchronous = FULL")
            (verdict,) = self.connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise StorageFailed(f"{path}: the journal is damaged ({verdict}); nothing is sent")
            migrate(self.connection, path)
        except sqlite3.Error as error:
            raise StorageFailed(f"{path}: not a journal that can be used: {error}") from error

    def close(self) -> None:
        """Close the file; what was not committed is lost, as it must be."""
        self.connection.close()

    def check_place(self) -> None:
        """Raise StorageFailed where the journal's path no longer leads to the file that is written to."""
        try:
            now = self.path.stat()
        except OSError as error:
            raise StorageFailed(f"{self.path}: the journal is gone: {error.strerror}") from error
        if (now.st_ino, now.st_dev) != (self._stat.st_ino, self._stat.st_dev):
            raise StorageFailed(f"{self.path}: another file has taken the journal's place")

    def select(self, items: Sequence[int] | None) -> None:
        """Let only these items be due in this process; None: all."""
        self.has_selection = items is not None
        self.connection.execute("CREATE TEMP TABLE IF NOT EXISTS selected (pk INTEGER PRIMARY KEY)")
        self.connection.execute("DELETE FROM temp.selected")
        self.connection.executemany("INSERT INTO temp.selected VALUES (?)", ((pk,) for pk in items or ()))

    def selection(self) -> frozenset[int] | None:
        """Give the items that this process has selected; None: all."""
        rows = self.connection.execute("SELECT pk FROM temp.selected") if self.has_selection else None
        return None if rows is None else frozenset(pk for (pk,) in rows)

    def due(self, batch: int, now: float, limit: int) -> Sequence[Item]:
        """Give up to `limit` selected, queued items whose time has come, first ones first."""
        rows = self.connection.execute(
            f"SELECT {records.ITEM} FROM items i WHERE batch = ? AND status = 'queued' AND wanted = 1"
            f" AND due_at <= ? {self._selection} ORDER BY due_at, row LIMIT ?",
            (batch, now, limit),
        )
        return [records.item_from(row) for row in rows]

    def next_due_at(self, batch: int) -> float | None:
        """When the next selected, queued item may be sent, epoch seconds; None where nothing is queued."""
        row = self.connection.execute(
            "SELECT due_at FROM items i WHERE batch = ? AND status = 'queued' AND wanted = 1"
            f" {self._selection} ORDER BY due_at LIMIT 1",
            (batch,),
        ).fetchone()
        return None if row is None else row[0]

    @property
    def _selection(self) -> str:
        return "AND pk IN (SELECT pk FROM temp.selected)" if self.has_selection else ""

    def request(self, item: int) -> Request:
        """Give what the item asks for."""
        row = self.connection.execute(
            f"SELECT {records.REQUEST} FROM items i JOIN requests r ON r.pk = i.request WHERE i.pk = ?",
            (item,),
        ).fetchone()
        return records.request_from(row)

    def item(self, item: int) -> Item:
        """Give the item as it stands now."""
        row = self.connection.execute(f"SELECT {records.ITEM} FROM items i WHERE pk = ?", (item,)).fetchone()
        return records.item_from(row)

    def item_by_key(self, batch8: str, key: str) -> Item | None:
        """Give the item that a marker names, in whatever batch of this journal."""
        row = self.connection.execute(
            f"SELECT {records.ITEM} FROM items i JOIN batches b ON b.pk = i.batch"
            " WHERE b.batch8 = ? AND i.key = ?",
            (batch8, key),
        ).fetchone()
        return None if row is None else records.item_from(row)

    def attempt(self, item: int, k: int) -> Attempt | None:
        """Give the item's k-th attempt."""
        return self._attempt("a.item = ? AND a.k = ?", item, k)

    def attempt_of_run(self, run_id: str) -> Attempt | None:
        """Give the attempt that a run belongs to, None where the journal does not know the run."""
        return self._attempt("a.run_id = ?", run_id)

    def _attempt(self, condition: str, *values: str | float) -> Attempt | None:
        row = self.connection.execute(
            f"SELECT {records.ATTEMPT} FROM attempts a WHERE {condition}", values
        ).fetchone()
        return None if row is None else records.attempt_from(row)

    def open_attempts(self, *states: AttemptState, item: int | None = None) -> Sequence[Tracked]:
        """Give every attempt in these states (none given: in any open one), of one item or of all batches."""
        wanted = states or OPEN_STATES
        places = ", ".join("?" for _ in wanted)
        if item is None:
            where, values = f"a.state IN ({places})", (*wanted,)
        else:
            where, values = f"a.item = {int(item)} AND a.state IN ({places})", (*wanted,)
        # The literal list lets SQLite use the partial index; the parameters narrow it.
        rows = self.connection.execute(
            f"{_TRACKED} WHERE a.state IN ('submitting', 'unanswered', 'running', 'held') AND {where}"
            " ORDER BY a.intended_at, a.item, a.k",
            values,
        )
        return [records.tracked_from(row) for row in rows]

    def count_open(self) -> int:
        """Count the slots that are held, by all batches of the journal."""
        (count,) = self.connection.execute(
            "SELECT count(*) FROM attempts WHERE state IN ('submitting', 'unanswered', 'running', 'held')"
        ).fetchone()
        return int(count)

    def count_held_open(self) -> int:
        """Count the slots held by items that wait for a person."""
        (count,) = self.connection.execute("SELECT count(*) FROM attempts WHERE state = 'held'").fetchone()
        return int(count)

    def first_accepted(self, batch: int) -> Attempt | None:
        """Give an attempt of a batch that was accepted; asked while there is at most one."""
        return self._attempt(
            "a.run_id IS NOT NULL AND a.item IN (SELECT pk FROM items WHERE batch = ? AND k > 0) LIMIT 1",
            batch,
        )

    def latest_accepted(self, key_id: str) -> Attempt | None:
        """Give the attempt accepted under this key that was intended last, whether or not it has ended."""
        return self._attempt(
            "a.run_id IS NOT NULL AND a.marker <> '' AND a.key_id = ? ORDER BY a.intended_at DESC LIMIT 1",
            key_id,
        )

    def first_accepted_after(self, key_id: str, boot_id: str, boot_at: float) -> Attempt | None:
        """Give the first attempt accepted under this key that was intended after a moment of this boot."""
        return self._attempt(
            "a.run_id IS NOT NULL AND a.marker <> '' AND a.key_id = ? AND a.boot_id = ?"
            " AND a.intended_boot > ? ORDER BY a.intended_boot LIMIT 1",
            key_id,
            boot_id,
            boot_at,
        )

    def run_of_another_key(self, key_id: str) -> Attempt | None:
        """Give the latest attempt that was accepted, or is open, under another key."""
        return self._attempt(
            "a.key_id <> ? AND (a.run_id IS NOT NULL OR a.state IN ('submitting', 'unanswered'))"
            " ORDER BY a.run_id IS NULL, a.intended_at DESC LIMIT 1",
            key_id,
        )

    def unfinished_batches(self) -> Sequence[int]:
        """Give the batches that have an open attempt."""
        rows = self.connection.execute(
            "SELECT DISTINCT i.batch FROM attempts a JOIN items i ON i.pk = a.item"
            " WHERE a.state IN ('submitting', 'unanswered', 'running', 'held')"
        )
        return [batch for (batch,) in rows]

    def write_attempt(self, attempt: Attempt) -> None:
        """Record what a process found out about an attempt by itself; the item does not move."""
        try:
            self._begin()
            self.connection.execute(records.PUT_ATTEMPT, records.attempt_values(attempt))
        except sqlite3.Error as error:
            raise self._fail(error) from error

    def write(self, change: Change, now: float) -> None:
        """Record what came of one event, with the bytes of a result and a money event where there are any."""
        try:
            self._begin()
            self.connection.execute(records.UPDATE_ITEM, records.item_update(change.item, now))
            if change.attempt is not None:
                self.connection.execute(records.PUT_ATTEMPT, records.attempt_values(change.attempt))
                if change.run is not None and change.run.result is not None:
                    self.connection.execute(
                        "INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?)",
                        (
                            change.attempt.item,
                            change.attempt.k,
                            change.run.result,
                            change.run.is_whole_answer,
                        ),
                    )
                if change.money_event is not None:
                    self.connection.execute(
                        "INSERT INTO money_events (at, item, k, message) VALUES (?, ?, ?, ?)",
                        (now, change.item.pk, change.attempt.k, change.money_event),
                    )
        except sqlite3.Error as error:
            raise self._fail(error) from error

    async def commit(self) -> None:
        """Return once everything written so far is durable; callers of one turn share one transaction."""
        if self._group is None:
            loop = asyncio.get_running_loop()
            self._group = loop.create_future()
            loop.call_soon(self._flush, self._group)
        await asyncio.shield(self._group)

    def commit_now(self) -> None:
        """Make everything written so far durable, outside a running event loop or at its edges."""
        if self._failure is not None:
            raise StorageFailed(self._failure)
        try:
            if self.connection.in_transaction:
                self.connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._fail(error) from error

    def _flush(self, group: asyncio.Future[None]) -> None:
        self._group = None
        try:
            self.commit_now()
        except StorageFailed as error:
            group.set_exception(error)
        else:
            group.set_result(None)

    def _begin(self) -> None:
        if self._failure is not None:
            raise StorageFailed(self._failure)
        if not self.connection.in_transaction:
            self.connection.execute("BEGIN IMMEDIATE")

    def _fail(self, error: sqlite3.Error) -> StorageFailed:
        """Give up for good: after a failed write the disk's state is not known, so nothing more is sent."""
        self._failure = f"{self.path}: the journal cannot be written: {error}"
        if self.connection.in_transaction:
            self.connection.rollback()
        return StorageFailed(self._failure)

    def batch(self, pk: int) -> Batch:
        """Give a batch as it stands now."""
        row = self.connection.execute(f"SELECT {records.BATCH} FROM batches WHERE pk = ?", (pk,)).fetchone()
        return records.batch_from(row)

    def batches(self) -> Sequence[Batch]:
        """Give all batches of this journal, in the order they were begun."""
        rows = self.connection.execute(f"SELECT {records.BATCH} FROM batches ORDER BY pk")
        return [records.batch_from(row) for row in rows]

    def set_markers(self, batch: int, markers: str) -> None:
        """Record what the self-test of the markers found: `proven` or `off`."""
        self._begin()
        self.connection.execute("UPDATE batches SET markers = ? WHERE pk = ?", (markers, batch))

    def count_runs(self, batch: int) -> int:
        """Count the runs of a batch that the journal knows."""
        (count,) = self.connection.execute(
            "SELECT count(a.run_id) FROM attempts a JOIN items i ON i.pk = a.item WHERE i.batch = ?", (batch,)
        ).fetchone()
        return int(count)

    def outcomes(self, batch: int) -> Iterator[Sequence[Outcome]]:
        """Read what is wanted, in manifest order, in chunks."""
        return records.read_outcomes(self.connection, batch)
