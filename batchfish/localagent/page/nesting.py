"""Objects inside records: taken apart into plain fields to be looked for, and put together again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from batchfish.localagent.page.plan import Kind
from batchfish.localagent.page.words import concepts_of, label

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from batchfish.localagent.page.plan import Wanted


def flatten(fields: Sequence[Wanted]) -> list[Wanted]:
    """Give the plain fields of an object, those of objects in it under `object.field`.

    The amount of a price is a price: a plain part that means nothing by itself means what its object does.
    """
    return [plain for one in fields for plain in _plain(one)]


def _plain(one: Wanted) -> Iterator[Wanted]:
    if one.kind is not Kind.OBJECT:
        yield one
        return
    for inner in flatten(one.fields):
        whole = label(f"{one.label.phrase} {inner.label.phrase}")
        yield replace(
            inner,
            name=f"{one.name}.{inner.name}",
            label=whole,
            aliases=(*inner.aliases, inner.label),
            senses=concepts_of(whole) or (inner.senses - {"name"}) or one.senses or inner.senses,
            is_nullable=inner.is_nullable or one.is_nullable,
        )


def nest(row: Mapping[str, Any], fields: Sequence[Wanted], path: str = "") -> dict[str, Any]:
    """Make the record of a schema out of plain values: null where a value is missing and may be."""
    record: dict[str, Any] = {}
    for one in fields:
        where = f"{path}.{one.name}" if path else one.name
        value = row.get(where)
        if one.kind is Kind.OBJECT:
            inner = nest(row, one.fields, where)
            value = inner if any(part is not None for part in inner.values()) else None
        if value is not None or one.is_nullable:
            record[one.name] = value
    return record
