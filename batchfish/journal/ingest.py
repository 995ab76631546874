"""A manifest's rows meet the items of a batch: what is new, changed or gone, and how they are taken in.

The rows are streamed into a temporary table, so that a comparison costs no memory and a reader can make one.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from batchfish.core import identity
from batchfish.errors import StorageFailed
from batchfish.journal.base import Row
from batchfish.journal.files import connect, has_table, transaction
from batchfish.journal.repeats import match_repeated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from batchfish.core.items import ItemSpec

EXAMPLES = 5
CACHE_KIB = 32 * 1024

# Without an order of its own: that of a schema's properties is the result's, and that of the columns.
_JSON = msgspec.json.Encoder()

_STAGING = """
DROP TABLE IF EXISTS temp.incoming;
DROP TABLE IF EXISTS temp.shapes;
DROP TABLE IF EXISTS temp.repeated;
DROP TABLE IF EXISTS temp.gone;
CREATE TEMP TABLE incoming (
    row         INTEGER PRIMARY KEY,
    given_id    TEXT,
    id          TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    occurrence  INTEGER NOT NULL,
    key         TEXT NOT NULL,
    url         TEXT NOT NULL,
    goal        TEXT NOT NULL,
    digest      BLOB NOT NULL,
    inputs      TEXT NOT NULL,
    item        INTEGER                         -- the item of the batch that this row is, if any
) STRICT;
CREATE TEMP TABLE shapes (digest BLOB PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TEMP TABLE repeated (fingerprint BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TEMP TABLE gone (
    pk          INTEGER PRIMARY KEY,
    id          TEXT NOT NULL,
    has_begun   INTEGER NOT NULL,
    is_nameless INTEGER NOT NULL                -- its row gave no id
) STRICT;
"""

_MATCH_SINGLE = """
UPDATE temp.incoming SET item = (
    SELECT i.pk FROM items i WHERE i.batch = :batch AND i.key = incoming.key AND i.occurrence = 1
)
"""
_FIND_REPEATED = """
INSERT INTO temp.repeated
SELECT fingerprint FROM temp.incoming GROUP BY fingerprint HAVING count(*) > 1
UNION SELECT fingerprint FROM items WHERE batch = :batch AND occurrence > 1
"""
_FIND_GONE = """
INSERT INTO temp.gone
SELECT pk, id, k > 0, id = default_id(fingerprint, occurrence) FROM items WHERE batch = :batch AND wanted = 1
    AND pk NOT IN (SELECT item FROM temp.incoming WHERE item IS NOT NULL)
"""
# An item that left the manifest before it had begun, and is back, costs as much as one that was never there.
_NEW = (
    "FROM temp.incoming n LEFT JOIN items i ON i.pk = n.item"
    " WHERE (n.item IS NULL OR i.wanted = 0 AND i.k = 0)"
)
_CHANGED = f"{_NEW} AND n.given_id IN (SELECT id FROM temp.gone WHERE has_begun)"
_REPLACED = f"FROM temp.gone WHERE id IN (SELECT n.given_id {_NEW})"
_LEFT = f"FROM temp.gone WHERE has_begun AND id NOT IN (SELECT n.given_id {_NEW} AND n.given_id IS NOT NULL)"
_NEW_NAMELESS = f"{_NEW} AND n.given_id IS NULL"
_NEW_NAMED = f"{_NEW} AND n.given_id NOT IN (SELECT id FROM temp.gone WHERE has_begun)"
_MATCHED = "FROM temp.incoming n JOIN items i ON i.pk = n.item JOIN requests r ON r.pk = i.request"
_DIFFERS = "(i.wanted, i.row, i.id, i.inputs, r.digest) <> (1, n.row, n.id, n.inputs, n.digest)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """What a manifest asks beside what a batch holds: counts of items, and a few ids of each kind.

    `changed` items have begun under the same id (or at all, where row or item has none) and would cost again.
    `returning` ones had begun, left the manifest and are back. `touched` counts the items, these included,
    whose order, label, variables or minor request fields are other ones now.
    """

    wanted: int
    new: int
    changed: int
    removed: int
    returning: int = 0
    touched: int = 0
    new_examples: tuple[str, ...] = ()
    changed_examples: tuple[str, ...] = ()
    removed_examples: tuple[str, ...] = ()

    @property
    def asks_for_more(self) -> bool:
        """Whether the manifest asks for anything that the batch did not hold, or held no longer."""
        return bool(self.new or self.changed or self.returning)

    @property
    def is_none(self) -> bool:
        """Whether there is nothing to take in."""
        return not (self.asks_for_more or self.removed or self.touched)


def stage(connection: sqlite3.Connection, specs: Iterable[ItemSpec], version: int) -> int:
    """Stream a manifest's rows into the temporary table `incoming`; give their number."""
    connection.executescript(_STAGING)
    with transaction(connection, "DEFERRED"):
        cursor = connection.executemany(
            "INSERT INTO temp.incoming VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, ?, NULL)",
            _rows(connection, specs, version),
        )
    return cursor.rowcount


def _rows(
    connection: sqlite3.Connection, specs: Iterable[ItemSpec], version: int
) -> Iterator[tuple[Any, ...]]:
    """Give the rows as if none were repeated; what is gets its number when it is compared."""
    request, digest = None, b""
    for spec in specs:
        fingerprint = identity.fingerprint(spec, version)
        if spec.request is not request:  # rows without fields of their own share the very same one
            request = spec.request
            body = _JSON.encode(dict(request))
            digest = hashlib.sha256(body).digest()
            connection.execute("INSERT OR IGNORE INTO temp.shapes VALUES (?, ?)", (digest, body.decode()))
        yield (
            spec.row,
            spec.id,
            spec.id if spec.id is not None else identity.default_id(fingerprint),
            fingerprint,
            identity.item_key(fingerprint, 1),
            spec.url,
            spec.goal,
            digest,
            _JSON.encode(dict(spec.inputs)).decode(),
        )


def compare(connection: sqlite3.Connection, batch: int | None) -> Difference:
    """Match what is staged with the items of a batch (None: one yet to begin) and count the differences."""
    parameters = {"batch": batch if batch is not None else -1}
    connection.create_function("default_id", 2, identity.default_id)
    with transaction(connection, "DEFERRED"):
        connection.execute("DELETE FROM temp.repeated")
        connection.execute("DELETE FROM temp.gone")
        connection.execute(_MATCH_SINGLE, parameters)
        connection.execute(_FIND_REPEATED, parameters)
        connection.executemany(
            "UPDATE temp.incoming SET item = ?, occurrence = ?, key = ?, id = ? WHERE row = ?",
            match_repeated(connection, parameters),
        )
        connection.execute(_FIND_GONE, parameters)
        return _count_differences(connection)


def _count_differences(connection: sqlite3.Connection) -> Difference:
    def count(what: str) -> int:
        return int(connection.execute(f"SELECT count(*) {what}").fetchone()[0])

    def examples(column: str, what: str) -> tuple[str, ...]:
        return tuple(row[0] for row in connection.execute(f"SELECT {column} {what} LIMIT {EXAMPLES}"))

    # Without an id on either side, a new row counts as the change of a begun item that no row asks for now.
    named = min(count(_NEW_NAMED), count(f"{_LEFT} AND is_nameless"))
    nameless = min(count(_NEW_NAMELESS), count(_LEFT) - named)
    kinds = {_CHANGED: count(_CHANGED), _NEW_NAMED: named, _NEW_NAMELESS: nameless}
    such_as = [one for what, number in kinds.items() if number for one in examples("n.id", what)]
    changed = sum(kinds.values())
    return Difference(
        wanted=count("FROM temp.incoming"),
        new=count(_NEW) - changed,
        changed=changed,
        removed=count("FROM temp.gone") - count(_REPLACED) - named - nameless,
        returning=count(f"{_MATCHED} WHERE i.wanted = 0 AND i.k > 0"),
        touched=count(f"{_MATCHED} WHERE {_DIFFERS}"),
        new_examples=examples("n.id", _NEW),
        changed_examples=tuple(such_as[:EXAMPLES]),
        removed_examples=examples("id", "FROM temp.gone"),
    )


def merge(connection: sqlite3.Connection, batch: int) -> None:
    """Take in what is staged and compared: new items, fresh labels for the matched ones, gone ones unwanted.

    It stands inside the caller's transaction.
    """
    (usual,) = connection.execute("PRAGMA cache_size").fetchone()
    # Keys lie scattered over their index: many are inserted quickly only while it fits into memory.
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    try:
        _merge(connection, batch)
    finally:
        connection.execute(f"PRAGMA cache_size = {usual}")


def _merge(connection: sqlite3.Connection, batch: int) -> None:
    connection.execute("INSERT OR IGNORE INTO requests (digest, body) SELECT digest, body FROM temp.shapes")
    connection.execute("UPDATE items SET wanted = 0 WHERE pk IN (SELECT pk FROM temp.gone)")
    connection.execute(
        "UPDATE items SET wanted = 1, row = m.row, id = m.id, inputs = m.inputs,"
        "  request = (SELECT pk FROM requests WHERE digest = m.digest)"
        f" FROM (SELECT n.* {_MATCHED} WHERE {_DIFFERS}) m WHERE m.item = items.pk"
    )
    connection.execute(
        "INSERT INTO items (batch, key, fingerprint, occurrence, id, row, url, goal, request, inputs)"
        " SELECT ?, n.key, n.fingerprint, n.occurrence, n.id, n.row, n.url, n.goal, r.pk, n.inputs"
        " FROM temp.incoming n JOIN requests r ON r.digest = n.digest WHERE n.item IS NULL ORDER BY n.row",
        (batch,),
    )


def staged(connection: sqlite3.Connection) -> Sequence[Row]:
    """Give the staged rows, in manifest order."""
    rows = connection.execute("SELECT row, id, url, inputs FROM temp.incoming ORDER BY row")
    return [Row(*row) for row in rows]


def rows_to_submit(connection: sqlite3.Connection) -> frozenset[int]:
    """Give the staged and compared rows that are new, or stand as items that wait, by their numbers."""
    rows = connection.execute(
        "SELECT n.row FROM temp.incoming n LEFT JOIN items i ON i.pk = n.item"
        " WHERE i.pk IS NULL OR i.status = 'queued'"
    )
    return frozenset(row for (row,) in rows)


def some_keys(connection: sqlite3.Connection) -> Sequence[str]:
    """Return the keys of the first, the middle and the last staged row."""
    (count,) = connection.execute("SELECT count(*) FROM temp.incoming").fetchone()
    places = sorted({0, count // 2, count - 1}) if count else []
    query = "SELECT key FROM temp.incoming ORDER BY row LIMIT 1 OFFSET ?"
    return [connection.execute(query, (place,)).fetchone()[0] for place in places]


@dataclass(frozen=True, kw_only=True, slots=True)
class Neighbour:
    """A batch of another journal at the same API that has begun staged rows: `begun` of them.

    `name` is its short name. `is_agreed` says that its journal agreed to be paid beside ours.
    """

    name: str
    batch8: str
    begun: int
    is_agreed: bool


def neighbours_in(
    connection: sqlite3.Connection, other: Path, *, name: str, base_url: str
) -> Sequence[Neighbour]:
    """Return the batches of another journal that have begun some of the staged rows of the batch `name`.

    StorageFailed where the other file is no journal that can be read.
    """
    with closing(connect(other, read_only=True)) as reader:
        query = "SELECT count(*) FROM agreed_strangers WHERE name = ?"
        is_agreed = has_table(reader, "agreed_strangers") and bool(
            reader.execute(query, (name,)).fetchone()[0]
        )
    try:
        connection.execute("ATTACH ? AS other", (f"{other.resolve().as_uri()}?mode=ro",))
        try:
            rows = connection.execute(
                "SELECT b.manifest ->> 'name', b.batch8, count(*) FROM temp.incoming n"
                " JOIN other.batches b ON b.base_url = ?"
                " JOIN other.items i ON i.batch = b.pk AND i.key = n.key AND i.k > 0 GROUP BY b.pk",
                (base_url,),
            ).fetchall()
        finally:
            connection.execute("DETACH other")
    except sqlite3.Error as error:
        raise StorageFailed(f"{other}: the journal cannot be read: {error}") from error
    return [Neighbour(name=row[0], batch8=row[1], begun=row[2], is_agreed=is_agreed) for row in rows]


def count_staged(connection: sqlite3.Connection, keys: Iterable[str]) -> int:
    """Count which of these item keys the staged manifest asks for."""
    (count,) = connection.execute(
        "SELECT count(*) FROM temp.incoming WHERE key IN (SELECT value FROM json_each(?))",
        (json.dumps(list(keys)),),
    ).fetchone()
    return int(count)
