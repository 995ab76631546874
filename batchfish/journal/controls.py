"""The attempts whose runs a listing must show before it is believed that it lacks another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.journal import records

if TYPE_CHECKING:
    from batchfish.core.items import Attempt
    from batchfish.journal.group import ReadRows

_SENT = "rtrim(i.goal, char(9, 10, 13, 32)) || a.marker"  # as long as the goal as sent, less a constant
_SIZE = f"length({_SENT}), length(CAST({_SENT} AS BLOB))"  # characters, bytes


def find_control(rows: ReadRows, unanswered: Attempt, after: float | None) -> Attempt | None:
    """Return an accepted attempt that a listing must show if it would show the run of `unanswered`.

    With `after`, the first one intended after that moment (boot-time seconds) of the boot in which
    `unanswered` was given up; without it, the latest one. None if there is none.

    It was accepted under the same API key, and its goal is at least as long: a listing that cuts goals, or
    searches only their beginning, shows short goals and misses long ones. The length counts in characters and
    in bytes, since the server may cut by either.
    """
    sizes = f"SELECT {_SIZE} FROM items i JOIN attempts a ON a.item = i.pk WHERE i.pk = ? AND a.k = ?"
    ((characters, octets),) = rows(sizes, unanswered.item, unanswered.k)
    condition = (
        "a.run_id IS NOT NULL AND a.marker <> '' AND a.key_id = ? AND EXISTS (SELECT 1 FROM items i"
        f" WHERE i.pk = a.item AND length({_SENT}) >= ? AND length(CAST({_SENT} AS BLOB)) >= ?)"
    )
    values: list[str | float] = [unanswered.key_id, characters, octets]
    if after is None:
        order = "a.intended_at DESC"
    else:
        condition += " AND a.boot_id = ? AND a.intended_boot > ?"
        values += [unanswered.given_up_boot_id or "", after]
        order = "a.intended_boot"
    found = rows(
        f"SELECT {records.ATTEMPT} FROM attempts a WHERE {condition} ORDER BY {order} LIMIT 1", *values
    )
    return records.attempt_from(found[0]) if found else None
