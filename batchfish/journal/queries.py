"""What people ask of a journal, read on any connection, also beside the process that works on it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from batchfish.core.items import AttemptState, Status
from batchfish.journal import files, records
from batchfish.journal.base import Row

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from batchfish.core.items import Attempt, Item
    from batchfish.journal.base import Batch

_ALIVE = "'submitting', 'unanswered', 'running'"
_OPEN = ", ".join(f"'{state}'" for state in AttemptState if state.is_open)
_ENDED = ", ".join(f"'{status.value}'" for status in Status if status.is_final)


class MoneyEvent(NamedTuple):
    """Something that cost, or may have cost, more than it should; `at` is epoch seconds."""

    at: float
    message: str


class KnownAttempt(NamedTuple):
    """An attempt as an audit needs it: its item's id and key; `created_at` is epoch seconds."""

    item: str
    key: str
    marker: str
    state: AttemptState
    run_id: str | None
    created_at: float | None


class HeldAttempt(NamedTuple):
    """An attempt that waits for a person, and its item, which may have ended by another attempt.

    `batch` and `item` are keys in the journal, `key` is the item's key in markers. `reason` is `unanswered`
    (whether a run was made is not known) or `lost_remote` (the API no longer knows the run).
    """

    batch: int
    item: int
    key: str
    id: str
    k: int
    status: Status
    reason: str
    message: str | None
    run_id: str | None
    url: str


def all_batches(connection: sqlite3.Connection) -> Sequence[Batch]:
    """Give the batches of a journal in the order they were begun."""
    rows = connection.execute(f"SELECT {records.BATCH} FROM batches ORDER BY pk")
    return [records.batch_from(row) for row in rows]


def counts(connection: sqlite3.Connection, batch: int) -> Mapping[str, int]:
    """Give how many wanted items of a batch are in which status, as the journal keeps count."""
    return dict(
        connection.execute(
            "SELECT status, n FROM counts WHERE batch = ? AND wanted = 1 AND n > 0", (batch,)
        ).fetchall()
    )


def selected_counts(connection: sqlite3.Connection) -> Mapping[str, int]:
    """Count by status the items that this process has selected."""
    return dict(
        connection.execute(
            "SELECT status, count(*) FROM items WHERE pk IN (SELECT pk FROM temp.selected) GROUP BY status"
        ).fetchall()
    )


def alive_count(connection: sqlite3.Connection) -> int:
    """Count the attempts of all batches that are on their way or alive, and wait for no person."""
    (number,) = connection.execute(f"SELECT count(*) FROM attempts WHERE state IN ({_ALIVE})").fetchone()
    return int(number)


def count_open_in(connection: sqlite3.Connection, batch: int) -> int:
    """Count the attempts of a batch whose run exists or may exist."""
    (number,) = connection.execute(
        f"SELECT count(*) FROM attempts a JOIN items i ON i.pk = a.item WHERE a.state IN ({_OPEN})"
        " AND i.batch = ?",
        (batch,),
    ).fetchone()
    return int(number)


def wanted_rows(connection: sqlite3.Connection, batch: int) -> Sequence[Row]:
    """Give what flags choose the wanted items of a batch by, in manifest order."""
    rows = connection.execute(
        "SELECT pk, id, url, inputs FROM items WHERE batch = ? AND wanted = 1 ORDER BY row", (batch,)
    )
    return [Row(*row) for row in rows]


def all_rows(connection: sqlite3.Connection, batch: int) -> Sequence[Row]:
    """Return what options choose the items of a batch by, those included that are no longer wanted."""
    rows = connection.execute("SELECT pk, id, url, inputs FROM items WHERE batch = ? ORDER BY row", (batch,))
    return [Row(*row) for row in rows]


def secret_names(connection: sqlite3.Connection) -> set[str]:
    """Name the variables of the environment that hold what the journal's requests keep secret."""
    bodies = connection.execute("SELECT body FROM requests WHERE body LIKE '%password_env%'")
    names = {json.loads(body).get("proxy_config", {}).get("password_env") for (body,) in bodies}
    return names - {None}


def find_item(connection: sqlite3.Connection, batch: int, item_id: str) -> Item | None:
    """Give the item of this id, one that the manifest still asks for before any other."""
    row = connection.execute(
        f"SELECT {records.ITEM} FROM items i WHERE batch = ? AND id = ? ORDER BY wanted DESC, row LIMIT 1",
        (batch, item_id),
    ).fetchone()
    return None if row is None else records.item_from(row)


def question_of(connection: sqlite3.Connection, item: int) -> tuple[str, str]:
    """Give the URL and the goal of an item."""
    url, goal = connection.execute("SELECT url, goal FROM items WHERE pk = ?", (item,)).fetchone()
    return url, goal


def attempts_of(connection: sqlite3.Connection, item: int) -> Sequence[Attempt]:
    """Give every attempt of an item, in order."""
    rows = connection.execute(f"SELECT {records.ATTEMPT} FROM attempts a WHERE item = ? ORDER BY k", (item,))
    return [records.attempt_from(row) for row in rows]


def attempts_of_batch(connection: sqlite3.Connection, batch: int) -> Sequence[KnownAttempt]:
    """Return every attempt of a batch."""
    rows = connection.execute(
        "SELECT i.id, i.key, a.marker, a.state, a.run_id, a.created_at FROM items i"
        " JOIN attempts a ON a.item = i.pk WHERE i.batch = ? AND i.k > 0",
        (batch,),
    )
    return [
        KnownAttempt(item, key, marker, AttemptState(state), run_id, created_at)
        for item, key, marker, state, run_id, created_at in rows
    ]


def disowned_runs(connection: sqlite3.Connection) -> frozenset[str]:
    """Return the runs that a person declared to be nobody's."""
    if not files.has_table(connection, "disowned_runs"):
        return frozenset()
    return frozenset(run_id for (run_id,) in connection.execute("SELECT run_id FROM disowned_runs"))


def result_of(connection: sqlite3.Connection, item: Item) -> bytes | None:
    """Give the bytes of the result that speaks for an item, as they came."""
    row = connection.execute(
        "SELECT raw FROM results WHERE item = ? AND k = ?", (item.pk, item.follows)
    ).fetchone()
    return None if row is None else row[0]


def money_events_of(connection: sqlite3.Connection, item: int) -> Sequence[MoneyEvent]:
    """Give what is reported of an item's money, in order."""
    rows = connection.execute("SELECT at, message FROM money_events WHERE item = ? ORDER BY pk", (item,))
    return [MoneyEvent(*row) for row in rows]


def held_attempts(connection: sqlite3.Connection, batch: int | None = None) -> Sequence[HeldAttempt]:
    """Return the attempts that wait for a person, of one batch or of all, whatever became of their items."""
    rows = connection.execute(
        "SELECT i.batch, i.pk, i.key, i.id, a.k, i.status,"
        " iif(a.run_id IS NULL, 'unanswered', 'lost_remote'),"
        " iif(i.status = 'held' AND i.follows = a.k, i.message, a.cause), a.run_id, i.url"
        f" FROM attempts a JOIN items i ON i.pk = a.item WHERE a.state IN ({_OPEN}) AND a.state = 'held'"
        " AND (:batch IS NULL OR i.batch = :batch) ORDER BY i.batch, i.row, i.pk, a.k",
        {"batch": batch},
    )
    return [HeldAttempt(*row)._replace(status=Status(row[5])) for row in rows]


def items_in(
    connection: sqlite3.Connection, batch: int, statuses: Sequence[Status], reason: str | None = None
) -> Sequence[Item]:
    """Give the wanted items of a batch in these statuses (and for this reason), in manifest order."""
    places = ", ".join("?" for _ in statuses)
    rows = connection.execute(
        f"SELECT {records.ITEM} FROM items i WHERE batch = ? AND wanted = 1 AND status IN ({places})"
        " AND (? IS NULL OR reason = ?) ORDER BY row",
        (batch, *statuses, reason, reason),
    )
    return [records.item_from(row) for row in rows]


def not_ended(connection: sqlite3.Connection, batch: int) -> Sequence[int]:
    """Give the keys of the items of a batch that have not ended, wanted or not."""
    rows = connection.execute(f"SELECT pk FROM items WHERE batch = ? AND status NOT IN ({_ENDED})", (batch,))
    return [pk for (pk,) in rows]


def ended_since(connection: sqlite3.Connection, batch: int, since: float) -> tuple[int, float | None]:
    """Count the wanted items that ended after a moment (epoch seconds); tell when the first of them did."""
    number, first = connection.execute(
        "SELECT count(*), min(changed_at) FROM items"
        f" WHERE batch = ? AND wanted = 1 AND status IN ({_ENDED}) AND changed_at > ?",
        (batch, since),
    ).fetchone()
    return number, first


def was_cancelled(
    connection: sqlite3.Connection, batch: int, selected: AbstractSet[int] | None = None
) -> bool:
    """Whether a person has cancelled items that the manifest asks for; `selected` are the keys to look at."""
    rows = connection.execute(
        "SELECT pk FROM items WHERE batch = ? AND wanted = 1 AND status = 'cancelled' AND cancel_wish = 1",
        (batch,),
    )
    return any(selected is None or pk in selected for (pk,) in rows)
