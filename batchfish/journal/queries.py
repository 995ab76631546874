"""The reads that commands make of a journal, even while another process owns it.

It is one long class because a journal has one seam for reads: each method is a query of its own, and a test
calls every one of them on journals of earlier versions. Only what `status` needs is imported with it.
"""

from __future__ import annotations

import json
import re
from contextlib import closing, contextmanager
from functools import cached_property
from itertools import starmap
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from batchfish.core.items import AttemptState, Status
from batchfish.core.names import full_name
from batchfish.journal import files, records
from batchfish.journal.read_connection import ReadConnection
from batchfish.journal.records import (
    HeldAttempt,
    ItemMoneyEvent,
    KnownAttempt,
    MoneyEvent,
    Row,
    SettingChange,
)
from batchfish.journal.spending import (
    StepsTaken,
    read_past_runs,
    read_reservations,
    read_spending,
    read_steps_taken,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from contextlib import AbstractContextManager
    from pathlib import Path

    from batchfish.core.budget import Account, Reservation, Spending
    from batchfish.core.histories import ItemHistory
    from batchfish.core.items import Attempt, Item
    from batchfish.core.quantiles import PastRuns
    from batchfish.journal.ingest import StagedRows
    from batchfish.journal.records import Batch, Request
    from batchfish.journal.result_reader import ResultReader


@contextmanager
def open_reader(path: Path) -> Iterator[JournalReader]:
    """Open a journal for reading, even while another process owns it; threads may share the reader.

    A journal of an earlier version is read as it is. StorageFailed where the file is no journal.
    """
    with closing(files.connect(path, read_only=True)) as connection:
        yield JournalReader(connection, path)


@contextmanager
def open_reader_or_empty(path: Path) -> Iterator[JournalReader]:
    """Open a journal for reading; where there is no file yet, an empty journal that is kept in memory."""
    with closing(files.connect_or_empty(path)) as connection:
        yield JournalReader(connection, path)


class JournalReader:  # more than ten public methods: each is one query
    """Reads of a journal on one connection; it writes only to temporary tables.

    Batches and items are named by their keys in the tables, times are epoch seconds. Each read raises
    StorageFailed if the file cannot be read.
    """

    def __init__(
        self, connection: sqlite3.Connection, path: Path, *, before_read: Callable[[], None] | None = None
    ) -> None:
        """Read on this connection; `before_read` is called before each read, and may raise to refuse it."""
        self.path = path
        self._read = ReadConnection(connection, path, before_read)

    @cached_property
    def staged(self) -> StagedRows:
        """The rows of a manifest, to be compared with the items of a batch."""
        from batchfish.journal.ingest import StagedRows

        return StagedRows(self._read.connection, self.path)

    def snapshot(self) -> AbstractContextManager[None]:
        """Show all reads of the block the same moment, whatever the owner writes meanwhile."""
        return self._read.snapshot()

    def data_version(self) -> int:
        """Return a number that changes when another connection commits to the journal."""
        return self._read.number("PRAGMA data_version")

    # Batches

    def batches(self) -> Sequence[Batch]:
        """Return the batches in the order in which they began."""
        return self._batches("1 ORDER BY pk")

    def newest_batch(self) -> Batch | None:
        """Return the batch that began last; None in an empty journal."""
        return next(iter(self._batches("1 ORDER BY pk DESC LIMIT 1")), None)

    def batch_before(self, batch: int) -> Batch | None:
        """Return the batch that began before this one; None for the first."""
        return next(iter(self._batches("pk < ? ORDER BY pk DESC LIMIT 1", batch)), None)

    def batch_named(self, name: str) -> Batch | None:
        """Return the batch of this full name."""
        return next(iter(self._batches("name = ?", name)), None)

    def _batches(self, condition: str, *values: object) -> Sequence[Batch]:
        rows = self._read.rows(f"SELECT {records.BATCH} FROM batches WHERE {condition}", *values)
        return [records.batch_from(row) for row in rows]

    def latest_period(self, period: str) -> str:
        """Return the latest period among this one and those of the journal's batches of the same kind."""
        rows = self._read.rows("SELECT DISTINCT period FROM batches WHERE period IS NOT NULL")
        known: list[str] = [other for (other,) in rows]
        return max([period, *(other for other in known if _shape(other) == _shape(period))])

    def latest_number(self, name: str, period: str | None) -> int:
        """Return the highest number among the batches of this short name and period; 0 without any."""
        rows = self._read.rows("SELECT number, name FROM batches WHERE period IS ?", period)
        return max((number for number, full in rows if full == full_name(name, period, number)), default=0)

    def fingerprint_version(self, batch: int) -> int:
        """Return the version of the fingerprints that identify the items of a batch."""
        return self._read.number("SELECT fingerprint_version FROM batches WHERE pk = ?", batch)

    def base_urls(self) -> set[str]:
        """Return the base URLs of the APIs that the batches belong to; empty before the first has begun."""
        return {base_url for (base_url,) in self._read.rows("SELECT DISTINCT base_url FROM batches")}

    def settings(self, batch: int) -> Mapping[str, Any]:
        """Return what a person set for a batch after it began, by name; what was taken back is left out."""
        latest = {change.name: change.value for change in self.setting_changes(batch)}
        return {name: value for name, value in latest.items() if value is not None}

    def setting_changes(self, batch: int) -> Sequence[SettingChange]:
        """Return what a person set for a batch after it began, in order."""
        if not self._read.has_table("settings"):
            return []
        rows = self._read.rows("SELECT name, value, at FROM settings WHERE batch = ? ORDER BY pk", batch)
        return [SettingChange(name, json.loads(value), at) for name, value, at in rows]

    # Items

    def counts(self, batch: int) -> Mapping[str, int]:
        """Return the number of wanted items of a batch by status; statuses without items are left out."""
        return dict(
            self._read.rows("SELECT status, n FROM counts WHERE batch = ? AND wanted = 1 AND n > 0", batch)
        )

    def find_item(self, batch: int, item_id: str) -> Item | None:
        """Return the item of this id; of several, one that the manifest still asks for."""
        rows = self._read.rows(
            f"SELECT {records.ITEM} FROM items i WHERE batch = ? AND id = ?"
            " ORDER BY wanted DESC, row LIMIT 1",
            batch,
            item_id,
        )
        return records.item_from(rows[0]) if rows else None

    def request_of(self, item: int) -> Request:
        """Return what an item asks of the API."""
        query = f"SELECT {records.REQUEST} FROM items i JOIN requests r ON r.pk = i.request WHERE i.pk = ?"
        return records.request_from(self._read.rows(query, item)[0])

    def items_in(
        self, batch: int, statuses: Sequence[Status], reason: str | None = None, *, most: int | None = None
    ) -> Sequence[Item]:
        """Return the wanted items of a batch in these statuses, in manifest order, or the first `most`.

        `reason` narrows them.
        """
        places = ", ".join("?" for _ in statuses)
        rows = self._read.rows(
            f"SELECT {records.ITEM} FROM items i WHERE batch = ? AND wanted = 1 AND status IN ({places})"
            " AND (? IS NULL OR reason = ?) ORDER BY row LIMIT ?",
            batch,
            *statuses,
            reason,
            reason,
            -1 if most is None else most,
        )
        return [records.item_from(row) for row in rows]

    def not_ended(self, batch: int) -> Sequence[int]:
        """Return the keys of the items of a batch that have not ended, wanted or not."""
        rows = self._read.rows(f"SELECT pk FROM items i WHERE batch = ? AND NOT {records.HAS_ENDED}", batch)
        return [pk for (pk,) in rows]

    def ended_since(self, batch: int, since: float) -> tuple[int, float | None]:
        """Return how many wanted items ended after `since`, and when the first of them did."""
        ((number, first),) = self._read.rows(
            "SELECT count(*), min(changed_at) FROM items i"
            f" WHERE batch = ? AND wanted = 1 AND {records.HAS_ENDED} AND changed_at > ?",
            batch,
            since,
        )
        return number, first

    def latest_failures(self, batch: int, number: int) -> Sequence[records.LatestFailure]:
        """Return the wanted items of a batch that failed last, the latest first."""
        rows = self._read.rows(
            "SELECT id, reason, message, changed_at FROM items"
            " WHERE batch = ? AND wanted = 1 AND status = 'failed' ORDER BY changed_at DESC LIMIT ?",
            batch,
            number,
        )
        return [records.LatestFailure(*row) for row in rows]

    def alive_since(self, batch: int) -> Sequence[float]:
        """Return when the runs of a batch that are alive were created or started, in epoch seconds."""
        rows = self._read.rows(
            "SELECT coalesce(a.started_at, a.created_at, a.intended_at) FROM attempts a"
            " JOIN items i ON i.pk = a.item"
            " WHERE a.state = 'running' AND i.batch = ?",
            batch,
        )
        return [since for (since,) in rows]

    def was_cancelled(self, batch: int, selected: AbstractSet[int] | None = None) -> bool:
        """Return whether a person cancelled wanted items of a batch, or some of those `selected`."""
        rows = self._read.rows(
            "SELECT pk FROM items"
            " WHERE batch = ? AND wanted = 1 AND status = 'cancelled' AND cancel_wish = 1",
            batch,
        )
        return any(selected is None or pk in selected for (pk,) in rows)

    def wanted_rows(self, batch: int) -> Iterator[Row]:
        """Yield ids, URLs and variables of the wanted items of a batch, in manifest order."""
        query = "SELECT pk, id, url, inputs FROM items WHERE batch = ? AND wanted = 1 ORDER BY row"
        return starmap(Row, self._read.each(query, batch))

    def all_rows(self, batch: int) -> Iterator[Row]:
        """Yield ids, URLs and variables of all items of a batch, wanted or not."""
        query = "SELECT pk, id, url, inputs FROM items WHERE batch = ? ORDER BY row"
        return starmap(Row, self._read.each(query, batch))

    def secret_names(self) -> set[str]:
        """Return the names of the environment variables that hold secrets of the journal's requests."""
        rows = self._read.rows("SELECT body FROM requests WHERE body LIKE '%password_env%'")
        names = {json.loads(body).get("proxy_config", {}).get("password_env") for (body,) in rows}
        return names - {None}

    def request_bodies(self, batch: int) -> Sequence[str]:
        """Return the request bodies of a batch as JSON, each once, in the order of their first rows."""
        wanted = "FROM items WHERE batch = ? AND wanted = 1"
        rows = self._read.rows(f"SELECT body FROM requests WHERE EXISTS (SELECT 1 {wanted}) LIMIT 2", batch)
        if len(rows) > 1:  # otherwise the items need not be read to know whose they are
            found = f"SELECT request, min(row) AS first {wanted} GROUP BY request"
            rows = self._read.rows(
                f"SELECT r.body FROM ({found}) i JOIN requests r ON r.pk = i.request ORDER BY i.first", batch
            )
        return [body for (body,) in rows]

    # Attempts

    def count_alive(self) -> int:
        """Count the attempts of all batches that are being submitted, are unanswered, or are running."""
        return self._read.number(
            f"SELECT count(*) FROM attempts a WHERE {records.IS_OPEN} AND state <> 'held'"
        )

    def count_open(self, batch: int | None = None) -> int:
        """Count the attempts whose run exists or may exist, of one batch or of all."""
        return self._read.number(
            f"SELECT count(*) FROM attempts a JOIN items i ON i.pk = a.item WHERE {records.IS_OPEN}"
            " AND (?1 IS NULL OR i.batch = ?1)",
            batch,
        )

    def attempts_of(self, item: int) -> Sequence[Attempt]:
        """Return every attempt of an item, in order."""
        rows = self._read.rows(f"SELECT {records.ATTEMPT} FROM attempts a WHERE item = ? ORDER BY k", item)
        return [records.attempt_from(row) for row in rows]

    def attempts_of_batch(self, batch: int) -> Sequence[KnownAttempt]:
        """Return every attempt of a batch."""
        rows = self._read.rows(
            "SELECT i.id, i.key, a.marker, a.state, a.run_id, a.created_at FROM items i"
            " JOIN attempts a ON a.item = i.pk WHERE i.batch = ? AND i.k > 0",
            batch,
        )
        return [
            KnownAttempt(item, key, marker, AttemptState(state), run_id, created_at)
            for item, key, marker, state, run_id, created_at in rows
        ]

    def ended_runs(self, batch: int) -> Sequence[records.EndedRun]:
        """Return the runs of a batch that have ended, in the order in which they ended."""
        rows = self._read.rows(
            "SELECT i.row, i.id, i.url, a.run_id, a.run_status, coalesce(a.created_at, a.intended_at),"
            " a.started_at, a.finished_at, i.status = 'succeeded' AND a.k = i.follows,"
            " coalesce((SELECT length(s.raw) FROM results s WHERE s.item = i.pk AND s.k = a.k), 0)"
            " FROM items i JOIN attempts a ON a.item = i.pk"
            " WHERE i.batch = ? AND i.k > 0 AND a.state = 'ended' ORDER BY a.finished_at, i.row",
            batch,
        )
        return [replace(records.EndedRun(*row), succeeded=bool(row[8])) for row in rows]

    def held_attempts(self, batch: int | None = None) -> Sequence[HeldAttempt]:
        """Return the attempts that wait for a person, of one batch or of all, whatever their items are."""
        decides = "i.status = 'held' AND i.follows = a.k"
        rows = self._read.rows(
            "SELECT i.batch, i.pk, i.key, i.id, a.k, i.status,"
            f" CASE WHEN a.run_id IS NULL THEN 'unanswered' WHEN {decides} AND i.reason = 'other_marker'"
            " THEN i.reason ELSE 'lost_remote' END,"
            f" iif({decides}, i.message, a.cause), a.run_id, i.url"
            " FROM attempts a JOIN items i ON i.pk = a.item WHERE a.state = 'held'"
            " AND (?1 IS NULL OR i.batch = ?1) ORDER BY i.batch, i.row, i.pk, a.k",
            batch,
        )
        return [replace(HeldAttempt(*row), status=Status(row[5])) for row in rows]

    def money_events_of(self, item: int) -> Sequence[MoneyEvent]:
        """Return what was recorded about an item's money, in order."""
        rows = self._read.rows("SELECT at, message FROM money_events WHERE item = ? ORDER BY pk", item)
        return [MoneyEvent(*row) for row in rows]

    def money_events_in(self, batch: int) -> Sequence[ItemMoneyEvent]:
        """Return what was recorded about the money of a batch's items, in order."""
        rows = self._read.rows(
            "SELECT m.at, i.id, m.message FROM money_events m JOIN items i ON i.pk = m.item"
            " WHERE i.batch = ? ORDER BY m.pk",
            batch,
        )
        return [ItemMoneyEvent(*row) for row in rows]

    def disowned_runs(self) -> frozenset[str]:
        """Return the run ids that a person declared to belong to no item."""
        if not self._read.has_table("disowned_runs"):
            return frozenset()
        return frozenset(run_id for (run_id,) in self._read.rows("SELECT run_id FROM disowned_runs"))

    # Money and steps

    def spending(self, account: Account, step_price: int) -> Spending:
        """Return what the attempts of an account cost; those without a reservation at this step price."""
        has_table = self._read.has_table("spending")
        return read_spending(self._read.rows, account, step_price, has_table=has_table)

    def reservations_of(self, item: int) -> Mapping[int, Reservation]:
        """Return what the attempts of an item reserved, by their number; none for those without a budget."""
        if not self._read.has_table("spending"):
            return {}
        return read_reservations(self._read.rows, item)

    def steps_taken(self, batch: int) -> StepsTaken:
        """Return the steps that the ended runs of a batch took."""
        has_table = self._read.has_table("steps_taken")
        return read_steps_taken(self._read.rows, batch, has_table=has_table)

    def past_runs(self) -> PastRuns:
        """Return the steps and seconds of all runs of the journal that have ended."""
        return read_past_runs(self._read.rows)

    # Results and files that were made of them

    @cached_property
    def results(self) -> ResultReader:
        """The reads of results, and of all that the table shows."""
        from batchfish.journal.result_reader import ResultReader

        return ResultReader(self._read, self.path)

    def histories(self, batch: int) -> Iterator[ItemHistory]:
        """Yield every item of a batch with the times and costs of its attempts, wanted or not."""
        from batchfish.journal.histories import read_histories

        is_recent = self._read.has_table("findings")
        with self._read.reading() as connection:
            yield from read_histories(connection, batch, is_recent=is_recent)

    def output_marks(self) -> Sequence[str]:
        """Return the marks (JSON) by which the table files written from this journal are recognised."""
        return [mark for (mark,) in self._read.rows("SELECT mark FROM outputs")]

    # What the journal knows about itself

    def salt(self) -> bytes | None:
        """Return the salt under which API keys are hashed; None before the first client was made."""
        salt = self._meta("salt")
        return None if salt is None else bytes.fromhex(salt)

    def file_identity(self) -> Mapping[str, str] | None:
        """Return the file's identity (see `lock.identify`) when it was last owned; None the first time."""
        identity = self._meta("place")
        return None if identity is None else json.loads(identity)

    def damage(self) -> str | None:
        """Return the first damage that SQLite finds in the file, or None; it reads the whole file."""
        with self._read.reading() as connection:
            return files.find_damage(connection)

    def _meta(self, name: str) -> str | None:
        rows = self._read.rows("SELECT value FROM meta WHERE name = ?", name)
        return rows[0][0] if rows else None


def _shape(period: str) -> str:
    """Return a period with each digit as 0: periods of one kind have one shape."""
    return re.sub("[0-9]", "0", period)
