"""Results of earlier batches that are young enough to be reused, by items that have not been sent."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from batchfish.core.identity import FINGERPRINT_VERSION
from batchfish.core.items import Status
from batchfish.core.results import ResultText, decode_result
from batchfish.journal import records
from batchfish.journal.files import has_table

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from batchfish.journal.records import Request

# Each names a row or an item `n` with its key, id, url, goal, body and inputs. Items that were sent before
# are left out, and so are those of which a person asked for another attempt.
_IS_UNSENT = "i.status = 'queued' AND i.k = 0 AND i.retry_wish = 0"
_STAGED = (
    "SELECT n.row AS pk, n.key, n.id, n.url, n.goal, s.body, n.inputs FROM staged.incoming n"
    f" JOIN staged.shapes s ON s.pk = n.shape LEFT JOIN items i ON i.pk = n.item"
    f" WHERE i.pk IS NULL OR ({_IS_UNSENT})"
)
_ITEMS = (
    "SELECT i.pk, i.key, i.id, i.url, i.goal, r.body, i.inputs FROM items i"
    f" JOIN requests r ON r.pk = i.request WHERE i.batch = :batch AND i.wanted = 1 AND {_IS_UNSENT}"
)
_TABLE = """
CREATE TEMP TABLE fresh (pk INTEGER PRIMARY KEY, source INTEGER NOT NULL, ended_at REAL NOT NULL) STRICT
"""
# A run has ended when the server says so, but not after the journal recorded it: clocks may differ. If the
# server does not say it, its intent counts: `changed_at` is also when a person had the result judged again.
_ENDED_AT = "min(coalesce(a.finished_at, a.intended_at), g.changed_at)"


class FreshResult(NamedTuple):
    """An item that has not been sent, and the youngest good result of the same request.

    `pk` is the item's key, or the number of a staged row; `source` is the key of the item that has the
    result.
    """

    pk: int
    id: str
    request: Request
    source: int
    result: ResultText


def read_fresh(
    connection: sqlite3.Connection, batch: int | None, since: float, *, of_staged_rows: bool = False
) -> Iterator[Sequence[FreshResult]]:
    """Yield the fresh results for the unsent items of a batch, in chunks, in the order of the manifest.

    They are of batches that began before it (None: it has not begun), and their runs ended at `since` (epoch
    seconds) or later. `of_staged_rows`: they are for the compared rows of a manifest.
    """
    unsent = _STAGED if of_staged_rows else _ITEMS
    connection.execute("DROP TABLE IF EXISTS temp.fresh")
    connection.execute(_TABLE)
    for earlier in _batches_with_fresh_results(connection, batch, since):
        connection.execute(
            f"INSERT INTO temp.fresh SELECT n.pk, g.pk, {_ENDED_AT} AS ended_at FROM ({unsent}) n"
            " JOIN items g ON g.batch = :earlier AND g.key = n.key"
            f" JOIN attempts a ON a.item = g.pk AND a.k = g.follows WHERE g.status = '{Status.SUCCEEDED}'"
            f" AND {_ENDED_AT} >= :since ON CONFLICT DO UPDATE SET source = excluded.source,"
            " ended_at = excluded.ended_at WHERE excluded.ended_at > fresh.ended_at",
            {"batch": batch, "earlier": earlier, "since": since},
        )
    query = (
        "SELECT f.pk, n.id, n.url, n.goal, n.body, n.inputs, f.source, r.is_whole_answer, r.raw"
        f" FROM temp.fresh f JOIN ({unsent}) n ON n.pk = f.pk JOIN items g ON g.pk = f.source"
        " JOIN results r ON r.item = g.pk AND r.k = g.follows WHERE f.pk > :after ORDER BY f.pk LIMIT :most"
    )
    after = 0
    while True:
        parameters = {"batch": batch, "after": after, "most": records.CHUNK_ROWS}
        with closing(connection.execute(query, parameters)) as rows:
            fetched = records.fetch_chunk(rows, -1)
        if not fetched:
            return
        after = fetched[-1][0]
        yield [
            FreshResult(
                pk=pk,
                id=item_id,
                request=records.request_from(request),
                source=source,
                result=decode_result(raw, is_whole_answer=bool(is_whole_answer)),
            )
            for pk, item_id, *request, source, is_whole_answer, raw in fetched
        ]


def read_reused_from(connection: sqlite3.Connection, item: int) -> str | None:
    """Return the batch whose result an item has reused; None for an item with runs of its own."""
    if not has_table(connection, "reused_results"):
        return None
    rows = connection.execute(
        "SELECT b.name FROM items i JOIN reused_results u ON u.item = i.pk"
        " JOIN items o ON o.pk = u.source JOIN batches b ON b.pk = o.batch WHERE i.pk = ? AND i.follows = 0",
        (item,),
    ).fetchall()
    return rows[0][0] if rows else None


def _batches_with_fresh_results(
    connection: sqlite3.Connection, batch: int | None, since: float
) -> Sequence[int]:
    """Return the batches before one that may have results of runs that ended at `since` or later.

    The keys of their items are made of fingerprints of the same version.
    """
    rows = connection.execute(
        "SELECT e.pk FROM batches e WHERE (:batch IS NULL OR e.pk < :batch)"
        " AND (e.ended_at IS NULL OR e.ended_at >= :since) AND e.fingerprint_version ="
        " coalesce((SELECT fingerprint_version FROM batches WHERE pk = :batch), :version)",
        {"batch": batch, "since": since, "version": FINGERPRINT_VERSION},
    ).fetchall()
    return [pk for (pk,) in rows]
