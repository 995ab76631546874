"""The records of one group that fits, and how likely they are those that are asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchfish.localagent.page.kinds import is_sponsored
from batchfish.localagent.page.similarity import similarity
from batchfish.localagent.page.words import label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchfish.localagent.page.fit import Fit
    from batchfish.localagent.page.model import Group
    from batchfish.localagent.page.plan import Wanted

GATE = 0.5
"""Below this share of the fields, weighed by how sure each is, a group is no list of what is asked for."""
NULLABLE_WEIGHT, ABSENT_WEIGHT = 0.6, 0.3
MARGIN_COST, NAMED_BONUS, HEADED_BONUS, TABLE_BONUS, SIZE_BONUS = 0.3, 0.15, 0.05, 0.03, 0.015
OTHERS_COST = 0.1
"""Elements that look like the records and are none make a list less likely."""
NAMED = 0.6
INTRUDER = 0.5
SPONSORED_LABEL = label("sponsored")


@dataclass(frozen=True, kw_only=True, slots=True)
class Records:
    """The records read from one group: values by field, those that lack a required one by number and name.

    `numbers` are the numbers of the records in their group. `is_named`: what the list is called stands over
    it or in its classes; `is_headed`: in the nearest heading over it.
    """

    fit: Fit
    rows: tuple[Mapping[str, Any], ...]
    numbers: tuple[int, ...]
    lacking: tuple[tuple[int, str], ...]
    quality: float
    is_named: bool
    is_headed: bool = False


def records_of(found: Fit, names: Sequence[str], fields: Sequence[Wanted]) -> Records:
    """Make the records of a group; their quality is the higher, too, where it is called one of `names`."""
    group, pairs = found.group, found.pairs
    numbers, rows, lacking = _rows(found, fields)
    weights = {one.name: _weight(one, is_missed=one.name not in pairs and len(pairs) > 1) for one in fields}
    filled = sum(
        weights[name] * pair.score * min(1.0, sum(name in row for row in rows) / max(1, len(rows)))
        for name, pair in pairs.items()
    )
    quality = filled / sum(weights.values())
    if any(one.is_required and not one.is_nullable and one.name not in pairs for one in fields):
        quality = min(quality, GATE * 0.99)
    is_named = is_called(group, names)
    is_headed = any(_says_name(name, title) for name in names for title in group.titles[:1])
    quality += (
        NAMED_BONUS * is_named
        + HEADED_BONUS * is_headed
        + TABLE_BONUS * group.is_table
        - OTHERS_COST * (1 - len(rows) / group.size)
        + SIZE_BONUS * math.log2(len(rows) + 1)
        - MARGIN_COST * group.is_marginal
        - len(lacking) / max(1, len(rows))
    )
    return Records(
        fit=found,
        rows=tuple(rows),
        numbers=tuple(numbers),
        lacking=tuple(lacking),
        quality=quality,
        is_named=is_named,
        is_headed=is_headed,
    )


def is_called(group: Group, names: Sequence[str]) -> bool:
    """Whether a heading over a group or its class says one of some names."""
    said = [*group.titles[:2], " ".join(group.marks), *group.marks]
    return any(_says_name(name, title) for name in names for title in said)


def _says_name(name: str, title: str) -> bool:
    return similarity(label(name), label(title)) >= NAMED


def _weight(wanted: Wanted, *, is_missed: bool) -> float:
    """Say how much a field counts: one that may be null is hardly missed where several others are found."""
    if wanted.is_required and not wanted.is_nullable:
        return 1.0
    return ABSENT_WEIGHT if is_missed else NULLABLE_WEIGHT


def _rows(
    found: Fit, fields: Sequence[Wanted]
) -> tuple[list[int], list[dict[str, Any]], list[tuple[int, str]]]:
    """Make records; those that fill less than half of what others do are something else between them."""
    needed = {one.name for one in fields if one.is_required and not one.is_nullable}
    made = [
        {name: pair.values[number] for name, pair in found.pairs.items() if number in pair.values}
        for number in range(found.group.size)
    ]
    bought = _advertised(found.group, fields)
    usual = max((len(row) for row in made), default=0)
    numbers = [
        number
        for number, row in enumerate(made)
        if row
        and number not in bought
        and (len(row) >= usual * INTRUDER or (found.group.is_table and needed and needed <= row.keys()))
        and (not needed or len(needed & row.keys()) >= len(needed) * INTRUDER)
    ]
    rows = [made[number] for number in numbers]
    lacking = [(place, name) for place, row in enumerate(rows) for name in sorted(needed - row.keys())]
    return numbers, rows, lacking


def _advertised(group: Group, fields: Sequence[Wanted]) -> set[int]:
    """Give the few records that say that somebody paid for them, unless a field asks for that."""
    if any(similarity(one.label, SPONSORED_LABEL) >= NAMED for one in fields):
        return set()
    marked = {
        number for column in group.columns for number, fact in column.cells.items() if is_sponsored(fact.text)
    }
    return marked if len(marked) * 2 < group.size else set()
