"""Columns of a list that no field took, for the fields that have none."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from batchfish.localagent.page.coerce import wants_person
from batchfish.localagent.page.columns import Pair, values_of
from batchfish.localagent.page.elimination import (
    CLEARLY,
    LONGEST_NUMBER,
    SCORE,
    is_called_else,
    is_surely_there,
    is_told_by_name,
    likeness_of,
)
from batchfish.localagent.page.model import Facet, Source
from batchfish.localagent.page.money import find_money
from batchfish.localagent.page.plan import Kind
from batchfish.localagent.page.tree import one_line
from batchfish.localagent.page.units import measures_same
from batchfish.localagent.page.vocabulary import MEASURED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchfish.localagent.page.looks import Look
    from batchfish.localagent.page.model import Fact, Group
    from batchfish.localagent.page.plan import Wanted

IN_DIGITS = MEASURED | {"start", "end", "deadline", "modified"}
"""What is written with a digit, also where a text is wanted."""
HINT = 0.3
"""A label that shares a word with the field's name tells it from others that share none."""
FEWEST_IN_ORDER = 2
DERIVED = re.compile(r"@\(\)|/a$|^@@")
MOST = 0.4
"""What may be null stands in this share of the records at least."""
TIME_OF_DAY = re.compile(r"\d{1,2}(?:[:.h]\d\d)?\s?(?:[ap]\.?m|uhr|h\b|[–—-]\s?\d)", re.IGNORECASE)
NUMBERS = frozenset({Kind.NUMBER, Kind.INTEGER})


def rest_of_columns(
    fields: Sequence[Wanted],
    looks: Sequence[Look],
    pairs: dict[str, Pair],
    unsure: Mapping[str, str],
    group: Group,
) -> None:
    """Give fields that are left the columns that are left, as long as there is but one way to do it."""
    needed = [one for one in fields if one.is_required and not one.is_nullable] or fields
    if sum(one.name in pairs for one in needed) * 2 < len(needed):
        return
    if group.is_table and not unsure:
        _take_in_order(fields, looks, pairs)
    open_fields = [one for one in fields if one.name not in {*pairs, *unsure}]
    left = [one for one in open_fields if is_surely_there(one)] or _last_text(open_fields)
    is_named = any("name" in pair.look.kinds for pair in pairs.values())
    is_optional = any(one.is_nullable for one in left)
    free = [
        look
        for look in _free(looks, pairs)
        if (is_named and not is_optional) or not look.column.is_above
        if len(look.column.cells) >= group.size * MOST
    ]
    while left:
        options = [(one, look) for one in left for look in free if _may_be(one, look, group)]
        whole = [option for option in options if len(option[1].column.cells) == group.size]
        found = _only_way(whole) or (_only_way(options) if is_optional else None)
        if found is None:
            return
        one, look = found
        pairs[one.name] = Pair(look=look, score=SCORE, values=values_of(look, one))
        left.remove(one)
        free = [other for other in free if not _is_within(other.sample, [fact.text for fact in look.sample])]


def _take_in_order(fields: Sequence[Wanted], looks: Sequence[Look], pairs: dict[str, Pair]) -> None:
    """Give the fields that are left of a table their columns, where both are as many in the same order."""
    columns = [look for look in looks if look.column.facet is Facet.TEXT and _is_whole(look)]
    if len(columns) != len(fields):
        return
    known = [
        pairs[one.name].look is look for one, look in zip(fields, columns, strict=True) if one.name in pairs
    ]
    left = [(one, look) for one, look in zip(fields, columns, strict=True) if one.name not in pairs]
    if len(known) < FEWEST_IN_ORDER or not all(known):
        return
    if any(is_called_else(one, _labels(look)) for one, look in left):
        return
    values = {one.name: values_of(look, one) for one, look in left}
    if all(values[one.name] for one, look in left):
        pairs.update((one.name, Pair(look=look, score=SCORE, values=values[one.name])) for one, look in left)


def _is_whole(look: Look) -> bool:
    """Whether a column is one that a table has, not made of a part of one."""
    return not look.column.is_above and not DERIVED.search(look.column.key)


def _last_text(open_fields: Sequence[Wanted]) -> list[Wanted]:
    """Give the only field that is left, a text that may be null: every record may have one more."""
    is_text = len(open_fields) == 1 and open_fields[0].kind is Kind.TEXT
    return list(open_fields) if is_text and is_told_by_name(open_fields[0]) else []


def _only_way(options: Sequence[tuple[Wanted, Look]]) -> tuple[Wanted, Look] | None:
    """Give a field and the one column that it can have: that whose label says so, else the only one."""
    hints = [likeness_of(one, _names(look)) for one, look in options]
    for (one, look), hint in zip(options, hints, strict=True):
        rivals = [
            rival
            for (other, column), rival in zip(options, hints, strict=True)
            if (other is one) != (column is look)
        ]
        if hint >= HINT and all(hint - rival >= CLEARLY for rival in rivals):
            return one, look
    counts = Counter(one.name for one, _ in options)
    for one, look in options:
        rivals_of_it = [other for other, column in options if column is look and other is not one]
        if counts[one.name] == 1 and all(counts[other.name] > 1 for other in rivals_of_it):
            return one, look
    return None


def _free(looks: Sequence[Look], pairs: Mapping[str, Pair]) -> list[Look]:
    """Give the columns that hold nothing that a field got."""
    said = [
        [fact.text for fact in pair.look.sample]
        for pair in pairs.values()
        if not pair.look.column.key.startswith("@@")  # what is of a kind is only a part of such a text
    ]
    labelled = {
        look.column.key.partition("~")[0] for look in looks if "~" in look.column.key and _labels(look)
    }
    return [
        look
        for look in looks
        if not look.column.is_constant
        and look.column.key not in labelled
        and not look.column.is_old
        and "@" not in look.column.key.removesuffix("@()").removesuffix("@second")
        and not any(_is_within(look.sample, texts) for texts in said)
    ]


def _may_be(wanted: Wanted, look: Look, group: Group) -> bool:
    """Whether a column may hold a field: nothing that it is called or looks like speaks against it."""
    if wanted.kind not in {*NUMBERS, Kind.TEXT} or look.column.facet is not Facet.TEXT:
        return False
    if is_called_else(wanted, _labels(look)):
        return False
    if "hours" in wanted.senses and not any(TIME_OF_DAY.search(fact.text) for fact in look.sample):
        return False
    if wanted.kind is Kind.TEXT:
        is_labelled = any(source is Source.PAIR for _, source in look.column.names)
        if not (look.is_plain or is_labelled) or look.column.is_composite:
            return False
        has_digits = any(map(str.isdigit, "".join(fact.text for fact in look.sample)))
        if (wants_person(wanted) and has_digits) or (wanted.senses & IN_DIGITS and not has_digits):
            return False
        if look.kinds.keys() - {"description", "name"} or (group.is_table and is_labelled and look.is_typed):
            return False
    elif not _is_numbers(wanted, look):
        return False
    return len(values_of(look, wanted)) == len(look.column.cells)


def _is_numbers(wanted: Wanted, look: Look) -> bool:
    """Whether a column holds amounts in the unit of a field, or bare ones."""
    counts = any(source is Source.QUANTITY for _, source in look.column.names)
    if counts and likeness_of(wanted, _names(look)) < HINT:
        return False  # it counts something else
    if not look.units <= {unit for unit in look.units if measures_same(unit, wanted.unit or unit)}:
        return False
    texts = [one_line(fact.text) for fact in look.sample]
    return not look.kinds.keys() & {"date", "phone", "year"} and all(
        len(text) <= LONGEST_NUMBER and bool(find_money(text)) == bool(wanted.currency) for text in texts
    )


def _names(look: Look) -> list[str]:
    return [name for name, _ in look.column.names]


def _labels(look: Look) -> list[str]:
    return [name for name, source in look.column.names if source in {Source.PAIR, Source.DATA}]


def _is_within(sample: Sequence[Fact], texts: Sequence[str]) -> bool:
    """Whether values are parts of those of another column, or hold them."""
    return len(sample) == len(texts) and all(
        fact.text in text or text in fact.text for fact, text in zip(sample, texts, strict=True)
    )
