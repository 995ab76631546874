"""Labelled values that no field of an object took, for the fields that have none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batchfish.localagent.page.amounts import units_in
from batchfish.localagent.page.coerce import coerce
from batchfish.localagent.page.elimination import (
    CLEARLY,
    LONGEST_NUMBER,
    SCORE,
    is_called_else,
    is_surely_there,
    likeness_of,
)
from batchfish.localagent.page.match import Candidate, same_value
from batchfish.localagent.page.model import Source
from batchfish.localagent.page.plan import Kind
from batchfish.localagent.page.tree import one_line
from batchfish.localagent.page.units import measures_same

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchfish.localagent.page.match import Match
    from batchfish.localagent.page.model import Fact
    from batchfish.localagent.page.numbers import Locale
    from batchfish.localagent.page.plan import Wanted

LIKELY = 0.45
"""A label that shares so much with the field's name is likely that of its value."""


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
        if one.name in found or one.name in outcome.unsure or not is_surely_there(one):
            continue
        options = [
            Candidate(fact=fact, value=value, score=likeness_of(one, [fact.label]))
            for fact in free
            if not is_called_else(one, [fact.label])
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
