"""Fields matched with the columns of one group, all at once, and the records that this makes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchfish.localagent.page.assignment import assign
from batchfish.localagent.page.columns import Pair, agree, values_of
from batchfish.localagent.page.completing import (
    drop_same_prices,
    fill_gaps,
    share_ranges,
    take_currency,
    take_flags,
)
from batchfish.localagent.page.left_columns import rest_of_columns
from batchfish.localagent.page.looks import look_at
from batchfish.localagent.page.match import SURE
from batchfish.localagent.page.model import Facet
from batchfish.localagent.page.plan import Kind
from batchfish.localagent.page.scoring import score_column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchfish.localagent.page.looks import Look
    from batchfish.localagent.page.model import Group
    from batchfish.localagent.page.numbers import Locale
    from batchfish.localagent.page.plan import Wanted

CLOSE = 0.02
"""Columns whose scores differ by less are equally good; where they say different things, none is sure."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """How a group fills the fields of a list: the columns by field, and for those in doubt, why."""

    group: Group
    pairs: Mapping[str, Pair]
    unsure: Mapping[str, str] = field(default_factory=dict)


def fit(group: Group, fields: Sequence[Wanted], locale: Locale) -> Fit | None:
    """Give each field the column that fits best, all fields at once; None where none fits."""
    looks = look_at(group, locale)
    scores = [[score_column(one, look, group.size) for look in looks] for one in fields]
    chosen = assign([[score if score >= SURE else 0.0 for score in row] for row in scores])
    pairs: dict[str, Pair] = {}
    unsure: dict[str, str] = {}
    alternates: dict[str, list[int]] = {}
    taken = {number for number in chosen if number is not None}
    for one, row, first in zip(fields, scores, chosen, strict=True):
        if first is None:
            continue
        is_whole = looks[first].column.is_composite and "\n" in looks[first].sample[0].text
        number = _inner(looks, first) if "name" in one.senses or is_whole else first
        number = _list_around(looks, number) if one.kind is Kind.ARRAY else number
        free = [place for place, score in enumerate(row) if place not in taken and score >= SURE]
        values = values_of(looks[number], one)
        rivals = [
            place
            for place in free
            if row[place] > row[first] - CLOSE
            and not _is_nested(looks[place], looks[first])
            and not agree(values, values_of(looks[place], one))
        ]
        if rivals:
            said = " or ".join(f"“{looks[place].sample[0].text[:40]}”" for place in (number, rivals[0]))
            unsure[one.name] = f"{group.where}: {said}?"
        elif values:
            alternates[one.name] = free
            pairs[one.name] = Pair(look=looks[number], score=row[first], values=values)
    if not pairs:
        return None
    fill_gaps(fields, looks, pairs, alternates, group.size)
    share_ranges([one for one in fields if one.name not in unsure], pairs)
    drop_same_prices(fields, pairs)
    take_currency(fields, pairs)
    take_flags(fields, looks, pairs, group.size)
    rest_of_columns(fields, looks, pairs, unsure, group)
    if group.is_joined and not any(pair.look.column.is_above for pair in pairs.values()):
        return None
    return Fit(group=group, pairs=pairs, unsure=unsure)


def _is_nested(first: Look, second: Look) -> bool:
    """Whether one of two columns stands in the other."""
    one, other = sorted((first.column.key, second.column.key), key=len)
    return other.startswith(f"{one}/")


def _list_around(looks: Sequence[Look], number: int) -> int:
    """Give the list that a column holds one entry of, where the page marks it as one."""
    key = looks[number].column.key
    for place, look in enumerate(looks):
        is_list = look.column.key.rpartition("/")[2].split(".")[0] in {"ul", "ol"}
        if is_list and key.startswith(f"{look.column.key}/") and any(fact.items for fact in look.sample):
            return place
    return number


def _inner(looks: Sequence[Look], number: int) -> int:
    """Give the link or the stressed words that begin a column: of a title, they are the title itself."""
    outer = looks[number].column
    for place, look in enumerate(looks):
        column = look.column
        if (
            column.facet is Facet.TEXT
            and column.key.startswith(f"{outer.key}/")
            and column.level < outer.level
            and not column.is_constant
            and column.cells.keys() == outer.cells.keys()
            and all(outer.cells[at].text.startswith(fact.text) for at, fact in column.cells.items())
        ):
            return place
    return number
