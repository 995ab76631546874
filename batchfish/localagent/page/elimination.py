"""What is left when most is matched: fields without a value, columns and labelled values without a field.

A field that may not be null is surely there. Where just one of what nothing took can be it, it is that one,
whatever it is called; where several can, it is the one whose label shares a word with the field's name.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from batchfish.localagent.page.amounts import units_in
from batchfish.localagent.page.coerce import coerce, wants_link, wants_person
from batchfish.localagent.page.columns import Pair, values_of
from batchfish.localagent.page.match import Candidate, same_value
from batchfish.localagent.page.model import Facet, Source
from batchfish.localagent.page.money import find_money
from batchfish.localagent.page.plan import Kind
from batchfish.localagent.page.similarity import similarity_of, will_do
from batchfish.localagent.page.tree import one_line
from batchfish.localagent.page.units import measures_same
from batchfish.localagent.page.vocabulary import MEASURED
from batchfish.localagent.page.words import concepts_of, label

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from batchfish.localagent.page.looks import Look
    from batchfish.localagent.page.match import Match
    from batchfish.localagent.page.model import Fact, Group
    from batchfish.localagent.page.numbers import Locale
    from batchfish.localagent.page.plan import Wanted

SCORE = 0.69
"""How sure it is of what is left: surer than a guess, less so than anything that is named."""
IN_DIGITS = MEASURED | {"start", "end", "deadline", "modified"}
"""What is written with a digit, also where a text is wanted."""
HINT, LIKELY, CLEARLY = 0.3, 0.45, 0.1
"""A label that shares a word with the field's name tells it from others that share none."""
FEWEST_IN_ORDER = 2
DERIVED = re.compile(r"@\(\)|/a$|^@@")
MOST = 0.4
"""What may be null stands in this share of the records at least."""
LONGEST_NUMBER = 24
FORMED = frozenset({"price", "old price", "rating", "email", "phone", "fax", "currency", "availability"})
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
    left = [one for one in open_fields if _is_surely_there(one)] or _last_text(open_fields)
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
    values = {one.name: values_of(look, one) for one, look in left}
    if all(values[one.name] for one, look in left):
        pairs.update((one.name, Pair(look=look, score=SCORE, values=values[one.name])) for one, look in left)


def _is_whole(look: Look) -> bool:
    """Whether a column is one that a table has, not made of a part of one."""
    return not look.column.is_above and not DERIVED.search(look.column.key)


def _last_text(open_fields: Sequence[Wanted]) -> list[Wanted]:
    """Give the only field that is left, a text that may be null: every record may have one more."""
    is_text = len(open_fields) == 1 and open_fields[0].kind is Kind.TEXT
    return list(open_fields) if is_text and _is_told_by_name(open_fields[0]) else []


def _is_surely_there(wanted: Wanted) -> bool:
    return wanted.is_required and not wanted.is_nullable and _is_told_by_name(wanted)


def _is_told_by_name(wanted: Wanted) -> bool:
    """Whether nothing but its name tells a field: what has a form is found by that, or is not there."""
    return wanted.senses.isdisjoint(FORMED) and not wants_link(wanted)


def _only_way(options: Sequence[tuple[Wanted, Look]]) -> tuple[Wanted, Look] | None:
    """Give a field and the one column that it can have: that whose label says so, else the only one."""
    hints = [_hint(one, _names(look)) for one, look in options]
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
    if _is_called_else(wanted, _labels(look)):
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
    if counts and _hint(wanted, _names(look)) < HINT:
        return False  # it counts something else
    if not look.units <= {unit for unit in look.units if measures_same(unit, wanted.unit or unit)}:
        return False
    texts = [one_line(fact.text) for fact in look.sample]
    return not look.kinds.keys() & {"date", "phone", "year"} and all(
        len(text) <= LONGEST_NUMBER and bool(find_money(text)) == bool(wanted.currency) for text in texts
    )


def _is_called_else(wanted: Wanted, names: Iterable[str]) -> bool:
    """Whether what a value is called is known to mean something else than the field does."""
    senses = wanted.senses | concepts_of(wanted.label)
    known = [concepts_of(label(name)) - {"name"} for name in names]
    is_it = any(senses & concepts or will_do(concepts, senses) for concepts in known)
    return bool(senses) and any(known) and not is_it


def _hint(wanted: Wanted, names: Iterable[str]) -> float:
    spellings = (wanted.label, wanted.spelled, *wanted.aliases)
    return max((similarity_of(spellings, name) for name in names), default=0.0)


def _names(look: Look) -> list[str]:
    return [name for name, _ in look.column.names]


def _labels(look: Look) -> list[str]:
    return [name for name, source in look.column.names if source in {Source.PAIR, Source.DATA}]


def rest_of_facts(wanted: Sequence[Wanted], facts: Sequence[Fact], outcome: Match, locale: Locale) -> None:
    """Give fields that are left the labelled values that are left, where there is but one way to do it."""
    found = outcome.found
    if len(found) * 2 < len(wanted):
        return
    taken = {one.fact.node for one in found.values()}
    said = {str(one.value) for one in found.values()}
    free = [
        fact
        for fact in facts
        if fact.source in {Source.PAIR, Source.DATA} and not fact.is_marginal and fact.node not in taken
    ]
    for one in wanted:
        if one.name in found or one.name in outcome.unsure or not _is_surely_there(one):
            continue
        options = [
            Candidate(fact=fact, value=value, score=_hint(one, [fact.label]))
            for fact in free
            if not _is_called_else(one, [fact.label])
            and (value := coerce(fact, one, locale)) is not None
            and str(value) not in said
        ]
        likely = [option for option in options if option.score >= LIKELY]
        if not likely and _has_a_form(one):
            likely = [option for option in options if _is_of_the_form(option.fact, one)]
        if likely:
            best = max(likely, key=lambda option: option.score)
            if all(
                same_value(option.value, best.value) or best.score - option.score >= CLEARLY
                for option in likely
            ):
                found[one.name] = replace(best, score=SCORE)


def _has_a_form(wanted: Wanted) -> bool:
    """Whether the values of a field can be told from those of others by what they look like."""
    return wanted.kind in {Kind.DATE, Kind.DATE_TIME} or bool(wanted.unit)


def _is_of_the_form(fact: Fact, wanted: Wanted) -> bool:
    text = one_line(fact.text)
    if len(text) > LONGEST_NUMBER:
        return False
    return wanted.unit is None or any(measures_same(unit, wanted.unit) for unit in units_in(text))


def _is_within(sample: Sequence[Fact], texts: Sequence[str]) -> bool:
    """Whether values are parts of those of another column, or hold them."""
    return len(sample) == len(texts) and all(
        fact.text in text or text in fact.text for fact, text in zip(sample, texts, strict=True)
    )
