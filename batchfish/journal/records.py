"""The columns of items, attempts and batches, and the conversion of rows to values and back."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from batchfish.core.items import Attempt, AttemptState, Item, Status
from batchfish.journal.base import Batch, Outcome, Request, Tracked

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

CHUNK_ROWS, CHUNK_BYTES = 2000, 4 * 2**20

_ITEM_FIELDS = tuple(field.name for field in fields(Item))
_ATTEMPT_FIELDS = tuple(field.name for field in fields(Attempt))
_MOVING = tuple(name for name in _ITEM_FIELDS if name not in {"pk", "batch", "key", "id", "row", "wanted"})
# What identifies an attempt, and how it was sent: written once.
_FIXED = frozenset(
    {"item", "k", "marker", "key_id", "body_sha256", "intended_at", "intended_boot", "boot_id", "server_date"}
)
_FLAGS = frozenset({"wanted", "cancel_wish", "retry_wish"})

ITEM = ", ".join(f"i.{name}" for name in _ITEM_FIELDS)
ATTEMPT = ", ".join(f"a.{name}" for name in _ATTEMPT_FIELDS)
REQUEST = "i.url, i.goal, r.body, i.inputs"
UPDATE_ITEM = f"UPDATE items SET {', '.join(f'{name} = ?' for name in _MOVING)}, changed_at = ? WHERE pk = ?"
PUT_ATTEMPT = (
    f"INSERT INTO attempts ({', '.join(_ATTEMPT_FIELDS)}) VALUES ({', '.join('?' for _ in _ATTEMPT_FIELDS)})"
    " ON CONFLICT (item, k) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _ATTEMPT_FIELDS if name not in _FIXED)
)
BATCH = ", ".join(field.name for field in fields(Batch))


def item_from(row: Sequence[Any]) -> Item:
    """Return the item in the columns ITEM."""
    values = dict(zip(_ITEM_FIELDS, row, strict=False))
    values["status"] = Status(values["status"])
    for flag in _FLAGS:
        values[flag] = bool(values[flag])
    return Item(**values)


def attempt_from(row: Sequence[Any]) -> Attempt:
    """Return the attempt in the columns ATTEMPT."""
    values = dict(zip(_ATTEMPT_FIELDS, row, strict=False))
    values["state"] = AttemptState(values["state"])
    return Attempt(**values)


def tracked_from(row: Sequence[Any]) -> Tracked:
    """Return the open attempt in the columns ITEM, ATTEMPT and batch8."""
    width = len(_ITEM_FIELDS)
    return Tracked(item=item_from(row[:width]), attempt=attempt_from(row[width:-1]), batch8=row[-1])


def request_from(row: Sequence[Any]) -> Request:
    """Return the request in the columns REQUEST."""
    url, goal, body, inputs = row
    return Request(url=url, goal=goal, fields=json.loads(body), inputs=json.loads(inputs))


def batch_from(row: Sequence[Any]) -> Batch:
    """Return the batch in the columns BATCH."""
    values = dict(zip((field.name for field in fields(Batch)), row, strict=True))
    values["manifest"] = json.loads(values["manifest"])
    return Batch(**values)


def item_update(item: Item, now: float) -> tuple[Any, ...]:
    """Return the parameters of UPDATE_ITEM."""
    return (*(getattr(item, name) for name in _MOVING), now, item.pk)


def attempt_values(attempt: Attempt) -> tuple[Any, ...]:
    """Return the parameters of PUT_ATTEMPT."""
    return tuple(getattr(attempt, name) for name in _ATTEMPT_FIELDS)


def read_outcomes(connection: sqlite3.Connection, batch: int) -> Iterator[Sequence[Outcome]]:
    """Yield the wanted items of a batch with attempts and results, in manifest order, in chunks.

    A chunk has at most CHUNK_ROWS items, and ends with the item whose result brings it to CHUNK_BYTES.
    """
    after: int | None = 0
    while after is not None:
        rows = connection.execute(
            f"SELECT {ITEM}, {REQUEST}, s.raw, s.is_whole_answer, {ATTEMPT}"
            " FROM items i JOIN requests r ON r.pk = i.request"
            " LEFT JOIN attempts a ON a.item = i.pk AND a.k = i.follows"
            " LEFT JOIN results s ON s.item = i.pk AND s.k = i.follows"
            " WHERE i.batch = ? AND i.wanted = 1 AND i.row > ? ORDER BY i.row LIMIT ?",
            (batch, after, CHUNK_ROWS),
        )
        with closing(rows):
            chunk = _chunk_from(map(_outcome_from, rows))
        after = chunk[-1].item.row if chunk else None
        if chunk:
            yield chunk
        del chunk  # its results are not kept while more are read


def read_sizes(connection: sqlite3.Connection, batch: int) -> Iterator[int]:
    """Yield the size of each result in bytes, in the order of `read_outcomes`, without reading results."""
    rows = connection.execute(
        "SELECT coalesce(length(s.raw), 0) FROM items i"
        " LEFT JOIN results s ON s.item = i.pk AND s.k = i.follows"
        " WHERE i.batch = ? AND i.wanted = 1 ORDER BY i.row",
        (batch,),
    )
    return (size for (size,) in rows)


def _chunk_from(outcomes: Iterator[Outcome]) -> list[Outcome]:
    """Return outcomes until their results come to CHUNK_BYTES."""
    chunk: list[Outcome] = []
    size = 0
    for outcome in outcomes:
        chunk.append(outcome)
        size += len(outcome.result or b"")
        if size >= CHUNK_BYTES:
            break
    return chunk


def _outcome_from(row: Sequence[Any]) -> Outcome:
    width = len(_ITEM_FIELDS)
    raw, is_whole_answer = row[width + 4 : width + 6]
    attempt = row[width + 6 :]
    return Outcome(
        item=item_from(row[:width]),
        request=request_from(row[width : width + 4]),
        attempt=attempt_from(attempt) if attempt[0] is not None else None,
        result=raw,
        is_whole_answer=bool(is_whole_answer),
    )
