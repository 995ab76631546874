"""The journal in one SQLite file, as the process that owns it reads and writes it.

It is one long class because a journal has one owner: every write goes through the check that this process
still is it, and a test calls every method after another process has taken the journal over.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from batchfish.core import identity
from batchfish.core.names import full_name
from batchfish.errors import StorageFailed
from batchfish.journal import changes, files, records
from batchfish.journal.controls import find_control
from batchfish.journal.counts import CountChanges
from batchfish.journal.group import GroupCommit
from batchfish.journal.memory import Memory
from batchfish.journal.notifications import Notifications
from batchfish.journal.queries import JournalReader
from batchfish.journal.records import Comparison

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from batchfish.core.budget import Account, Reservation, Spending
    from batchfish.core.identity import Markers
    from batchfish.core.items import Attempt, AttemptState, Item
    from batchfish.core.lifecycle import Change
    from batchfish.journal.notifications import NewNotification
    from batchfish.journal.records import Batch, NewBatch, OpenAttempt, Request

RUNS_PER_QUERY = 1000


class SqliteJournal:  # more than ten public methods: the whole seam to the disk, one statement each
    """The journal as its owner reads and writes it; `reader` has the reads that only commands make.

    `notifications` are those of all its batches.

    Reads see everything written. What the stages write is durable, and may be acted on, once `commit` has
    returned; what commands write is durable when the method returns. After a read, write or commit has
    failed, or another process has taken the journal over, every method raises StorageFailed.

    Items and batches are named by their keys in the tables. Times are epoch seconds.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the file, check it, bring its schema up to date, and become its owner."""
        self.path = path
        self.has_selection = False
        self._connection = files.own(path)
        self._stat = path.stat()
        self._counts = CountChanges()
        self._group = GroupCommit(self._connection, path, self._counts.take)
        self.reader = JournalReader(self._connection, path, before_read=self._group.write_put_off)
        self.notifications = Notifications(self._group)
        self._memory = Memory(self._group.read, self.batch)

    def close(self) -> None:
        """Close the file; what was not committed is lost."""
        self._connection.close()

    def check_place(self) -> None:
        """Raise StorageFailed where the journal's path no longer leads to the file that is written to."""
        try:
            now = self.path.stat()
        except OSError as error:
            raise StorageFailed(f"{self.path}: the journal is gone: {error.strerror}") from error
        if (now.st_ino, now.st_dev) != (self._stat.st_ino, self._stat.st_dev):
            raise StorageFailed(f"{self.path}: another file has taken the journal's place")

    def select(self, items: Sequence[int] | None) -> None:
        """Restrict `due` to these items in this process; None: no restriction."""
        self.has_selection = items is not None
        with files.storage_errors(self.path):
            self._connection.execute("CREATE TEMP TABLE IF NOT EXISTS selected (pk INTEGER PRIMARY KEY)")
            self._connection.execute("DELETE FROM temp.selected")
            self._connection.executemany(
                "INSERT INTO temp.selected VALUES (?)", ((pk,) for pk in items or ())
            )
        self._memory.select("temp.selected" if self.has_selection else None)

    def selected_counts(self) -> Mapping[str, int]:
        """Count the selected items by status."""
        query = (
            "SELECT status, count(*) FROM items WHERE pk IN (SELECT pk FROM temp.selected) GROUP BY status"
        )
        return dict(self._group.read(query))

    def selection(self) -> frozenset[int] | None:
        """Return the items that this process has selected; None: all."""
        if not self.has_selection:
            return None
        return frozenset(pk for (pk,) in self._group.read("SELECT pk FROM temp.selected"))

    def due(self, batch: int, now: float, limit: int, *, furthest: float = math.inf) -> Sequence[Item]:
        """Return up to `limit` selected, queued items that are due at `now`, earliest first.

        An item due later than `furthest` was recorded before the clock was set back; it is due, too.
        """
        self._group.refuse_after_failure()
        return self._memory.due_items(batch).due(now, limit, furthest=furthest)

    def next_due_at(self, batch: int) -> float | None:
        """Return when the next selected, queued item is due; None if nothing is queued."""
        self._group.refuse_after_failure()
        return self._memory.due_items(batch).next_due_at()

    def request(self, item: int) -> Request:
        """Return what an item asks of the API."""
        self._group.refuse_after_failure()
        return self._memory.requests.of_item(item)

    def item(self, item: int) -> Item:
        """Return an item as it is now."""
        self._group.refuse_after_failure()
        if (known := self._memory.item(item)) is not None:
            return known
        (row,) = self._group.read(f"SELECT {records.ITEM} FROM items i WHERE i.pk = ?", item)
        return records.item_from(row)

    def item_by_key(self, batch8: str, key: str) -> Item | None:
        """Return the item that a marker names, in any batch of this journal."""
        rows = self._group.read(
            f"SELECT {records.ITEM} FROM items i JOIN batches b ON b.pk = i.batch"
            " WHERE b.batch8 = ? AND i.key = ?",
            batch8,
            key,
        )
        return records.item_from(rows[0]) if rows else None

    def attempt(self, item: int, k: int) -> Attempt | None:
        """Return the item's k-th attempt."""
        return self._attempt("a.item = ? AND a.k = ?", item, k)

    def knows_run(self, run_id: str) -> bool:
        """Return whether a run belongs to an attempt."""
        return bool(self._group.read("SELECT 1 FROM attempts WHERE run_id = ?", run_id))

    def attempts_of_runs(self, run_ids: Sequence[str]) -> Mapping[str, Attempt]:
        """Return the attempts that runs belong to, by run id, without the runs that are not known."""
        found: dict[str, Attempt] = {}
        for start in range(0, len(run_ids), RUNS_PER_QUERY):
            rows = self._group.read(
                f"SELECT a.run_id, {records.ATTEMPT} FROM attempts a"
                " WHERE a.run_id IN (SELECT value FROM json_each(?))",
                json.dumps(run_ids[start : start + RUNS_PER_QUERY]),
            )
            found.update((run_id, records.attempt_from(row)) for run_id, *row in rows)
        return found

    def first_accepted(self, batch: int) -> Attempt | None:
        """Return the earliest accepted attempt of a batch."""
        begun = "SELECT i.pk FROM items i WHERE i.batch = ? AND i.k > 0"
        return self._attempt(f"a.item IN ({begun}) AND a.run_id IS NOT NULL ORDER BY a.intended_at", batch)

    def latest_accepted(self, key_id: str) -> Attempt | None:
        """Return the latest accepted attempt under this API key, ended or not."""
        return self._attempt(
            "a.run_id IS NOT NULL AND a.marker <> '' AND a.key_id = ? ORDER BY a.intended_at DESC", key_id
        )

    def has_accepted(self) -> bool:
        """Return whether any create of this journal was ever accepted."""
        return self._attempt("a.run_id IS NOT NULL") is not None

    def has_absent(self) -> bool:
        """Return whether any create of this journal is believed to have made no run."""
        return self._attempt("a.state = 'absent'") is not None

    def latest_ended(self, key_id: str) -> Attempt | None:
        """Return the latest attempt under this API key whose run has ended."""
        return self._attempt(
            "a.run_id IS NOT NULL AND a.state = 'ended' AND a.key_id = ? ORDER BY a.intended_at DESC", key_id
        )

    def control_of(self, unanswered: Attempt, *, after: float | None = None) -> Attempt | None:
        """Return the attempt that `find_control` returns: what a listing must show to prove an absence."""
        return find_control(self._group.read, unanswered, after)

    def run_of_another_key(self, key_id: str) -> Attempt | None:
        """Return the latest attempt that was accepted, or is open, under another API key."""
        return self._attempt(
            f"a.key_id <> ? AND (a.run_id IS NOT NULL OR {records.IS_OPEN})"
            " ORDER BY a.run_id IS NULL, a.intended_at DESC",
            key_id,
        )

    def _attempt(self, condition: str, *values: str | float) -> Attempt | None:
        rows = self._group.read(
            f"SELECT {records.ATTEMPT} FROM attempts a WHERE {condition} LIMIT 1", *values
        )
        return records.attempt_from(rows[0]) if rows else None

    def may_have_run(self, item: int) -> bool:
        """Return whether any create of an item may have made a run: it was sent and not refused."""
        return self._attempt("a.item = ? AND a.state <> 'refused'", item) is not None

    def attempts(self, item: int, k: int | None) -> tuple[Attempt | None, Sequence[Attempt]]:
        """Return the item's k-th attempt (None: there is none), and its other attempts that are open."""
        known = {number: one.attempt for number, one in self._memory.open.of_item(item).items()}
        kth = None if k is None else known.pop(k, None) or self.attempt(item, k)
        return kth, list(known.values())

    def open_attempts(self, *states: AttemptState) -> Sequence[OpenAttempt]:
        """Return the open attempts of all batches in these states, or in any, as they were intended."""
        self._group.refuse_after_failure()
        return self._memory.open.in_states(states)

    def open_runs(self) -> Mapping[str, OpenAttempt]:
        """Return the open attempts of all batches whose run is known, by run id; it follows all writes."""
        self._group.refuse_after_failure()
        return self._memory.open.runs

    def unwanted_attempts(self) -> Sequence[OpenAttempt]:
        """Return the attempts of all batches whose runs are to be cancelled, as they were intended."""
        self._group.refuse_after_failure()
        return self._memory.open.unwanted()

    def count_open(self) -> int:
        """Count the open attempts of all batches: each takes a slot."""
        self._group.refuse_after_failure()
        return self._memory.open.count()

    def count_held_open(self) -> int:
        """Count the open attempts of all batches that wait for a person."""
        self._group.refuse_after_failure()
        return self._memory.open.count_held()

    def count_runs(self, batch: int, *, before: float | None = None) -> int:
        """Count the known runs of a batch, or those created before `before` (the server's clock)."""
        condition = "i.batch = ? AND i.k > 0"
        values: list[float] = [batch]
        if before is not None:
            condition += " AND coalesce(a.created_at, a.server_date, a.intended_at) < ?"
            values.append(before)
        runs = f"SELECT count(a.run_id) FROM items i JOIN attempts a ON a.item = i.pk WHERE {condition}"
        ((count,),) = self._group.read(runs, *values)
        return int(count)

    def spending(self, account: Account, step_price: int) -> Spending:
        """Return what the attempts of an account cost; those without a reservation at this step price."""
        self._group.refuse_after_failure()
        return self._memory.totals.spending(account, step_price)

    def steps_taken(self, batch: int) -> Counter[int]:
        """Return how often each number of steps occurred among the ended runs of a batch."""
        self._group.refuse_after_failure()
        return self._memory.totals.steps(batch)

    def comparison(self, batch: int) -> Comparison | None:
        """Return the last complete comparison of a batch with the API's listing of runs."""
        rows = self._group.read("SELECT until, unlisted FROM comparisons WHERE batch = ?", batch)
        return Comparison(until=rows[0][0], unlisted=rows[0][1]) if rows else None

    def write_comparison(self, batch: int, comparison: Comparison) -> None:
        """Record a complete comparison of a batch with the API's listing of runs."""
        values = (batch, comparison.until, comparison.unlisted)
        self._group.write("INSERT OR REPLACE INTO comparisons VALUES (?, ?, ?)", values)

    def batch8s(self) -> set[str]:
        """Return the batch8 of each batch: what its markers begin with."""
        return {batch8 for (batch8,) in self._group.read("SELECT batch8 FROM batches")}

    def asks_for(self, batch: int, key: str) -> bool:
        """Return whether a batch has a wanted item of this key."""
        query = "SELECT 1 FROM items WHERE batch = ? AND key = ? AND wanted = 1"
        return bool(self._group.read(query, batch, key))

    def agreed_batches(self) -> set[str]:
        """Return the batches of other journals whose items a person agreed to pay for again.

        They are named by short name or by batch8.
        """
        return {name for (name,) in self._group.read("SELECT name FROM agreed_strangers")}

    def agree_to_batches(self, names: Iterable[str], now: float) -> None:
        """Record that a person agreed to pay again for items of these batches of other journals."""
        for name in names:
            self._group.write("INSERT OR IGNORE INTO agreed_strangers VALUES (?, ?)", (name, now))

    def is_disowned(self, run_id: str) -> bool:
        """Return whether a person declared that a run without a readable marker belongs to no item."""
        return bool(self._group.read("SELECT 1 FROM disowned_runs WHERE run_id = ?", run_id))

    def disown(self, run_ids: Iterable[str], now: float) -> None:
        """Record that a person declared these runs to belong to no item."""
        for run_id in run_ids:
            self._group.write("INSERT OR IGNORE INTO disowned_runs VALUES (?, ?)", (run_id, now))

    def unfinished_batches(self) -> Sequence[int]:
        """Return the batches that have an open attempt."""
        self._group.refuse_after_failure()
        return self._memory.open.batches()

    def batch(self, pk: int) -> Batch:
        """Return a batch as it is now."""
        (row,) = self._group.read(f"SELECT {records.BATCH} FROM batches WHERE pk = ?", pk)
        return records.batch_from(row)

    def set_markers(self, batch: int, markers: Markers) -> None:
        """Record whether the runs of a batch can be found by their marker."""
        self._group.write("UPDATE batches SET markers = ? WHERE pk = ?", (markers, batch))

    def reopen(self, batch: int) -> None:
        """Record that a batch is no longer finished."""
        self._group.write("UPDATE batches SET ended_at = NULL, exit_code = NULL WHERE pk = ?", (batch,))

    def write_attempt(self, attempt: Attempt) -> None:
        """Record an attempt whose item does not change."""
        item, before = self.item(attempt.item), self._before(attempt)
        self._group.write(*changes.put_attempt(before, attempt))
        self._counts.note_steps(item.batch, before, attempt)
        self._memory.put(item, attempt, before)

    def write(self, change: Change, now: float, reservation: Reservation | None = None) -> None:
        """Record what one event changed, with the bytes of a result and a money event if there are any.

        `reservation` is recorded with the attempt, unless that has one already.
        """
        item, attempt = change.item, change.attempt
        item_before, before = self.item(item.pk), None if attempt is None else self._before(attempt)
        for statement, values in changes.statements(
            change, now, item_before=item_before, attempt_before=before, reservation=reservation
        ):
            self._group.write(statement, values)
        self._counts.note_item(item_before, item)
        if attempt is not None:
            self._counts.note_steps(item.batch, before, attempt)
        self._memory.put(item, attempt, before)

    def _before(self, attempt: Attempt) -> Attempt | None:
        """Return an attempt as it is in the file, where that is known without reading it, or matters."""
        known = self._memory.open.attempt(attempt.item, attempt.k)
        if known is None and (self._memory.totals.is_used or attempt.steps is not None):
            return self.attempt(attempt.item, attempt.k)
        return known

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
        self._memory.read_again()
        return int(pk)

    def amend(self, batch: int, manifest: Mapping[str, Any]) -> None:
        """Commit an edited manifest to a batch, and the compared rows of `reader.staged` as its items."""
        with self._group.transaction():
            self.reader.staged.merge(batch, self._group.write)
            self._group.write("UPDATE batches SET manifest = ? WHERE pk = ?", (json.dumps(manifest), batch))
            self.reopen(batch)
        self._memory.read_again()  # items may have another row, or be wanted no longer

    def change_rules(self, batch: int, rules: Mapping[str, Any], variables: Mapping[str, str]) -> None:
        """Commit rules of a manifest, by name, and its variables, in place of those that a batch has."""
        manifest = self.batch(batch).manifest
        changed = {**manifest, "rules": {**manifest.get("rules", {}), **rules}, "variables": dict(variables)}
        self._write_now("UPDATE batches SET manifest = ? WHERE pk = ?", json.dumps(changed), batch)

    def replace_findings(self, batch: int, kind: str, found: Iterable[tuple[int, str]], now: float) -> None:
        """Commit what was found about results of items, with its evidence, in place of earlier findings.

        Each finding is about the result of the attempt that the item follows.
        """
        with self._group.transaction():
            self._group.write(
                "DELETE FROM findings WHERE kind = ? AND item IN (SELECT pk FROM items WHERE batch = ?)",
                (kind, batch),
            )
            for item, evidence in found:
                self._group.write(
                    "INSERT INTO findings SELECT pk, follows, ?, ?, ? FROM items WHERE pk = ?",
                    (kind, evidence, now, item),
                )

    def change_settings(self, batch: int, changes: Mapping[str, object], now: float) -> None:
        """Commit what a person set for a batch, by name; None: as the manifest has it."""
        with self._group.transaction():
            for name, value in changes.items():
                self._group.write(
                    "INSERT INTO settings (batch, name, value, at) VALUES (?, ?, ?, ?)",
                    (batch, name, json.dumps(value), now),
                )

    def relocate(self, batch: int, manifest_path: str) -> None:
        """Commit the path where the manifest of a batch is now; its table is written relative to it."""
        self._write_now("UPDATE batches SET manifest_path = ? WHERE pk = ?", manifest_path, batch)

    def finish(
        self, batch: int, exit_code: int, now: float, notifications: Sequence[NewNotification] = ()
    ) -> None:
        """Commit that a batch is finished, with its exit code and the notifications about that."""
        with self._group.transaction():
            statement = "UPDATE batches SET ended_at = ?, exit_code = ? WHERE pk = ?"
            self._group.write(statement, (now, exit_code, batch))
            self.notifications.write(batch, notifications, now)

    def record_output(self, path: str, mark: str, now: float) -> None:
        """Commit the mark (JSON) by which a table file is recognised as written from this journal."""
        self._write_now("INSERT OR REPLACE INTO outputs VALUES (?, ?, ?)", path, mark, now)

    def write_salt(self, salt: bytes) -> None:
        """Commit the salt under which API keys are hashed."""
        self._write_now("INSERT OR REPLACE INTO meta VALUES ('salt', ?)", salt.hex())

    def write_file_identity(self, file: Mapping[str, str]) -> None:
        """Commit the path, inode and machine of this file, which the next owner compares with its own."""
        self._write_now("INSERT OR REPLACE INTO meta VALUES ('place', ?)", json.dumps(dict(file)))

    def _write_now(self, statement: str, *values: str | float) -> None:
        with self._group.transaction():
            self._group.write(statement, values)

    async def commit(self) -> None:
        """Return once everything written so far is durable; StorageFailed if that fails."""
        await self._group.commit()

    def commit_within(self, seconds: float) -> None:
        """Commit everything written so far in this time at the latest, together with what comes next.

        If that fails, whatever comes next raises StorageFailed.
        """
        self._group.commit_within(seconds)
