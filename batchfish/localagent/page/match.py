"""Fields matched with facts: which value of a page each property of a schema gets, and what is left open."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from itertools import permutations
from typing import TYPE_CHECKING, Any

from batchfish.localagent.page.assignment import assign
from batchfish.localagent.page.coerce import coerce, wants_link
from batchfish.localagent.page.model import Source
from batchfish.localagent.page.money import find_money
from batchfish.localagent.page.plan import Kind
from batchfish.localagent.page.ranges import are_ends_of_one, read_end
from batchfish.localagent.page.similarity import similarity_of
from batchfish.localagent.page.units import measures_same, unit_of
from batchfish.localagent.page.vocabulary import MEASURED
from batchfish.localagent.page.words import label, singular

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from batchfish.localagent.page.model import Fact
    from batchfish.localagent.page.numbers import Locale
    from batchfish.localagent.page.plan import Wanted

SURE = 0.68
"""Below this a pair is a guess, and no value at all is better than a guess."""
CLOSE = 0.08
"""Values whose scores differ by less are equally good; where they say different things, none is sure."""
UNIT_BONUS = 0.1
FALLBACK = 0.8
PER_PERIOD = re.compile(
    r"(?:/|\b(?:per|pro|par|por|al|pr\.?) )\s*"
    r"(?:mo\b|month|monat|mois|mes\b|mese|maand|mån|md\b|mies|year|yr\b|jahr|an\b|año|anno|jaar|rok)"
    r"|\bmtl\b|\bmonthly\b|\bmensual|\bmonatlich|\bmensuel",
    re.IGNORECASE,
)
PERIODICAL = frozenset(
    {"month", "monthly", "year", "yearly", "annual", "rent", "rate", "fee", "week", "weekly"}
)
SEVERAL_COST = 0.1
"""What structured data says several of is seldom the one value of a thing that has another, too."""
PERIOD_COST = 0.1
"""What is paid by the month is seldom the price of a thing that has another."""
HASHTAGS = re.compile(r"\s*#[\w-]+(?:\s+#[\w-]+)*\s*")
LABELS = frozenset({Source.PAIR, Source.DATA})
WHOLE = 0.9
"""Below this only a part of a label is the field's name: “Price of patience” for a price."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A fact that a field may get, as a value of the field's kind, and how sure it is.

    `is_exact`: it is called what the field is, word for word.
    """

    fact: Fact
    value: Any
    score: float
    is_exact: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """What the fields of an object got, and for those that got nothing, why."""

    found: dict[str, Candidate] = field(default_factory=dict)
    unsure: dict[str, str] = field(default_factory=dict)


def match(wanted: Sequence[Wanted], facts: Sequence[Fact], locale: Locale) -> Match:
    """Give each field the fact that fits best, all fields at once; fields between two minds get none."""
    candidates = [_candidates(one, facts, locale) for one in wanted]
    nodes = sorted({fact_candidate.fact.node for several in candidates for fact_candidate in several})
    column = {node: index for index, node in enumerate(nodes)}
    best: list[dict[tuple[int, int], Candidate]] = []
    for several in candidates:
        by_node: dict[tuple[int, int], Candidate] = {}
        for candidate in several:
            known = by_node.get(candidate.fact.node)
            if known is None or candidate.score > known.score:
                by_node[candidate.fact.node] = candidate
        best.append(by_node)
    scores = [[0.0] * len(nodes) for _ in wanted]
    for row, by_node in enumerate(best):
        for node, candidate in by_node.items():
            scores[row][column[node]] = candidate.score
    chosen = [
        None if place is None else by_node[nodes[place]]
        for place, by_node in zip(assign(scores), best, strict=True)
    ]
    owners = {one.fact.node: one.score for one in chosen if one is not None}
    outcome = Match()
    for one, by_node, got in zip(wanted, best, chosen, strict=True):
        if got is None:
            continue
        rivals = [
            rival
            for node, rival in by_node.items()
            if rival.score > got.score - CLOSE
            and not same_value(rival.value, got.value)
            and owners.get(node, 0.0) < rival.score  # what another field surely gets is no rival
            and (rival.fact.source is not Source.META or got.fact.source is Source.META)  # seen is believed
            and not (got.is_exact and not rival.is_exact and got.fact.source in LABELS)
        ]
        if rivals:
            said = " or ".join(f"“{one_of.fact.text}”" for one_of in (got, rivals[0]))
            outcome.unsure[one.name] = f"{got.fact.where}: {said}?"
        else:
            outcome.found[one.name] = got
    _share_ranges(wanted, outcome, locale)
    return outcome


def _share_ranges(wanted: Sequence[Wanted], outcome: Match, locale: Locale) -> None:
    """Give a field that is left the other end of the range that a field like it got one end of."""
    for one, other in permutations(wanted, 2):
        got = outcome.found.get(other.name)
        if got is None or {one.name} & {*outcome.found, *outcome.unsure} or not are_ends_of_one(one, other):
            continue
        if read_end(got.fact.text, one) is not None and (value := coerce(got.fact, one, locale)) is not None:
            outcome.found[one.name] = replace(got, value=value)


def _candidates(wanted: Wanted, facts: Iterable[Fact], locale: Locale) -> list[Candidate]:
    found = []
    for fact in facts:
        if fact.source is Source.LINK and not wants_link(wanted):
            continue  # its text says where it leads, which is no value
        alike = score_name(wanted, fact.label)
        score = alike * fact.trust
        if fact.source is Source.QUANTITY and wanted.kind is Kind.TEXT and alike < WHOLE:
            continue
        if fact.source is Source.DATA and len(fact.items) > 1:
            score -= SEVERAL_COST
        if fact.source is Source.QUANTITY and wanted.kind is Kind.TEXT and _is_one_of(wanted, fact.label):
            continue  # “57 versions” says how many there are, not which
        if "price" in wanted.senses and PER_PERIOD.search(fact.text) and not _is_per_period(wanted):
            score -= PERIOD_COST
        if alike < WHOLE and not _may_be_measured(wanted, fact.text):
            continue
        if wanted.unit and score and (unit := _unit_in(fact.text)) and measures_same(unit, wanted.unit):
            score += UNIT_BONUS
        if score >= SURE and (value := coerce(fact, wanted, locale)) is not None:
            found.append(Candidate(fact=fact, value=value, score=score, is_exact=alike == 1))
    return found


def _is_one_of(wanted: Wanted, noun: str) -> bool:
    """Whether a noun that is counted is the plural of what a field wants one of."""
    counted = label(noun).phrase
    return (
        wanted.senses.isdisjoint(MEASURED)
        and singular(counted) != counted
        and singular(counted) == wanted.label.phrase
    )


def _is_per_period(wanted: Wanted) -> bool:
    return any(word in PERIODICAL for word in wanted.label.phrase.split())


def _may_be_measured(wanted: Wanted, text: str) -> bool:
    """Whether a text may be the amount that a field wants: of money it says the currency."""
    if wanted.currency or "price" in wanted.senses:
        return bool(find_money(text))
    return wanted.senses.isdisjoint(MEASURED) or any(map(str.isnumeric, text))


def read_items(fact: Fact, member: Wanted, locale: Locale) -> list[Any] | None:
    """Give the values of a fact that is a list; None where one of them is not as the field wants it."""
    texts = fact.items or tuple(_split(fact.text))
    values = [coerce(replace(fact, text=text, exact=None), member, locale) for text in texts]
    return values if values and None not in values else None


def _split(text: str) -> Iterator[str]:
    parts = text.split("\n") if "\n" in text else re.split(r"\s*[;,·|]\s*", text)
    if HASHTAGS.fullmatch(text):
        parts = text.replace("#", " ").split()
    return filter(None, (part.strip() for part in parts))


def score_name(wanted: Wanted, name: str) -> float:
    """Say how well a name that a page gives a value fits a field's, spelled with its unit or without."""
    if _counts_it(wanted, name):
        return 0.0
    best = similarity_of((wanted.label, wanted.spelled, *wanted.aliases), name)
    return max(best, FALLBACK * similarity_of(wanted.fallbacks, name))


def _counts_it(wanted: Wanted, name: str) -> bool:
    """Whether a label says how many there are of what a field wants: the rating count is no rating."""
    stems = label(name).stems
    return wanted.kind is not Kind.INTEGER and "count" in stems and "count" not in wanted.label.stems


def _unit_in(text: str) -> str | None:
    words = text.replace("\xa0", " ").split()
    return next((unit for word in words if (unit := unit_of(word))), None)


def same_value(first: object, second: object) -> bool:
    """Whether two values say the same, one of them perhaps in more words."""
    if isinstance(first, str) and isinstance(second, str):
        shorter, longer = sorted(
            (f" {' '.join(label(text).phrase.split())} " for text in (first, second)), key=len
        )
        return shorter in longer
    return bool(first == second)
