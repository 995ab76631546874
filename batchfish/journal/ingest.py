"""A manifest's rows meet the items of a batch: what is new, changed or gone, and how they are taken in.

The rows are streamed into a temporary table, so that a comparison costs no memory and a reader can make one.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchfish.core import identity

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

    from batchfish.core.items import ItemSpec

EXAMPLES = 5

_INCOMING = """
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
"""

# Within one fingerprint rows take items by equal id first, then by order; one without repeats has one item.
_MATCH_ONES = """
UPDATE temp.incoming SET item = (
    SELECT i.pk FROM items i WHERE i.batch = :batch AND i.key = incoming.key AND i.occurrence = 1
) WHERE occurrence = 1
"""
_REPEATED = """
SELECT DISTINCT fingerprint FROM temp.incoming WHERE occurrence > 1
UNION SELECT fingerprint FROM items WHERE batch = :batch AND occurrence > 1
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """What a manifest asks beside what a batch holds: counts of items, and a few ids of each kind.

    `changed` items have begun under the same id (or, without ids, at all) and would cost again.
    """

    wanted: int
    new: int
    changed: int
    removed: int
    new_examples: tuple[str, ...] = ()
    changed_examples: tuple[str, ...] = ()
    removed_examples: tuple[str, ...] = ()


def stage(connection: sqlite3.Connection, specs: Iterable[ItemSpec], version: int) -> int:
    """Stream a manifest's rows into the temporary table `incoming`; give their number."""
    connection.executescript(
        "DROP TABLE IF EXISTS temp.incoming; DROP TABLE IF EXISTS temp.shapes;" + _INCOMING
    )
    connection.execute("BEGIN")
    seen: Counter[bytes] = Counter()
    connection.executemany(
        "INSERT INTO temp.incoming VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
        _rows(connection, specs, version, seen),
    )
    connection.execute("COMMIT")
    return seen.total()


def _rows(
    connection: sqlite3.Connection, specs: Iterable[ItemSpec], version: int, seen: Counter[bytes]
) -> Iterator[tuple[Any, ...]]:
    known: set[bytes] = set()
    for spec in specs:
        fingerprint = identity.fingerprint(spec, version)
        seen[fingerprint] += 1
        occurrence = seen[fingerprint]
        # As it was written: the order of a schema's properties is that of the result's, and of the columns.
        body = json.dumps(spec.request, ensure_ascii=False)
        digest = hashlib.sha256(body.encode("utf-8", "surrogatepass")).digest()
        if digest not in known:
            known.add(digest)
            connection.execute("INSERT OR IGNORE INTO temp.shapes VALUES (?, ?)", (digest, body))
        yield (
            spec.row,
            spec.id,
            spec.id if spec.id is not None else identity.default_id(fingerprint, occurrence),
            fingerprint,
            occurrence,
            identity.item_key(fingerprint, occurrence),
            spec.url,
            spec.goal,
            digest,
            json.dumps(dict(spec.inputs), ensure_ascii=False),
        )


def compare(connection: sqlite3.Connection, batch: int | None) -> Difference:
    """Match what is staged with the items of a batch (None: one yet to begin) and count the differences."""
    parameters = {"batch": batch if batch is not None else -1}
    connection.execute(_MATCH_ONES, parameters)
    for (fingerprint,) in connection.execute(_REPEATED, parameters).fetchall():
        _match_repeated(connection, parameters["batch"], fingerprint)
    new = "FROM temp.incoming n WHERE n.item IS NULL"
    gone = (
        "FROM items i WHERE i.batch = :batch AND i.wanted = 1"
        " AND NOT EXISTS (SELECT 1 FROM temp.incoming n WHERE n.item = i.pk)"
    )
    replaced = f"{gone} AND i.id IN (SELECT n.given_id {new})"
    changed = f"{new} AND n.given_id IN (SELECT i.id {gone} AND i.k > 0)"

    def count(what: str) -> int:
        return _count(connection, f"SELECT count(*) {what}", parameters)

    def examples(column: str, what: str) -> tuple[str, ...]:
        return tuple(
            row[0] for row in connection.execute(f"SELECT {column} {what} LIMIT {EXAMPLES}", parameters)
        )

    changed_by_id = count(changed)
    # Rows without ids: one new row for each begun item that no row asks for any more counts as its change.
    begun_and_gone = count(f"{gone} AND i.k > 0") - count(f"{replaced} AND i.k > 0")
    changed_without = min(count(f"{new} AND n.given_id IS NULL"), begun_and_gone)
    nameless = examples("n.id", f"{new} AND n.given_id IS NULL") if changed_without else ()
    return Difference(
        wanted=count("FROM temp.incoming"),
        new=count(new) - changed_by_id - changed_without,
        changed=changed_by_id + changed_without,
        removed=count(gone) - count(replaced) - changed_without,
        new_examples=examples("n.id", new),
        changed_examples=(*examples("n.id", changed), *nameless)[:EXAMPLES],
        removed_examples=examples("i.id", gone),
    )


def _match_repeated(connection: sqlite3.Connection, batch: int, fingerprint: bytes) -> None:
    rows = connection.execute(
        "SELECT row, given_id FROM temp.incoming WHERE fingerprint = ? ORDER BY row", (fingerprint,)
    ).fetchall()
    items = connection.execute(
        "SELECT pk, id FROM items WHERE batch = ? AND fingerprint = ? ORDER BY occurrence",
        (batch, fingerprint),
    ).fetchall()
    free = dict(items)
    taken: dict[int, int] = {}
    for row, given_id in rows:
        pk = next((pk for pk, label in free.items() if given_id is not None and label == given_id), None)
        if pk is not None:
            taken[row] = pk
            del free[pk]
    for row, _given_id in rows:
        if row not in taken and free:
            taken[row] = next(iter(free))
            del free[taken[row]]
    last = max((number for (number,) in _occurrences(connection, batch, fingerprint)), default=0)
    for row, _given_id in rows:
        if row in taken:
            connection.execute("UPDATE temp.incoming SET item = ? WHERE row = ?", (taken[row], row))
        else:
            last += 1
            connection.execute(
                "UPDATE temp.incoming SET item = NULL, occurrence = ?, key = ? WHERE row = ?",
                (last, identity.item_key(fingerprint, last), row),
            )


def _occurrences(connection: sqlite3.Connection, batch: int, fingerprint: bytes) -> list[tuple[int]]:
    return connection.execute(
        "SELECT occurrence FROM items WHERE batch = ? AND fingerprint = ?", (batch, fingerprint)
    ).fetchall()


def merge(connection: sqlite3.Connection, batch: int) -> None:
    """Take in what is staged and compared: new items, fresh labels for the matched ones, gone ones unwanted.

    It stands inside the caller's transaction.
    """
    connection.execute("INSERT OR IGNORE INTO requests (digest, body) SELECT digest, body FROM temp.shapes")
    connection.execute(
        "UPDATE items SET wanted = 0 WHERE batch = ? AND wanted = 1"
        " AND pk NOT IN (SELECT item FROM temp.incoming WHERE item IS NOT NULL)",
        (batch,),
    )
    connection.execute(
        "UPDATE items SET wanted = 1, row = n.row, id = n.id, inputs = n.inputs,"
        "  request = (SELECT pk FROM requests WHERE digest = n.digest)"
        " FROM temp.incoming n WHERE n.item = items.pk",
    )
    connection.execute(
        "INSERT INTO items (batch, key, fingerprint, occurrence, id, row, url, goal, request, inputs)"
        " SELECT ?, n.key, n.fingerprint, n.occurrence, n.id, n.row, n.url, n.goal, r.pk, n.inputs"
        " FROM temp.incoming n JOIN requests r ON r.digest = n.digest WHERE n.item IS NULL ORDER BY n.row",
        (batch,),
    )


def count_staged(connection: sqlite3.Connection, keys: Iterable[str]) -> int:
    """Count which of these item keys the staged manifest asks for."""
    query = "SELECT count(*) FROM temp.incoming WHERE key IN (SELECT value FROM json_each(:keys))"
    return _count(connection, query, {"keys": json.dumps(list(keys))})


def _count(connection: sqlite3.Connection, query: str, parameters: dict[str, Any]) -> int:
    (count,) = connection.execute(query, parameters).fetchone()
    return int(count)
