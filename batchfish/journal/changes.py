"""The statements that write what an event changes; they set only the columns that it changes.

A statement also maintains the indexes of all columns that it sets, and writes their pages.
"""

from __future__ import annotations

from functools import cache
from itertools import compress
from operator import attrgetter, ne
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec.structs import astuple

from batchfish.core.items import Attempt, Item

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batchfish.core.budget import Reservation
    from batchfish.core.lifecycle import Change

Statement: TypeAlias = tuple[str, "Sequence[Any]"]
"""A statement and its parameters."""

# What says which item it is, or where it stands in the manifest: no event changes that.
_LABELS = frozenset({"pk", "batch", "key", "id", "row", "wanted"})
_OF_ITEM = tuple(name for name in Item.__struct_fields__ if name not in _LABELS)
_ITEM_VALUES = attrgetter(*_OF_ITEM)
# What identifies an attempt, and how it was sent: written once.
_FIXED = frozenset(
    {"item", "k", "marker", "key_id", "body_sha256", "intended_at", "intended_boot", "boot_id", "server_date"}
)
_OF_ATTEMPT = tuple(name for name in Attempt.__struct_fields__ if name not in _FIXED)
_ATTEMPT_VALUES = attrgetter(*_OF_ATTEMPT)
_NEW_ATTEMPT = (
    f"INSERT INTO attempts ({', '.join(Attempt.__struct_fields__)})"
    f" VALUES ({', '.join('?' for _ in Attempt.__struct_fields__)})"
)
_PUT_ATTEMPT = (
    f"{_NEW_ATTEMPT}"
    f" ON CONFLICT (item, k) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _OF_ATTEMPT)}"
)

# The first reservation of an attempt is kept: if its run is adopted later, nothing more is reserved.
_PUT_RESERVATION = "INSERT OR IGNORE INTO spending VALUES (?, ?, ?, ?)"


def statements(
    change: Change,
    now: float,
    *,
    item_before: Item,
    attempt_before: Attempt | None,
    reservation: Reservation | None = None,
) -> Iterator[Statement]:
    """Yield the statements that write a change, where its item and its attempt are as before in the file.

    An attempt before of None: whether the attempt is in the file is not known.
    """
    item, attempt, run = change.item, change.attempt, change.run
    values = _ITEM_VALUES(item)
    changed = tuple(map(ne, _ITEM_VALUES(item_before), values))
    yield _update_item(changed), (*compress(values, changed), now, item.pk)
    if change.reused is not None:
        yield "INSERT INTO reused_results VALUES (?, ?, ?)", (item.pk, change.reused, now)
    if attempt is None:
        return
    is_new = attempt.k > item_before.k
    yield (_NEW_ATTEMPT, astuple(attempt)) if is_new else put_attempt(attempt_before, attempt)
    if reservation is not None:
        yield _PUT_RESERVATION, (item.pk, attempt.k, reservation.amount, reservation.step_price)
    if run is not None and run.result is not None:
        yield (
            "INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?)",
            (attempt.item, attempt.k, run.result, run.is_whole_answer),
        )
    if change.money_event is not None:
        yield (
            "INSERT INTO money_events (at, item, k, message) VALUES (?, ?, ?, ?)",
            (now, item.pk, attempt.k, change.money_event),
        )


def put_attempt(before: Attempt | None, attempt: Attempt) -> Statement:
    """Return the statement that writes an attempt which is `before` in the file.

    None: whether it is in the file is not known.
    """
    if before is None:
        return _PUT_ATTEMPT, astuple(attempt)
    values = _ATTEMPT_VALUES(attempt)
    changed = tuple(map(ne, _ATTEMPT_VALUES(before), values))
    if not any(changed):
        return _PUT_ATTEMPT, astuple(attempt)
    return _update_attempt(changed), (*compress(values, changed), attempt.item, attempt.k)


# The same columns give the same text, which SQLite has prepared then.


@cache
def _update_item(changed: tuple[bool, ...]) -> str:
    columns = (*compress(_OF_ITEM, changed), "changed_at")
    return f"UPDATE items SET {', '.join(f'{name} = ?' for name in columns)} WHERE pk = ?"


@cache
def _update_attempt(changed: tuple[bool, ...]) -> str:
    columns = compress(_OF_ATTEMPT, changed)
    return f"UPDATE attempts SET {', '.join(f'{name} = ?' for name in columns)} WHERE item = ? AND k = ?"
