"""Lists whose records hold lists of records themselves: dishes by section, trains by day, rooms by hotel.

The inner records are read as one list of the whole page; each belongs to the outer record that it stands in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from batchfish.localagent.page.fit import fit
from batchfish.localagent.page.lists import NoList, read_list
from batchfish.localagent.page.nesting import flatten, nest
from batchfish.localagent.page.plan import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchfish.localagent.page.fit import Fit
    from batchfish.localagent.page.model import Page
    from batchfish.localagent.page.plan import Wanted
    from batchfish.localagent.page.records import Records


@dataclass(frozen=True, kw_only=True, slots=True)
class NestedRecords:
    """Records with their own lists of records, in order, and where both stand in words."""

    rows: tuple[dict[str, Any], ...]
    where: str


def inner_list(fields: Sequence[Wanted]) -> Wanted | None:
    """Give the one field of a record that is a list of records; None where there is none or several."""
    found = [
        one for one in fields if one.kind is Kind.ARRAY and one.member and one.member.kind is Kind.OBJECT
    ]
    return found[0] if len(found) == 1 else None


def read_nested(page: Page, fields: Sequence[Wanted], inner: Wanted) -> NestedRecords | NoList:
    """Read the records of a list, each with the list within it."""
    members = inner.member.fields if inner.member else ()
    found = read_list(page, [inner.name], flatten(members))
    if isinstance(found, NoList):
        return found
    if found.lacking:
        return NoList(why=f"not every record of {inner.name} has {found.lacking[0][1]}")
    places = [_place(found, number) for number in found.numbers]
    plain = _named([one for one in flatten(fields) if one.name != inner.name])
    tries = [
        _sort(outer, plain, places) for group in page.groups if (outer := fit(group, plain, page.locale))
    ]
    sorted_in = [one for one in tries if one]
    if not sorted_in:
        return NoList(why=f"nothing on the page holds the records of {inner.name} by {plain[0].name}")
    outer, owners = max(sorted_in, key=lambda one: sum(pair.score for pair in one[0].pairs.values()))
    rows = []
    for number in dict.fromkeys(owners):
        row = {name: pair.values[number] for name, pair in outer.pairs.items() if number in pair.values}
        own = [nest(each, members) for each, owner in zip(found.rows, owners, strict=True) if owner == number]
        rows.append({**nest(row, [one for one in fields if one.name != inner.name]), inner.name: own})
    return NestedRecords(rows=tuple(rows), where=f"{outer.group.where} with {found.fit.group.where}")


def _named(fields: list[Wanted]) -> list[Wanted]:
    """Let the first text be the name of what holds the records: a section, a day."""
    first = next((one for one in fields if one.kind is Kind.TEXT), None)
    if first is None or any("name" in one.senses for one in fields):
        return fields
    return [replace(one, senses=one.senses | {"name"}) if one is first else one for one in fields]


def _place(found: Records, number: int) -> int:
    """Give the number of the first element of a record that says something."""
    cells = [pair.look.column.cells for pair in found.fit.pairs.values()]
    return min(one[number].node[0] for one in cells if number in one)


def _sort(outer: Fit, plain: Sequence[Wanted], places: Sequence[int]) -> tuple[Fit, list[int]] | None:
    """Say which record of a group each place stands in; None where one stands in none, or all in one."""
    spans = outer.group.spans
    needed = {one.name for one in plain if one.is_required and not one.is_nullable}
    if not spans or not needed <= outer.pairs.keys():
        return None
    owners = [
        next((number for number, (first, last) in enumerate(spans) if first <= place <= last), None)
        for place in places
    ]
    known = [number for number in owners if number is not None]
    whole = all(number in outer.pairs[name].values for number in set(known) for name in needed)
    if len(known) < len(owners) or not whole or len(set(known)) == len(known):
        return None
    return outer, known
