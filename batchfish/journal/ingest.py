"""Comparison of a manifest's rows with the items of a batch, and their merge into it."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict, deque
from contextlib import closing, contextmanager, suppress
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct

from batchfish.core import identity
from batchfish.core.items import Status
from batchfish.errors import StorageFailed
from batchfish.journal.files import connect, has_table, storage_errors
from batchfish.journal.records import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from batchfish.core.items import ItemSpec
    from batchfish.journal.row_file import RowFile

EXAMPLES = 5
CACHE_KIB = 32 * 1024

_ATTACH = (
    "PRAGMA staged.journal_mode = OFF",  # as in RowFile: after an error nothing of it is used
    "PRAGMA staged.synchronous = OFF",
    "PRAGMA staged.cache_size = -8192",
    "CREATE TEMP TABLE IF NOT EXISTS repeated (fingerprint BLOB PRIMARY KEY) STRICT, WITHOUT ROWID",
    """
    CREATE TEMP TABLE IF NOT EXISTS gone (
        pk          INTEGER PRIMARY KEY,
        id          TEXT NOT NULL,
        asks_first  INTEGER NOT NULL,               -- it has begun, or a person has cancelled it
        is_nameless INTEGER NOT NULL                -- its row gave no id
    ) STRICT
    """,
)

# Only the rows that are in the batch are written again: a million of a batch yet to begin cost one scan.
_FORGET_MATCHES = "UPDATE staged.incoming SET item = NULL WHERE item IS NOT NULL"
_MATCH_SINGLE = """
UPDATE staged.incoming SET item = i.pk FROM items i
WHERE i.batch = :batch AND i.key = incoming.key AND i.occurrence = 1
"""
_FIND_REPEATED = """
INSERT INTO temp.repeated
SELECT fingerprint FROM staged.repeated
UNION SELECT fingerprint FROM items WHERE batch = :batch AND occurrence > 1
"""
_REPEATED_ITEMS = """
SELECT fingerprint, pk, id, occurrence, key FROM items
WHERE batch = :batch AND fingerprint IN temp.repeated ORDER BY wanted DESC, occurrence
"""
_REPEATED_ROWS = """
SELECT fingerprint, row, given_id FROM staged.incoming
WHERE fingerprint IN temp.repeated ORDER BY fingerprint, row
"""
_FIND_GONE = """
INSERT INTO temp.gone
SELECT pk, id, k > 0 OR status = 'cancelled', id = default_id(fingerprint, occurrence) FROM items
WHERE batch = :batch AND wanted = 1
    AND pk NOT IN (SELECT item FROM staged.incoming WHERE item IS NOT NULL)
"""
# An item that left the manifest before it had begun, and is back, costs as much as one that was never there,
# unless a person cancelled it or it reused a result: then it is not submitted.
_IS_UNTOUCHED = "i.k = 0 AND i.status = 'queued'"
_NEW = (
    "FROM staged.incoming n LEFT JOIN items i ON i.pk = n.item"
    f" WHERE (n.item IS NULL OR i.wanted = 0 AND {_IS_UNTOUCHED})"
)
_CHANGED = f"{_NEW} AND n.given_id IN (SELECT id FROM temp.gone WHERE asks_first)"
_ADDED = f"{_NEW} AND coalesce(n.given_id NOT IN (SELECT id FROM temp.gone WHERE asks_first), TRUE)"
_REPLACED = f"FROM temp.gone WHERE id IN (SELECT n.given_id {_NEW})"
_LEFT = f"FROM temp.gone WHERE asks_first AND id NOT IN (SELECT n.given_id {_NEW} AND n.given_id IS NOT NULL)"
_NEW_NAMELESS = f"{_NEW} AND n.given_id IS NULL"
_NEW_NAMED = f"{_NEW} AND n.given_id NOT IN (SELECT id FROM temp.gone WHERE asks_first)"
_MATCHED = (
    "FROM staged.incoming n JOIN staged.shapes s ON s.pk = n.shape"
    " JOIN items i ON i.pk = n.item JOIN requests r ON r.pk = i.request"
)
_DIFFERS = "(i.wanted, i.row, i.id, i.inputs, r.digest) <> (1, n.row, n.id, n.inputs, s.digest)"


class Difference(Struct, frozen=True, kw_only=True):
    """The difference between a manifest and the items of a batch: counts, and a few ids of each kind.

    `changed` items have begun, or were cancelled, under the same id (or at all, where row or item has none),
    and would be submitted again.
    `returning` items had begun or ended, left the manifest and are back. `touched` counts the items, these
    included, whose order, label, variables or minor request fields have changed.
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
        """Return whether the manifest has rows that the batch has no wanted item for."""
        return bool(self.new or self.changed or self.returning)

    @property
    def is_none(self) -> bool:
        """Return whether manifest and batch are the same."""
        return not (self.asks_for_more or self.removed or self.touched)


class Overlap(Struct, frozen=True, kw_only=True):
    """A batch of another journal at the same API that has begun `begun` of the staged rows.

    `name` is its short name. `is_agreed` says that in its journal a person agreed to pay for items of ours.
    """

    name: str
    batch8: str
    begun: int
    is_agreed: bool


class StagedRows:
    """The rows of a manifest beside the journal, in a file that is attached to its connection.

    `load` or `attach` puts them there, `compare` matches them with the items of a batch; the rest reads what
    is there. A read-only connection will do for all but `merge`.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        """Stage rows on this connection to the journal at `path`; nothing is staged yet."""
        self._connection = connection
        self._path = path
        self._is_attached = False

    def load(self, specs: Iterable[ItemSpec], version: int) -> int:
        """Stream rows into a file and stage it in place of earlier ones; return their number.

        `version` is that of the fingerprints.
        """
        from batchfish.journal.row_file import RowFile  # commands that only read have no need of it

        with RowFile(version) as file:
            number = file.load(specs)
            self.attach(file)
        return number

    def attach(self, file: RowFile) -> None:
        """Stage the rows of a file in place of earlier ones; the file has no name from then on."""
        self.detach()
        with storage_errors(self._path):
            self._connection.execute("ATTACH ? AS staged", (str(file.path),))
            self._is_attached = True
            file.close()
            for statement in _ATTACH:
                self._connection.execute(statement)

    def detach(self) -> None:
        """Stage nothing, and free the room of what was staged."""
        if self._is_attached:
            with storage_errors(self._path):
                self._connection.execute("DETACH staged")
            self._is_attached = False

    def compare(self, batch: int | None) -> Difference:
        """Match the rows with the items of a batch (None: one yet to begin) and count the differences."""
        parameters = {"batch": batch if batch is not None else -1}
        execute = self._connection.execute
        self._connection.create_function("default_id", 2, identity.default_id)
        with self._transaction():
            execute("DELETE FROM temp.repeated")
            execute("DELETE FROM temp.gone")
            execute(_FORGET_MATCHES)
            if batch is not None:
                execute(_MATCH_SINGLE, parameters)
            execute(_FIND_REPEATED, parameters)
            self._connection.executemany(
                "UPDATE staged.incoming SET item = ?, occurrence = ?, key = ?, id = ? WHERE row = ?",
                _match_repeated(self._connection, parameters),
            )
            if batch is None:
                rows = self._number("SELECT count(*) FROM staged.incoming")
                ids = self._rows(f"SELECT id FROM staged.incoming ORDER BY row LIMIT {EXAMPLES}")
                examples = tuple(one for (one,) in ids)
                return Difference(wanted=rows, new=rows, changed=0, removed=0, new_examples=examples)
            execute(_FIND_GONE, parameters)
            return self._count_differences()

    def _count_differences(self) -> Difference:
        def count(what: str) -> int:
            return self._number(f"SELECT count(*) {what}")

        def examples(column: str, what: str) -> tuple[str, ...]:
            return tuple(row[0] for row in self._rows(f"SELECT {column} {what} LIMIT {EXAMPLES}"))

        # Without an id on either side, a new row counts as the change of such an item that no row asks for.
        named = min(count(_NEW_NAMED), count(f"{_LEFT} AND is_nameless"))
        nameless = min(count(_NEW_NAMELESS), count(_LEFT) - named)
        kinds = {_CHANGED: count(_CHANGED), _NEW_NAMED: named, _NEW_NAMELESS: nameless}
        such_as = [one for what, number in kinds.items() if number for one in examples("n.id", what)]
        changed = sum(kinds.values())
        return Difference(
            wanted=count("FROM staged.incoming"),
            new=count(_NEW) - changed,
            changed=changed,
            removed=count("FROM temp.gone") - count(_REPLACED) - named - nameless,
            returning=count(f"{_MATCHED} WHERE i.wanted = 0 AND NOT ({_IS_UNTOUCHED})"),
            touched=count(f"{_MATCHED} WHERE {_DIFFERS}"),
            new_examples=examples("n.id", _ADDED),
            changed_examples=tuple(such_as[:EXAMPLES]),
            removed_examples=examples("id", "FROM temp.gone"),
        )

    def rows(self) -> Iterator[Row]:
        """Yield the staged rows, in manifest order."""
        with storage_errors(self._path):
            for row in self._connection.execute(
                "SELECT row, id, url, inputs FROM staged.incoming ORDER BY row"
            ):
                yield Row(*row)

    def count_to_submit(self, chosen: Iterable[int] | None = None) -> int:
        """Count the compared rows that are new or whose items are queued: `chosen` ones, or (None) all."""
        waiting = (
            "SELECT count(*) FROM staged.incoming n LEFT JOIN items i ON i.pk = n.item"
            " WHERE (i.pk IS NULL OR i.status = 'queued')"
        )
        if chosen is None:
            return self._number(waiting)
        among = " AND n.row IN (SELECT value FROM json_each(?))"
        return self._number(waiting + among, json.dumps(list(chosen)))

    def repeats(self) -> tuple[int, tuple[str, ...]]:
        """Count the compared rows that ask for the same as another row before them; return a few ids, too."""
        what = (
            "FROM (SELECT row, id, row_number() OVER (PARTITION BY fingerprint ORDER BY row) AS nth"
            " FROM staged.incoming WHERE fingerprint IN staged.repeated) WHERE nth > 1"
        )
        ids = self._rows(f"SELECT id {what} ORDER BY row LIMIT {EXAMPLES}")
        return self._number(f"SELECT count(*) {what}"), tuple(one for (one,) in ids)

    def some_keys(self) -> Sequence[str]:
        """Return the item keys of the first, the middle and the last row."""
        count = self._number("SELECT count(*) FROM staged.incoming")
        places = sorted({0, count // 2, count - 1}) if count else []
        query = "SELECT key FROM staged.incoming ORDER BY row LIMIT 1 OFFSET ?"
        return [self._rows(query, place)[0][0] for place in places]

    def count(self, keys: Iterable[str]) -> int:
        """Count the rows whose item key is one of these."""
        return self._number(
            "SELECT count(*) FROM staged.incoming WHERE key IN (SELECT value FROM json_each(?))",
            json.dumps(list(keys)),
        )

    def find_overlaps(self, other: Path, *, name: str, base_url: str) -> Sequence[Overlap]:
        """Return the batches of another journal that have begun some of the staged rows.

        `name` is the short name of our batch, `base_url` its API. StorageFailed if the other file is no
        journal that can be read.
        """
        with closing(connect(other, read_only=True)) as reader, storage_errors(other):
            query = "SELECT count(*) FROM agreed_strangers WHERE name = ?"
            is_agreed = has_table(reader, "agreed_strangers") and bool(
                reader.execute(query, (name,)).fetchone()[0]
            )
        execute = self._connection.execute
        with storage_errors(other):
            execute("ATTACH ? AS other", (f"{other.resolve().as_uri()}?mode=ro",))
            try:
                rows = execute(
                    "SELECT b.manifest ->> 'name', b.batch8, count(*) FROM staged.incoming n"
                    " JOIN other.batches b ON b.base_url = ?"
                    " JOIN other.items i ON i.batch = b.pk AND i.key = n.key AND i.k > 0 GROUP BY b.pk",
                    (base_url,),
                ).fetchall()
            finally:
                execute("DETACH other")
        return [Overlap(name=row[0], batch8=row[1], begun=row[2], is_agreed=is_agreed) for row in rows]

    def merge(self, batch: int, write: Callable[[str, Sequence[Any]], object]) -> None:
        """Make the compared rows the wanted items of a batch, each statement through `write`.

        New rows become items, matched items get the labels of their rows, and items without a row are no
        longer wanted. The caller's transaction holds all of it.
        """
        usual = self._number("PRAGMA cache_size")
        # Keys lie scattered over their index: many are inserted quickly only while it fits into memory.
        write(f"PRAGMA cache_size = -{CACHE_KIB}", ())
        write("INSERT OR IGNORE INTO requests (digest, body) SELECT digest, body FROM staged.shapes", ())
        write("UPDATE items SET wanted = 0 WHERE pk IN (SELECT pk FROM temp.gone)", ())
        write(
            "UPDATE items SET wanted = 1, row = m.row, id = m.id, inputs = m.inputs,"
            "  request = (SELECT pk FROM requests WHERE digest = m.digest)"
            f" FROM (SELECT n.*, s.digest {_MATCHED} WHERE {_DIFFERS}) m WHERE m.item = items.pk",
            (),
        )
        # The trigger that counts would take a fifth of the time, one row after another.
        ((count_rows,),) = self._rows("SELECT sql FROM main.sqlite_schema WHERE name = 'items_counted'")
        write("DROP TRIGGER items_counted", ())
        write(
            "INSERT INTO items (batch, key, fingerprint, occurrence, id, row, url, goal, request, inputs)"
            " SELECT ?, n.key, n.fingerprint, n.occurrence, n.id, n.row, n.url, n.goal, r.pk, n.inputs"
            " FROM staged.incoming n CROSS JOIN staged.shapes s ON s.pk = n.shape"
            " CROSS JOIN requests r ON r.digest = s.digest WHERE n.item IS NULL ORDER BY n.row",
            (batch,),
        )
        write(
            f"INSERT INTO counts SELECT ?, '{Status.QUEUED}', 1, changes() WHERE changes() > 0"
            " ON CONFLICT DO UPDATE SET n = n + excluded.n",
            (batch,),
        )
        write(count_rows, ())
        write(f"PRAGMA cache_size = {usual}", ())

    def _number(self, query: str, *values: object) -> int:
        ((number,),) = self._rows(query, *values)
        return int(number)

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with storage_errors(self._path):
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Keep all of the block's changes to what is staged; the journal is not locked.

        It begins no transaction inside that of a group of writes: an error here could undo those unnoticed.
        """
        try:
            self._connection.execute("BEGIN DEFERRED")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # the first error is the one to report
                    self._connection.rollback()
                raise
        except sqlite3.Error as error:
            raise StorageFailed(f"{self._path}: a manifest cannot be compared with it: {error}") from error


class _Known(NamedTuple):
    """An item that shares its fingerprint with another item or row."""

    pk: int
    id: str
    occurrence: int
    key: str


def _match_repeated(
    connection: sqlite3.Connection, parameters: Mapping[str, Any]
) -> Iterator[tuple[int | None, int, str, str, int]]:
    """Yield item, occurrence, key, id and row of each row that shares its fingerprint with another."""
    items: defaultdict[bytes, list[_Known]] = defaultdict(list)
    for fingerprint, *item in connection.execute(_REPEATED_ITEMS, parameters):
        items[fingerprint].append(_Known(*item))
    for fingerprint, group in groupby(connection.execute(_REPEATED_ROWS).fetchall(), key=itemgetter(0)):
        rows = [(row, given_id) for _, row, given_id in group]
        known = {item.pk: item for item in items[fingerprint]}
        taken = pair([given_id for _, given_id in rows], [(item.pk, item.id) for item in known.values()])
        last = len(known)  # items are never deleted, so their occurrences have no gaps
        for (row, given_id), pk in zip(rows, taken, strict=True):
            if pk is None:
                last += 1
                occurrence, key = last, identity.item_key(fingerprint, last)
            else:
                occurrence, key = known[pk].occurrence, known[pk].key
            label = given_id if given_id is not None else identity.default_id(fingerprint, occurrence)
            yield pk, occurrence, key, label, row


def pair(ids: Sequence[str | None], items: Sequence[tuple[int, str]]) -> list[int | None]:
    """Return the item (pk) of each row of one fingerprint: one of the same id first, then any in order.

    `ids` are the ids that the rows give, `items` the pks and ids of the items.
    """
    called: defaultdict[str, deque[int]] = defaultdict(deque)
    for pk, item_id in items:
        called[item_id].append(pk)
    by_id = [called[own].popleft() if own is not None and called[own] else None for own in ids]
    taken = frozenset(by_id)
    left = (pk for pk, _ in items if pk not in taken)
    return [next(left, None) if pk is None else pk for pk in by_id]
