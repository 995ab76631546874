"""Reads the outcomes of a batch for its table, by columns and in chunks of bounded size."""

from __future__ import annotations

from array import array
from itertools import accumulate, chain, takewhile
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from batchfish.core.items import Status
from batchfish.core.outcomes import Outcomes
from batchfish.core.results import decode_result
from batchfish.errors import StorageFailed
from batchfish.journal import records

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from batchfish.core.results import ResultText

CHUNK_ROWS, CHUNK_BYTES = 4000, 4 * 2**20

_TICKS = 2**25
"""Ticks in a second: in so many, times from 1974 to the year 9999 are integers that lose nothing."""

_TIMES = {"submitted_at": "a.created_at", "started_at": "a.started_at", "finished_at": "a.finished_at"}
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
    **{name: f"CAST({place} * {_TICKS} AS INTEGER)" for name, place in _TIMES.items()},
    "error_code": "a.error_code",
    "error_message": "coalesce(nullif(i.message, ''), a.error_message)",
    "streaming_url": "a.streaming_url",
    "inputs": "i.inputs",
}
# The same where items may have reused results: `o` is the item whose run and result an item has.
_PLACES_WITH_REUSE = {
    **_PLACES,
    "steps": "iif(o.pk = i.pk, a.steps, NULL)",
    "reused_from": "(SELECT name FROM batches WHERE pk = o.batch AND o.pk <> i.pk)",
}
_EMPTY: dict[str, list[Any]] = {"suspicious": [None], "reused_from": [None]}
_SUSPICIOUS = "(SELECT min(f.kind) FROM findings f WHERE f.item = i.pk AND f.k = i.follows)"
_WANTED = "WHERE i.batch = :batch AND i.wanted = 1"
_NOT_OK = f" AND i.status IN ('{Status.FAILED}', '{Status.CANCELLED}', '{Status.HELD}')"
_decode = msgspec.json.Decoder(list[Any]).decode
_decode_inputs = msgspec.json.Decoder(dict[str, Any]).decode
_decode_sizes = msgspec.json.Decoder(list[int]).decode


class Chunk(Struct, frozen=True):
    """Some outcomes as SQLite returns them; `outcomes_from` makes Outcomes of them.

    `arrays` has the values of each column as a JSON array, which SQLite collects in less than half the time
    that an object for each value takes. Times are in ticks there, since SQLite writes only 15 digits of
    a REAL into JSON. Results are apart: they are bytes that need not be JSON.
    """

    count: int
    batch: str
    arrays: dict[str, str]
    raw: list[bytes | None]
    is_whole_answer: list[int | None]


def read_sizes(connection: sqlite3.Connection, batch: int, *, failed_only: bool = False) -> array[int]:
    """Return the bytes of the texts of each wanted item in manifest order, without reading the results.

    They are those of its result, its variables and its messages. `failed_only` selects the items that failed,
    were cancelled or are held.
    """
    owner, join = _owner(connection)
    # To look for the errors of runs that succeeded would take as long as all the rest.
    error = (
        f"iif(i.status = '{Status.SUCCEEDED}', NULL, (SELECT {_bytes('a.error_message')} FROM attempts a"
        f" WHERE a.item = {owner}.pk AND a.k = {owner}.follows))"
    )
    sizes = ("length(s.raw)", _bytes("i.inputs"), _bytes("i.message"), error)
    (sizes,) = connection.execute(
        f"SELECT json_group_array(size) FROM (SELECT {' + '.join(f'coalesce({size}, 0)' for size in sizes)}"
        f" AS size FROM items i{join} LEFT JOIN results s ON s.item = {owner}.pk AND s.k = {owner}.follows"
        f" {_WANTED}{_NOT_OK if failed_only else ''} ORDER BY i.row)",
        {"batch": batch},
    ).fetchone()
    return array("q", _decode_sizes(sizes))


def read_input_names(connection: sqlite3.Connection, batch: int) -> list[str]:
    """Return the names of the variables of a batch's rows, in the order in which they first occur."""
    rows = connection.execute(f"SELECT i.inputs FROM items i {_WANTED} ORDER BY i.row", {"batch": batch})
    return list(dict.fromkeys(chain.from_iterable(map(_decode_inputs, chain.from_iterable(rows)))))


def read_outcomes(
    connection: sqlite3.Connection, batch: int, sizes: Sequence[int], *, failed_only: bool = False
) -> Iterator[Outcomes]:
    """Yield the outcomes of the items whose `sizes` `read_sizes` returns in the same snapshot, in chunks.

    A chunk has at most CHUNK_ROWS items, and ends with the one whose texts bring it to CHUNK_BYTES: SQLite
    returns no text above 10^9 bytes, also if it is that of a whole column.
    """
    return map(outcomes_from, read_chunks(connection, batch, sizes, failed_only=failed_only))


def read_chunks(
    connection: sqlite3.Connection, batch: int, sizes: Sequence[int], *, failed_only: bool = False
) -> Iterator[Chunk]:
    """Yield the chunks of which `outcomes_from` makes those of `read_outcomes`."""
    reader = _ChunkReader(connection, batch, failed_only=failed_only)
    return map(reader.read, _counts(sizes))


def outcomes_from(chunk: Chunk) -> Outcomes:
    """Return the outcomes in a chunk; StorageFailed if they are not in manifest order."""
    columns = dict(_EMPTY)
    columns.update((name, _values(array, chunk.count)) for name, array in chunk.arrays.items())
    if columns["row"] != sorted(columns["row"]):  # SQLite keeps it, but does not document that it does
        raise StorageFailed("this version of SQLite collects the items of a batch out of order")
    for name in _TIMES:
        columns[name] = [None if ticks is None else ticks / _TICKS for ticks in columns[name]]
    results = list(map(result_from, chunk.raw, chunk.is_whole_answer))
    return Outcomes(count=chunk.count, batch=(chunk.batch,), results=results, **columns)


def result_from(raw: bytes | None, is_whole_answer: object) -> ResultText | None:
    """Return the result in the columns `raw` and `is_whole_answer`; None if there is none."""
    return None if raw is None else decode_result(raw, is_whole_answer=bool(is_whole_answer))


class _ChunkReader:
    """Reads the outcomes of a batch in manifest order, chunk by chunk."""

    def __init__(self, connection: sqlite3.Connection, batch: int, *, failed_only: bool) -> None:
        """Compose the queries for this batch."""
        self._connection = connection
        self._batch, self._after = batch, 0
        (self._name,) = connection.execute("SELECT name FROM batches WHERE pk = ?", (batch,)).fetchone()
        places = _places(connection)
        self._columns = tuple(places)
        owner, join = _owner(connection)
        wanted = f"{_WANTED}{_NOT_OK if failed_only else ''} AND i.row > :after ORDER BY i.row LIMIT :count"
        self._collect = (
            f"SELECT max(row), {', '.join(map(_array, places))} FROM"
            f" (SELECT {', '.join(f'{place} AS {name}' for name, place in places.items())} FROM items i{join}"
            f" LEFT JOIN attempts a ON a.item = {owner}.pk AND a.k = {owner}.follows {wanted})"
        )
        self._select_results = (
            f"SELECT s.raw, s.is_whole_answer FROM items i{join}"
            f" LEFT JOIN results s ON s.item = {owner}.pk AND s.k = {owner}.follows {wanted}"
        )

    def read(self, count: int) -> Chunk:
        """Return the next chunk, of so many items."""
        here = {"batch": self._batch, "after": self._after, "count": count}
        # SQLite releases its own copy of the results, since one may be large.
        results = self._connection.execute(self._select_results, here).fetchall()
        ((self._after, *arrays),) = self._connection.execute(self._collect, here)
        raw, is_whole_answer = map(list, zip(*results, strict=True))
        return Chunk(count, self._name, dict(zip(self._columns, arrays, strict=True)), raw, is_whole_answer)


def _array(column: str) -> str:
    """Return the expression for a column as a JSON array; the inputs of each item are JSON already."""
    return "'[' || group_concat(inputs, ',') || ']'" if column == "inputs" else f"json_group_array({column})"


def _bytes(text: str) -> str:
    """Return the expression for the bytes of a text; its `length` is that of the part before a NUL."""
    return f"length(CAST({text} AS BLOB))"


def _values(array: str, count: int) -> list[Any]:
    """Return the values of a JSON array, or its single value if all of them are equal."""
    first, _, _ = array[1:-1].partition(",")
    return _decode(f"[{first}]" if array == f"[{(first + ',') * (count - 1)}{first}]" else array)


def _counts(sizes: Sequence[int]) -> Iterator[int]:
    """Yield how many items each chunk has."""
    start = 0
    while start < len(sizes):
        totals = accumulate(sizes[start : start + CHUNK_ROWS])
        count = 1 + sum(1 for _ in takewhile(lambda total: total < CHUNK_BYTES, totals))
        count = min(count, CHUNK_ROWS, len(sizes) - start)
        yield count
        start += count


def _places(connection: sqlite3.Connection) -> dict[str, str]:
    """Return where each column of a chunk is; those that are left out are empty."""
    places = dict(_PLACES_WITH_REUSE if records.has_reuse(connection) else _PLACES)
    if records.has_rows(connection, "findings"):
        places["suspicious"] = _SUSPICIOUS
    return places


def _owner(connection: sqlite3.Connection) -> tuple[str, str]:
    """Return the item whose run and result `i` has, and how it is joined: `o`, if any item reuses one."""
    if not records.has_reuse(connection):
        return "i", ""
    return "o", f" JOIN items o ON o.pk = {records.result_owner(connection)}"
