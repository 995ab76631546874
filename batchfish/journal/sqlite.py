"""The journal in one SQLite file: what the stages ask of it, each a statement."""

from __future__ import annotations

import json
import math
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from batchfish.core import identity
from batchfish.core.items import AttemptState
from batchfish.errors import StorageFailed
from batchfish.journal import files, records
from batchfish.journal.base import Comparison, full_name
from batchfish.journal.group import GroupCommit
from batchfish.journal.queries import JournalReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from batchfish.core.items import Attempt, Item
    from batchfish.core.lifecycle import Change
    from batchfish.journal.base import Batch, NewBatch, Outcome, Request, Tracked

_OPEN = ", ".join(f"'{state}'" for state in AttemptState if state.is_open)
_IS_OPEN = f"a.state IN ({_OPEN})"  # spelled as in the partial index, which SQLite then uses
_TRACKED = (
    f"SELECT {records.ITEM}, {records.ATTEMPT}, b.batch8 FROM attempts a"
    " JOIN items i ON i.pk = a.item JOIN batches b ON b.pk = i.batch"
)
_ATTEMPTS_OF_ITEM = f"SELECT {records.ATTEMPT} FROM attempts a WHERE a.item = ? AND (a.k = ? OR {_IS_OPEN})"
_SENT = "rtrim(i.goal, char(9, 10, 13, 32)) || a.marker"  # as long as the goal as sent, less a constant
_SIZE = f"length({_SENT}), length(CAST({_SENT} AS BLOB))"  # characters, bytes
_PUT_OUTPUT = "INSERT OR REPLACE INTO outputs VALUES (?, ?, ?)"
_QUEUED = "i.batch = ? AND i.status = 'queued' AND i.wanted = 1"


class SqliteJournal:  # more than eight public methods: the whole seam to the disk, one statement each
    """The journal of one owner; `connection` is for what happens before and after the stages."""

    def __init__(self, path: Path) -> None:
        """Open or make the file, check it, bring its schema up to date, and take it over."""
        self.path = path
        self.has_selection = False
        self.connection = files.own(path)
        self._stat = path.stat()
        self._group = GroupCommit(self.connection, path)
        self.reader = JournalReader(self.connection, path, check=self._group.refuse_after_failure)

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

    def selected_counts(self) -> Mapping[str, int]:
        """Count the selected items by status."""
        query = (
            "SELECT status, count(*) FROM items WHERE pk IN (SELECT pk FROM temp.selected) GROUP BY status"
        )
        return dict(self._group.read(query))

    def selection(self) -> frozenset[int] | None:
        """Give the items that this process has selected; None: all."""
        if not self.has_selection:
            return None
        return frozenset(pk for (pk,) in self._group.read("SELECT pk FROM temp.selected"))

    @property
    def _selected(self) -> str:
        return "AND i.pk IN (SELECT pk FROM temp.selected)" if self.has_selection else ""

    def due(self, batch: int, now: float, limit: int, *, furthest: float = math.inf) -> Sequence[Item]:
        """Give up to `limit` selected, queued items whose time has come, first ones first.

        Times are epoch seconds. What is due later than `furthest` was written before the clock was set back:
        its time has come, too.
        """
        items: list[Item] = []
        for condition, bound in (("i.due_at <= ?", now), ("i.due_at > ?", furthest)):
            rows = self._group.read(
                f"SELECT {records.ITEM} FROM items i WHERE {_QUEUED} AND {condition} {self._selected}"
                " ORDER BY i.due_at, i.row LIMIT ?",
                batch,
                bound,
                limit - len(items),
            )
            items += map(records.item_from, rows)
        return items

    def next_due_at(self, batch: int) -> float | None:
        """When the next selected, queued item may be sent, epoch seconds; None where nothing is queued."""
        rows = self._group.read(
            f"SELECT i.due_at FROM items i WHERE {_QUEUED} {self._selected} ORDER BY i.due_at LIMIT 1", batch
        )
        return rows[0][0] if rows else None

    def request(self, item: int) -> Request:
        """Give what the item asks for."""
        query = f"SELECT {records.REQUEST} FROM items i JOIN requests r ON r.pk = i.request WHERE i.pk = ?"
        (row,) = self._group.read(query, item)
        return records.request_from(row)

    def item(self, item: int) -> Item:
        """Give the item as it stands now."""
        (row,) = self._group.read(f"SELECT {records.ITEM} FROM items i WHERE i.pk = ?", item)
        return records.item_from(row)

    def item_by_key(self, batch8: str, key: str) -> Item | None:
        """Give the item that a marker names, in whatever batch of this journal."""
        rows = self._group.read(
            f"SELECT {records.ITEM} FROM items i JOIN batches b ON b.pk = i.batch"
            " WHERE b.batch8 = ? AND i.key = ?",
            batch8,
            key,
        )
        return records.item_from(rows[0]) if rows else None

    def attempt(self, item: int, k: int) -> Attempt | None:
        """Give the item's k-th attempt."""
        return self._attempt("a.item = ? AND a.k = ?", item, k)

    def attempt_of_run(self, run_id: str) -> Attempt | None:
        """Give the attempt that a run belongs to, None where the journal does not know the run."""
        return self._attempt("a.run_id = ?", run_id)

    def first_accepted(self, batch: int) -> Attempt | None:
        """Give the attempt of a batch that was intended first among those accepted."""
        begun = "SELECT i.pk FROM items i WHERE i.batch = ? AND i.k > 0"
        return self._attempt(f"a.item IN ({begun}) AND a.run_id IS NOT NULL ORDER BY a.intended_at", batch)

    def latest_accepted(self, key_id: str) -> Attempt | None:
        """Give the attempt accepted under this key that was intended last, whether or not it has ended."""
        return self._attempt(
            "a.run_id IS NOT NULL AND a.marker <> '' AND a.key_id = ? ORDER BY a.intended_at DESC", key_id
        )

    def has_accepted(self) -> bool:
        """Whether any create of this journal was ever accepted."""
        return self._attempt("a.run_id IS NOT NULL") is not None

    def has_absent(self) -> bool:
        """Whether any create of this journal is believed to have made no run."""
        return self._attempt("a.state = 'absent'") is not None

    def latest_ended(self, key_id: str) -> Attempt | None:
        """Give the attempt under this key that was intended last among those whose run has ended."""
        return self._attempt(
            "a.run_id IS NOT NULL AND a.state = 'ended' AND a.key_id = ? ORDER BY a.intended_at DESC", key_id
        )

    def control_of(self, doubted: Attempt, *, after: float | None = None) -> Attempt | None:
        """Return an accepted attempt that a listing must show if it would show the run of `doubted`.

        It was accepted under the same key, and its goal is at least as long: a listing that cuts goals, or
        searches only their beginning, shows short ones and misses long ones. Length counts in characters and
        in bytes, whichever the server cuts by.
        """
        sizes = f"SELECT {_SIZE} FROM items i JOIN attempts a ON a.item = i.pk WHERE i.pk = ? AND a.k = ?"
        ((characters, octets),) = self._group.read(sizes, doubted.item, doubted.k)
        condition = (
            "a.run_id IS NOT NULL AND a.marker <> '' AND a.key_id = ? AND EXISTS (SELECT 1 FROM items i"
            f" WHERE i.pk = a.item AND length({_SENT}) >= ? AND length(CAST({_SENT} AS BLOB)) >= ?)"
        )
        if after is None:
            ordered = f"{condition} ORDER BY a.intended_at DESC"
            return self._attempt(ordered, doubted.key_id, characters, octets)
        ordered = f"{condition} AND a.boot_id = ? AND a.intended_boot > ? ORDER BY a.intended_boot"
        boot_id = doubted.given_up_boot_id or ""
        return self._attempt(ordered, doubted.key_id, characters, octets, boot_id, after)

    def run_of_another_key(self, key_id: str) -> Attempt | None:
        """Give the latest attempt that was accepted, or is open, under another key."""
        return self._attempt(
            f"a.key_id <> ? AND (a.run_id IS NOT NULL OR {_IS_OPEN})"
            " ORDER BY a.run_id IS NULL, a.intended_at DESC",
            key_id,
        )

    def _attempt(self, condition: str, *values: str | float) -> Attempt | None:
        rows = self._group.read(
            f"SELECT {records.ATTEMPT} FROM attempts a WHERE {condition} LIMIT 1", *values
        )
        return records.attempt_from(rows[0]) if rows else None

    def may_have_run(self, item: int) -> bool:
        """Whether any create of an item was sent and not surely refused."""
        return self._attempt("a.item = ? AND a.state <> 'refused'", item) is not None

    def attempts(self, item: int, k: int | None) -> tuple[Attempt | None, Sequence[Attempt]]:
        """Give the item's k-th attempt, where there is one, and its other attempts that are open."""
        rows = self._group.read(_ATTEMPTS_OF_ITEM, item, -1 if k is None else k)
        known = {attempt.k: attempt for attempt in map(records.attempt_from, rows)}
        about = None if k is None else known.pop(k, None)
        return about, list(known.values())

    def open_attempts(self, *states: AttemptState) -> Sequence[Tracked]:
        """Give every attempt of all batches in these states (none given: in any open one)."""
        narrower = f" AND a.state IN ({', '.join('?' for _ in states)})" if states else ""
        query = f"{_TRACKED} WHERE {_IS_OPEN}{narrower} ORDER BY a.intended_at, a.item, a.k"
        return [records.tracked_from(row) for row in self._group.read(query, *states)]

    def count_open(self) -> int:
        """Count the slots that are held, by all batches of the journal."""
        return self._count(f"SELECT count(*) FROM attempts a WHERE {_IS_OPEN}")

    def count_held_open(self) -> int:
        """Count the slots held by items that wait for a person."""
        return self._count(f"SELECT count(*) FROM attempts a WHERE {_IS_OPEN} AND a.state = 'held'")

    def count_runs(self, batch: int, *, before: float | None = None) -> int:
        """Count the runs of a batch that the journal knows; those created before a moment of the server."""
        runs = (
            "SELECT count(a.run_id) FROM items i JOIN attempts a ON a.item = i.pk"
            " WHERE i.batch = ? AND i.k > 0"
        )
        if before is None:
            return self._count(runs, batch)
        created_at = "coalesce(a.created_at, a.server_date, a.intended_at)"
        return self._count(f"{runs} AND {created_at} < ?", batch, before)

    def comparison(self, batch: int) -> Comparison | None:
        """Return what stands of the last complete comparison of a batch with the listing."""
        rows = self._group.read("SELECT until, unlisted FROM comparisons WHERE batch = ?", batch)
        return Comparison(until=rows[0][0], unlisted=rows[0][1]) if rows else None

    def write_comparison(self, batch: int, comparison: Comparison) -> None:
        """Record a complete comparison of a batch with the listing."""
        values = (batch, comparison.until, comparison.unlisted)
        self._group.write("INSERT OR REPLACE INTO comparisons VALUES (?, ?, ?)", values)

    def batch8s(self) -> set[str]:
        """Return what the markers of this journal's batches begin with."""
        return {batch8 for (batch8,) in self._group.read("SELECT batch8 FROM batches")}

    def asks_for(self, batch: int, key: str) -> bool:
        """Whether a batch wants an item of this key."""
        query = "SELECT 1 FROM items WHERE batch = ? AND key = ? AND wanted = 1"
        return bool(self._group.read(query, batch, key))

    def agreed_strangers(self) -> set[str]:
        """Return the names and batch8s of other batches that a person agreed to pay beside."""
        return {name for (name,) in self._group.read("SELECT name FROM agreed_strangers")}

    def agree_to_strangers(self, names: Iterable[str], now: float) -> None:
        """Record that a person agreed to pay beside these batches."""
        for name in names:
            self._group.write("INSERT OR IGNORE INTO agreed_strangers VALUES (?, ?)", (name, now))

    def is_disowned(self, run_id: str) -> bool:
        """Whether a person declared a run, whose marker cannot be read, to be nobody's."""
        return bool(self._group.read("SELECT 1 FROM disowned_runs WHERE run_id = ?", run_id))

    def disown(self, run_ids: Iterable[str], now: float) -> None:
        """Record that these runs are nobody's."""
        for run_id in run_ids:
            self._group.write("INSERT OR IGNORE INTO disowned_runs VALUES (?, ?)", (run_id, now))

    def _count(self, query: str, *values: str | float) -> int:
        ((count,),) = self._group.read(query, *values)
        return int(count)

    def unfinished_batches(self) -> Sequence[int]:
        """Give the batches that have an open attempt."""
        rows = self._group.read(
            f"SELECT DISTINCT i.batch FROM attempts a JOIN items i ON i.pk = a.item WHERE {_IS_OPEN}"
        )
        return [batch for (batch,) in rows]

    def batch(self, pk: int) -> Batch:
        """Give a batch as it stands now."""
        (row,) = self._group.read(f"SELECT {records.BATCH} FROM batches WHERE pk = ?", pk)
        return records.batch_from(row)

    def outcomes(self, batch: int) -> Iterator[Sequence[Outcome]]:
        """Read what is wanted, in manifest order, in chunks."""
        return records.read_outcomes(self.connection, batch)

    def set_markers(self, batch: int, markers: str) -> None:
        """Record what the self-test of the markers found: `proven` or `off`."""
        self._group.write("UPDATE batches SET markers = ? WHERE pk = ?", (markers, batch))

    def reopen(self, batch: int) -> None:
        """Record that a batch has something to do again, in the transaction of what it has to do."""
        self._group.write("UPDATE batches SET ended_at = NULL, exit_code = NULL WHERE pk = ?", (batch,))

    def write_attempt(self, attempt: Attempt) -> None:
        """Record what a process found out about an attempt by itself; the item does not move."""
        self._group.write(records.PUT_ATTEMPT, records.attempt_values(attempt))

    def write(self, change: Change, now: float) -> None:
        """Record what came of one event, with the bytes of a result and a money event where there are any."""
        item, attempt, run = change.item, change.attempt, change.run
        self._group.write(records.UPDATE_ITEM, records.item_update(item, now))
        if attempt is None:
            return
        self._group.write(records.PUT_ATTEMPT, records.attempt_values(attempt))
        if run is not None and run.result is not None:
            self._group.write(
                "INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?)",
                (attempt.item, attempt.k, run.result, run.is_whole_answer),
            )
        if change.money_event is not None:
            self._group.write(
                "INSERT INTO money_events (at, item, k, message) VALUES (?, ?, ?, ?)",
                (now, item.pk, attempt.k, change.money_event),
            )

    # Verbs of the commands, before and after the stages: each is durable once it returns.

    def begin(self, new: NewBatch, *, now: float, chance: bytes) -> int:
        """Commit a batch whose items are the compared rows of `reader.staged`; return its key.

        `now` is in epoch seconds, `chance` are random bytes for its batch8.
        """
        row = {
            "name": full_name(new.name, new.period, new.number),
            "period": new.period,
            "number": new.number,
            "batch8": identity.make_batch8(full_name(new.name, new.period, 1), chance),
            "base_url": new.base_url,
            "fingerprint_version": identity.FINGERPRINT_VERSION,
            "manifest": json.dumps(new.manifest),
            "manifest_path": new.manifest_path,
            "markers": "untested" if new.markers else "off",
            "begun_at": now,
        }
        insert = f"INSERT INTO batches ({', '.join(row)}) VALUES ({', '.join('?' for _ in row)}) RETURNING pk"
        with self._group.transaction():
            ((pk,),) = self._group.write(insert, list(row.values()))
            self.reader.staged.merge(pk, self._group.write)
        return int(pk)

    def amend(self, batch: int, manifest: Mapping[str, Any]) -> None:
        """Commit an edited manifest to a batch, and the compared rows of `reader.staged` as its items."""
        with self._group.transaction():
            self.reader.staged.merge(batch, self._group.write)
            self._group.write("UPDATE batches SET manifest = ? WHERE pk = ?", (json.dumps(manifest), batch))
            self.reopen(batch)

    def relocate(self, batch: int, manifest_path: str) -> None:
        """Commit where the manifest of a batch is now; its table goes beside it."""
        self._write_now("UPDATE batches SET manifest_path = ? WHERE pk = ?", manifest_path, batch)

    def finish(self, batch: int, exit_code: int, now: float) -> None:
        """Commit that a batch is finished, and with which exit code."""
        statement = "UPDATE batches SET ended_at = ?, exit_code = ? WHERE pk = ?"
        self._write_now(statement, now, exit_code, batch)

    def record_output(self, path: str, mark: str, now: float) -> None:
        """Commit the mark (JSON) by which a table file is recognised as written from this journal."""
        self._write_now(_PUT_OUTPUT, path, mark, now)

    def write_salt(self, salt: bytes) -> None:
        """Commit the salt under which API keys are hashed."""
        self._write_now("INSERT OR REPLACE INTO meta VALUES ('salt', ?)", salt.hex())

    def write_file_identity(self, file: Mapping[str, str]) -> None:
        """Commit what `lock.identify` says of this file, to compare it when it is next owned."""
        self._write_now("INSERT OR REPLACE INTO meta VALUES ('place', ?)", json.dumps(dict(file)))

    def _write_now(self, statement: str, *values: str | float) -> None:
        with self._group.transaction():
            self._group.write(statement, values)

    async def commit(self) -> None:
        """Return once everything written so far is durable; callers of one turn share one transaction."""
        await self._group.commit()

    def commit_now(self) -> None:
        """Make everything written so far durable, outside a running event loop or at its edges."""
        self._group.commit_now()


def record_output_beside(journal: Path, path: str, mark: str, now: float) -> None:
    """Commit the mark of a table file to a journal that another process may own.

    It is the only write by a process that is not the owner: it concerns a file, and nothing that is sent.
    """
    with closing(files.connect(journal)) as connection:
        try:
            connection.execute(_PUT_OUTPUT, (path, mark, now))
        except sqlite3.Error as error:
            raise StorageFailed(f"{journal}: the journal cannot be written: {error}") from error
