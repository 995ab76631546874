"""The read of all items of a batch with the times and costs of their attempts, in one pass."""

from __future__ import annotations

import json
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from batchfish.core.histories import AttemptTimes, Finding, ItemHistory
from batchfish.core.items import AttemptState

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

LONGEST_MESSAGE = 1_000
"""Characters of an item's message that are read; an API may send a megabyte."""

_STATES = {state.value: state for state in AttemptState}
_ITEM_COLUMNS = 8
_FINDINGS = (
    "(SELECT json_group_array(json_array(f.kind, f.evidence)) FROM findings f"
    " WHERE f.item = i.pk AND f.k = i.follows)"
)
_MESSAGE = "coalesce(nullif(i.message, ''), iif(a.k = i.follows, a.error_message, NULL))"


def read_histories(connection: sqlite3.Connection, batch: int, *, is_recent: bool) -> Iterator[ItemHistory]:
    """Yield the history of each item of a batch in the order of their keys, wanted or not.

    `is_recent` is false for a journal below version 3, which recorded no prices and no findings.
    """
    price, findings, spending = "NULL", "NULL", ""
    if is_recent:
        price, findings = "p.step_price", _FINDINGS
        spending = " LEFT JOIN spending p ON p.item = a.item AND p.k = a.k"
    rows = connection.execute(
        "SELECT i.pk, i.id, i.row, i.url, i.status, i.wanted, i.follows, i.reason,"
        f" a.error_code, substr({_MESSAGE}, 1, {LONGEST_MESSAGE}), length({_MESSAGE}),"
        " a.k, a.state, coalesce(a.server_date, a.intended_at), a.created_at, a.started_at, a.finished_at,"
        " iif(a.given_up_boot_id = a.boot_id, a.given_up_at - a.intended_boot, NULL), a.steps,"
        f" {price}, {findings} FROM items i LEFT JOIN attempts a ON a.item = i.pk{spending}"
        " WHERE i.batch = ? ORDER BY i.pk, a.k",
        (batch,),
    )
    for _, group in groupby(rows, itemgetter(0)):
        yield _history_from(list(group))


def _history_from(rows: Sequence[Sequence[Any]]) -> ItemHistory:
    _, item_id, number, url, status, wanted, follows, reason = rows[0][:_ITEM_COLUMNS]
    error_code = message = None
    length = 0
    attempts = []
    for row in rows:
        code, text, characters, k, state, *times, steps, step_price, _ = row[_ITEM_COLUMNS:]
        if text is not None:
            message, length = text, characters
        if k is None:  # an item without attempts
            continue
        if k == follows:
            error_code = code
        sent_at, created_at, started_at, finished_at, given_up_after = times
        attempts.append(
            AttemptTimes(
                k=k,
                state=_STATES[state],
                sent_at=sent_at,
                created_at=created_at,
                started_at=started_at,
                finished_at=finished_at,
                given_up_after=given_up_after,
                steps=steps,
                step_price=step_price,
            )
        )
    return ItemHistory(
        id=item_id,
        row=number,
        url=url,
        status=status,
        wanted=bool(wanted),
        follows=follows,
        attempts=tuple(attempts),
        reason=reason,
        error_code=error_code,
        message=message,
        message_length=length,
        findings=tuple(Finding(*one) for one in json.loads(rows[0][-1] or "[]")),
    )
