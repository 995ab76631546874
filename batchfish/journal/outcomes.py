"""Reads the outcomes of a batch for its table, by columns and in chunks of bounded size."""

from __future__ import annotations

from array import array
from itertools import accumulate, takewhile
from typing import TYPE_CHECKING, Any

import msgspec

from batchfish.core.items import Status
from batchfish.core.outcomes import Outcomes
from batchfish.journal import records

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

CHUNK_ROWS, CHUNK_BYTES = 4000, 4 * 2**20

_COLUMNS = (*Outcomes.__struct_fields__[1:-2], "raw", "is_whole_answer", "inputs")
_ROW = _COLUMNS.index("row")
_PLACES = {
    "item_id": "i.id",
    "row": "i.row",
    "url": "i.url",
    "status": "i.status",
    "reason": "i.reason",
    "run_id": "a.run_id",
    "run_status": "a.run_status",
    "attempts": "i.attempts",
    "steps": "a.steps",
    "submitted_at": "a.created_at",
    "started_at": "a.started_at",
    "finished_at": "a.finished_at",
    "error_code": "a.error_code",
    "error_message": "coalesce(nullif(i.message, ''), a.error_message)",
    "streaming_url": "a.streaming_url",
    "raw": "s.raw",
    "is_whole_answer": "s.is_whole_answer",
    "inputs": "i.inputs",
}
# The same where items may have reused results: `o` is the item whose run and result an item has.
_PLACES_WITH_REUSE = {
    **_PLACES,
    "steps": "iif(o.pk = i.pk, a.steps, NULL)",
    "reused_from": "(SELECT name FROM batches WHERE pk = o.batch AND o.pk <> i.pk)",
}
_SUSPICIOUS = "(SELECT min(f.kind) FROM findings f WHERE f.item = i.pk AND f.k = i.follows)"
_WANTED = "WHERE i.batch = ? AND i.wanted = 1"
_NOT_SUCCEEDED = f" AND i.status <> '{Status.SUCCEEDED}'"
_decode_inputs = msgspec.json.Decoder(dict[str, str]).decode


def read_sizes(connection: sqlite3.Connection, batch: int, *, failed_only: bool = False) -> array[int]:
    """Return the bytes of the result of each wanted item in manifest order, without reading the results.

    `failed_only` leaves out the items that succeeded.
    """
    owner, join = _owner(connection)
    rows = connection.execute(
        f"SELECT coalesce(length(s.raw), 0) FROM items i{join} LEFT JOIN results s"
        f" ON s.item = {owner}.pk AND s.k = {owner}.follows {_WANTED}{_NOT_SUCCEEDED if failed_only else ''}"
        " ORDER BY i.row",
        (batch,),
    )
    return array("q", (size for (size,) in rows))


def read_outcomes(
    connection: sqlite3.Connection, batch: int, sizes: Sequence[int], *, failed_only: bool = False
) -> Iterator[Outcomes]:
    """Yield the outcomes of the items whose `sizes` `read_sizes` returns in the same snapshot, in chunks.

    A chunk has at most CHUNK_ROWS items, and ends with the one whose result brings it to CHUNK_BYTES.
    """
    for columns in read_columns(connection, batch, sizes, failed_only=failed_only):
        yield outcomes_from(columns)


def read_columns(
    connection: sqlite3.Connection, batch: int, sizes: Sequence[int], *, failed_only: bool = False
) -> Iterator[list[Sequence[Any]]]:
    """Yield the columns of which `outcomes_from` makes the chunks of `read_outcomes`."""
    (name,) = connection.execute("SELECT name FROM batches WHERE pk = ?", (batch,)).fetchone()
    places = _places(connection)
    owner, join = _owner(connection)
    query = (
        f"SELECT {', '.join(places.values())} FROM items i{join}"
        f" LEFT JOIN attempts a ON a.item = {owner}.pk AND a.k = {owner}.follows"
        f" LEFT JOIN results s ON s.item = {owner}.pk AND s.k = {owner}.follows"
        f" {_WANTED}{_NOT_SUCCEEDED if failed_only else ''} AND i.row > ? ORDER BY i.row LIMIT ?"
    )
    after = 0
    for count in _chunks(sizes):
        rows = connection.execute(query, (batch, after, count)).fetchall()
        read = dict(zip(places, zip(*rows, strict=True), strict=True), batch=(name,))
        del rows
        after = read["row"][-1]
        columns = [_compacted(read.get(column, (None,))) for column in _COLUMNS]
        del read
        yield columns  # SQLite has released its own copy of the results, since one may be large
        del columns  # its results are not kept while more are read


def outcomes_from(columns: list[Sequence[Any]]) -> Outcomes:
    """Return the outcomes in some columns, and empty the list: results are not kept in both forms."""
    *others, raw, is_whole_answer, inputs = columns
    columns.clear()
    pairs = max(len(raw), len(is_whole_answer))
    results = list(map(records.result_from, _repeated(raw, pairs), _repeated(is_whole_answer, pairs)))
    facts: list[Any] = [len(others[_ROW]), *others, results, list(map(_decode_inputs, inputs))]
    return Outcomes(*facts)


def _chunks(sizes: Sequence[int]) -> Iterator[int]:
    """Yield how many items each chunk has."""
    start = 0
    while start < len(sizes):
        totals = accumulate(sizes[start : start + CHUNK_ROWS])
        count = 1 + sum(1 for _ in takewhile(lambda total: total < CHUNK_BYTES, totals))
        count = min(count, CHUNK_ROWS, len(sizes) - start)
        yield count
        start += count


def _places(connection: sqlite3.Connection) -> dict[str, str]:
    """Return where each column is; those that are left out are empty, or the same for all items."""
    places = dict(_PLACES_WITH_REUSE if records.has_reuse(connection) else _PLACES)
    if records.has_rows(connection, "findings"):
        places["suspicious"] = _SUSPICIOUS
    return places


def _owner(connection: sqlite3.Connection) -> tuple[str, str]:
    """Return the item whose run and result `i` has, and how it is joined: `o`, if any item reuses one."""
    if not records.has_reuse(connection):
        return "i", ""
    return "o", f" JOIN items o ON o.pk = {records.result_owner(connection)}"


def _compacted(column: Sequence[Any]) -> Sequence[Any]:
    """Return a column, or its single value if all its values are equal."""
    first = column[0]
    return (first,) if column[-1] == first and column.count(first) == len(column) else column


def _repeated(column: Sequence[Any], count: int) -> Sequence[Any]:
    """Return a column of `count` values, or its single value so many times."""
    return column if len(column) == count else [column[0]] * count
