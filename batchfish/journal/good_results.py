"""The last good results of the items of two batches, paired item by item."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from batchfish.core.items import Status
from batchfish.core.outcomes import GoodResult, ResultPair
from batchfish.journal import records
from batchfish.journal.files import connect, storage_errors
from batchfish.journal.outcomes import result_from

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MAIN, OTHER = "main", "other"
"""The names under which a connection has its own journal, and another one that is attached to it."""

_GOOD = f"status = '{Status.SUCCEEDED}'"

# `before` and `after` are items of the two batches, and `..._good` the items whose results are their last
# good ones; each is NULL if there is none.
_TABLE = """
CREATE TEMP TABLE pairs (
    n           INTEGER PRIMARY KEY,
    before      INTEGER,
    after       INTEGER,
    before_good INTEGER,
    after_good  INTEGER
) STRICT
"""
_IS_ADDED = "(p.after_good IS NOT NULL AND p.before_good IS NULL)"
_IS_REMOVED = "(p.before_good IS NOT NULL AND p.after IS NULL)"
_IS_COMPARED = "(p.after_good IS NOT NULL AND p.before_good IS NOT NULL)"
_SIDE = ("i.id", "i.url", "b.name", "r.raw", "r.is_whole_answer")
_WIDTH, _RAW = len(_SIDE), _SIDE.index("r.raw")


class Side(NamedTuple):
    """One of two batches that are compared: the name of its journal on the connection, and its key there."""

    journal: str
    batch: int


class PairCounts(NamedTuple):
    """Counts of the items of the later batch and of those that it lacks.

    `added` have a good result for the first time, `removed` had one and are no longer asked for, `compared`
    have one on both sides. Of the later batch's items, `carried` have a good result of an earlier batch only,
    since they failed or have not ended, and `without` have none.
    """

    added: int
    removed: int
    compared: int
    carried: int
    without: int


@contextmanager
def attached(connection: sqlite3.Connection, journal: Path | None) -> Iterator[None]:
    """Attach another journal as OTHER during the block, to be read only; None: there is none to attach."""
    if journal is None:
        yield
        return
    with closing(connect(journal, read_only=True)):
        pass  # it is a journal that can be read
    with storage_errors(journal):
        connection.execute(f"ATTACH ? AS {OTHER}", (f"{journal.resolve().as_uri()}?mode=ro",))
    try:
        yield
    finally:
        connection.execute(f"DETACH {OTHER}")


class GoodResults:
    """The pairs of two batches in a temporary table of one connection, so that they cost no memory.

    The state of a batch are its wanted items, each with its last good result: its own if it succeeded,
    otherwise that of the latest earlier batch of the journal in which the same item succeeded.
    """

    def __init__(self, connection: sqlite3.Connection, before: Side | None, after: Side) -> None:
        """Pair the items of two batches; None: nothing was before. The caller holds a snapshot."""
        self._connection = connection
        self._before = before
        self._after = after
        connection.execute("DROP TABLE IF EXISTS temp.pairs")
        connection.execute(_TABLE)
        self._pair()
        self._find_good("after", after)
        if before is not None:
            self._find_good("before", before)

    def count(self) -> PairCounts:
        """Return how many items were added, removed and so on."""
        (row,) = self._connection.execute(
            f"SELECT count(*) FILTER (WHERE {_IS_ADDED}), count(*) FILTER (WHERE {_IS_REMOVED}),"
            f" count(*) FILTER (WHERE {_IS_COMPARED}),"
            " count(*) FILTER (WHERE p.after_good IS NOT NULL AND p.after_good <> p.after),"
            " count(*) FILTER (WHERE p.after IS NOT NULL AND p.after_good IS NULL) FROM temp.pairs p"
        )
        return PairCounts(*row)

    def differing(self) -> Iterator[Sequence[ResultPair]]:
        """Yield the pairs whose results are not byte for byte the same, in chunks.

        They are in the order of the later batch's manifest, the removed items last.
        """
        before = self._before or self._after
        query = (
            f"SELECT p.n, {_of('before')}, {_of('after')} FROM temp.pairs p"
            f" {_results(self._connection, 'before', before)}"
            f" {_results(self._connection, 'after', self._after)}"
            f" {_labels('before', before)} {_labels('after', self._after)} WHERE p.n > ? AND ({_IS_ADDED}"
            f" OR {_IS_REMOVED} OR ({_IS_COMPARED} AND"
            " (before_r.raw IS NOT after_r.raw OR before_r.is_whole_answer <> after_r.is_whole_answer)))"
            " ORDER BY p.n LIMIT ?"
        )
        last = 0
        while True:
            with closing(self._connection.execute(query, (last, records.CHUNK_ROWS))) as rows:
                fetched = records.fetch_chunk(rows, 1 + _RAW, 1 + _WIDTH + _RAW)
            if not fetched:
                return
            last = fetched[-1][0]
            yield [
                ResultPair(before=_good_result(row[1 : 1 + _WIDTH]), after=_good_result(row[1 + _WIDTH :]))
                for row in fetched
            ]

    def _pair(self) -> None:
        """Pair the wanted items of the later batch with those of the earlier one, and add what is left."""
        after, before = self._after, self._before
        same = "NULL" if before is None else _same_item(before.journal, after.journal)
        parameters = {"after": after.batch, "batch": None if before is None else before.batch}
        self._connection.execute(
            f"INSERT INTO temp.pairs (before, after) SELECT {same}, i.pk"
            f" FROM {after.journal}.items i WHERE i.batch = :after AND i.wanted = 1 ORDER BY i.row",
            parameters,
        )
        if before is not None:
            self._connection.execute("CREATE INDEX temp.pairs_before ON pairs (before)")
            self._connection.execute(
                f"INSERT INTO temp.pairs (before) SELECT o.pk FROM {before.journal}.items o"
                " WHERE o.batch = :batch AND o.wanted = 1"
                " AND NOT EXISTS (SELECT 1 FROM temp.pairs p WHERE p.before = o.pk) ORDER BY o.row",
                parameters,
            )

    def _find_good(self, name: str, side: Side) -> None:
        """Find the last good result of each item of one side, in its own batch and in those before."""
        self._connection.execute(
            f"UPDATE temp.pairs SET {name}_good = {name} WHERE EXISTS"
            f" (SELECT 1 FROM {side.journal}.items o WHERE o.pk = {name} AND o.{_GOOD})"
        )
        is_missing = f"{name} IS NOT NULL AND {name}_good IS NULL"
        self._connection.execute(
            f"CREATE INDEX temp.pairs_without_{name} ON pairs ({name}) WHERE {is_missing}"
        )
        same = _same_item(side.journal, side.journal, f"AND o.{_GOOD}")
        batches = f"SELECT pk FROM {side.journal}.batches WHERE pk < ? ORDER BY pk DESC"
        for (batch,) in self._connection.execute(batches, (side.batch,)).fetchall():
            missing = f"SELECT 1 FROM temp.pairs WHERE {is_missing} LIMIT 1"
            if not self._connection.execute(missing).fetchall():
                return
            self._connection.execute(
                f"UPDATE temp.pairs SET {name}_good = (SELECT {same} FROM {side.journal}.items i"
                f" WHERE i.pk = {name}) WHERE {is_missing}",
                {"batch": batch},
            )


def _same_item(journal: str, journal_of_i: str, condition: str = "") -> str:
    """Return an expression for the item of `:batch` that is the same as `i`; NULL if there is none.

    It is the one of the same id and key, the one of the same id or else, since ids may be added or changed
    later, the one of the same key whose id no wanted item in the batch of `i` has.
    """
    items = f"SELECT o.pk FROM {journal}.items o WHERE o.batch = :batch AND o.wanted = 1 {condition}"
    its_id_is_used = (
        f"SELECT 1 FROM {journal_of_i}.items n WHERE n.batch = i.batch AND n.id = o.id AND n.wanted = 1"
    )
    return (
        f"coalesce(({items} AND o.id = i.id AND o.key = i.key), ({items} AND o.id = i.id LIMIT 1),"
        f" ({items} AND o.key = i.key AND NOT EXISTS ({its_id_is_used})))"
    )


def _of(name: str) -> str:
    """Return the columns of one side, by the aliases of `_results` and `_labels`."""
    return ", ".join(f"{name}_{column}" for column in _SIDE)


def _results(connection: sqlite3.Connection, name: str, side: Side) -> str:
    """Return the joins that lead from a pair to the last good result of one side.

    `..._o` is the item that has it, of an earlier batch if the good one reused it.
    """
    owner = records.result_owner(connection, side.journal, f"{name}_g")
    return (
        f"LEFT JOIN {side.journal}.items {name}_g ON {name}_g.pk = p.{name}_good"
        f" LEFT JOIN {side.journal}.items {name}_o ON {name}_o.pk = {owner}"
        f" LEFT JOIN {side.journal}.results {name}_r ON {name}_r.item = {name}_o.pk"
        f" AND {name}_r.k = {name}_o.follows"
    )


def _labels(name: str, side: Side) -> str:
    """Return the joins that lead from there to the item of that side, and to the batch of its result.

    They come last, since most pairs are left out by their results.
    """
    return (
        f"LEFT JOIN {side.journal}.items {name}_i ON {name}_i.pk = p.{name} AND {name}_g.pk IS NOT NULL"
        f" LEFT JOIN {side.journal}.batches {name}_b ON {name}_b.pk = {name}_o.batch"
    )


def _good_result(row: Sequence[Any]) -> GoodResult | None:
    item_id, url, batch, raw, is_whole_answer = row
    if item_id is None:
        return None
    result = result_from(raw, is_whole_answer)
    return GoodResult(item_id=item_id, url=url, batch=batch, result=result)
