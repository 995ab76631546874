"""Which row is which item where one and the same thing is asked for more than once."""

from __future__ import annotations

from collections import defaultdict, deque
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from batchfish.core import identity

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

_ITEMS = """
SELECT fingerprint, pk, id, occurrence, key FROM items
WHERE batch = :batch AND fingerprint IN temp.repeated ORDER BY wanted DESC, occurrence
"""
_ROWS = """
SELECT fingerprint, row, given_id FROM temp.incoming
WHERE fingerprint IN temp.repeated ORDER BY fingerprint, row
"""


class _Known(NamedTuple):
    """An item that is not the only one of its fingerprint."""

    pk: int
    id: str
    occurrence: int
    key: str


def match_repeated(
    connection: sqlite3.Connection, parameters: dict[str, Any]
) -> Iterator[tuple[int | None, int, str, str, int]]:
    """Give item, occurrence, key, id and row of each row whose fingerprint is not the only one."""
    items: defaultdict[bytes, list[_Known]] = defaultdict(list)
    for fingerprint, *item in connection.execute(_ITEMS, parameters):
        items[fingerprint].append(_Known(*item))
    for fingerprint, group in groupby(connection.execute(_ROWS).fetchall(), key=itemgetter(0)):
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
    """Let rows of one fingerprint take its items, given as pk and id: by equal id first, then in order."""
    called: defaultdict[str, deque[int]] = defaultdict(deque)
    for pk, item_id in items:
        called[item_id].append(pk)
    by_id = [called[own].popleft() if own is not None and called[own] else None for own in ids]
    taken = frozenset(by_id)
    left = (pk for pk, _ in items if pk not in taken)
    return [next(left, None) if pk is None else pk for pk in by_id]
