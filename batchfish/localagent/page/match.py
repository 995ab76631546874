"""The matching of wanted fields with the fields of a record: scores, and one optimal assignment."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from batchfish.localagent.page.candidates.model import MARGIN, Field, Found, Source
from batchfish.localagent.page.dom.text import one_line
from batchfish.localagent.page.values.coerce import EMAIL, OUT_OF, coerce
from batchfish.localagent.page.values.numbers import FREE, find_money
from batchfish.localagent.page.values.times import find_dates
from batchfish.localagent.page.wanted import NUMBERS, Kind, Shape, Wanted
from batchfish.localagent.page.words import concept_of, fold, likeness

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batchfish.localagent.page.candidates.model import Record
    from batchfish.localagent.page.values.numbers import Locale

SURE = 0.5
"""The score from which on a value is believed."""
MOST_CANDIDATES = 8
SECOND_NAME, SECOND_LABEL, LATER_LOSS = 0.97, 0.96, 1e-5
PLAIN = frozenset({Source.TEXT, Source.CLASS, Source.HEADING, Source.LINK})
PRICES = frozenset({"price", "low price", "monthly price", "fee", "salary", "nightly price"})
LISTED = re.compile(r"features|benefits|requirements|responsibilities|ingredients|instructions|tags")
"""The names of properties that the only list of texts in a record may fill."""
SHORT, LONG = 40, 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """A value for what is wanted: where it was found, and how sure it is, from 0 to 1."""

    value: Any
    field: Field
    found: Found
    score: float


def matches_of(record: Record, wanted: Sequence[Wanted], locale: Locale) -> dict[int, Match]:
    """Return a page's best value for each wanted field, by its place; no two get the same part of a text."""
    chosen: list[dict[tuple[object, ...], Match]] = []
    for one in wanted:
        options = sorted(candidates(record, one, locale, is_page=True), key=lambda match: match.score)
        chosen.append({_key(option): option for option in options[-MOST_CANDIDATES:]})
    keys = list(dict.fromkeys(key for options in chosen for key in options))
    scores = [[options[key].score if key in options else 0.0 for key in keys] for options in chosen]
    pairs = enumerate(assign(scores))
    found = {row: chosen[row][keys[column]] for row, column in pairs if column is not None}
    return without_same_prices(found, wanted)


def _key(match: Match) -> tuple[object, ...]:
    """Return what tells values apart: the same words at the same place are one value."""
    is_link = match.field.link is not None and match.value == match.field.link
    return ("link", match.value) if is_link else (match.field.node, fold(match.found.text)[:80])


def candidates(record: Record, wanted: Wanted, locale: Locale, *, is_page: bool) -> Iterator[Match]:
    """Yield the values of a record that may be what is wanted, and how sure each is; an earlier is surer."""
    for place, field in enumerate(record):
        label = _alike(wanted.names, field.labels) * field.trust
        shape = shape_score(wanted, field, locale, is_page=is_page) * (MARGIN if field.is_marginal else 1)
        score = max(label, shape)
        found = coerce(field, wanted, locale) if score >= SURE else None
        if found is not None and (rated := score * found.sureness - place * LATER_LOSS) >= SURE:
            yield Match(value=found.value, field=field, found=found, score=rated)


@lru_cache(maxsize=100_000)
def _alike(names: tuple[str, ...], labels: tuple[str, ...]) -> float:
    """Return how surely a field is what is wanted by what it is called."""
    return max(
        likeness(name, label) * (SECOND_NAME if rank else 1) * (SECOND_LABEL if place > 1 else 1)
        for rank, name in enumerate(names)
        for place, label in enumerate(labels)
    )


def shape_score(wanted: Wanted, field: Field, locale: Locale, *, is_page: bool) -> float:  # noqa: C901, PLR0911, PLR0912
    """Return how surely a field without a fitting label is what is wanted by what it looks like."""
    if field.source in {Source.DATA, Source.META}:
        return 0.0
    text, is_plain = one_line(field.text), field.source in PLAIN
    if field.is_old:
        return 0.85 if wanted.concept == "old price" and next(find_money(text, locale), None) else 0.0
    match wanted.shape:
        case Shape.NAME if wanted.kind is Kind.TEXT and not is_page:
            return _as_name(field, text)
        case Shape.PROSE if len(text) >= SHORT and is_plain and field.is_whole and not is_page:
            return 0.66
        case Shape.MONEY if wanted.concept in PRICES and not wanted.unit and is_plain and len(text) <= 80:
            money = next(find_money(text, locale), None)
            if money is None or FREE.fullmatch(text):
                return 0.58 if money and not is_page else 0.0
            return (0.74 if len(money.text) > len(text) * 0.5 else 0.6) * (0.95 if is_page else 1)
        case Shape.DAY if field.source is Source.ROLE and "date" in field.labels:
            return 0.78
        case Shape.DAY if is_plain and len(text) <= LONG:
            return 0.62 if find_dates(text, locale) else 0.0
        case Shape.EMAIL if len(text) <= 2 * LONG:
            return 0.8 if EMAIL.search(text) else 0.0
        case Shape.WEB_ADDRESS if wanted.concept == "website" and field.link and not is_page:
            return 0.9 if field.source is Source.HEADING else 0.64 if field.source is Source.LINK else 0.6
        case Shape.IMAGE if field.image:
            return 0.66
        case Shape.CURRENCY if len(text) <= LONG:
            return 0.6 if next(find_money(text, locale), None) else 0.0
        case Shape.RATING if len(text) <= LONG:
            return 0.72 if "★" in text or OUT_OF.search(text) else 0.0
        case Shape.STOCK if is_plain and len(text) <= LONG:
            return 0.62
    if wanted.kind is Kind.ARRAY and field.items and not is_page:
        return 0.62 if LISTED.fullmatch(wanted.concept) else 0.0
    if not is_plain or not 0 < len(text) <= SHORT:
        return 0.0
    if wanted.kind is Kind.BOOLEAN and likeness(wanted.names[0], fold(text)) >= 0.9:
        return 0.7
    if wanted.choices:
        return 0.68 if fold(text) in map(fold, wanted.choices) else 0.0
    return 0.56 if wanted.unit and wanted.kind in NUMBERS and not is_page else 0.0


def _as_name(field: Field, text: str) -> float:
    """Return how much a field looks like its record's name: a heading, strong text, a link, a first text."""
    if field.source is Source.HEADING:
        is_other = concept_of(field.labels[0]) not in {"", "name"}
        return 0.6 if is_other else 0.94 - 0.01 * field.level
    if field.level in {7, 8}:
        return 0.72
    if field.source is Source.LINK and len(text) > 1:
        return 0.66
    return 0.56 if field.source in PLAIN and field.is_whole and 1 < len(text) <= 90 else 0.0


def without_same_prices(row: dict[int, Match], wanted: Sequence[Wanted]) -> dict[int, Match]:
    """Drop an old price that is no higher than the price: nothing was reduced."""
    prices = {wanted[place].concept: match.value for place, match in row.items()}
    new, old = prices.get("price"), prices.get("old price")
    is_same = isinstance(new, int | float) and isinstance(old, int | float) and old <= new
    dropped = "old price" if is_same else None
    return {place: match for place, match in row.items() if wanted[place].concept != dropped}


def assign(scores: Sequence[Sequence[float]]) -> list[int | None]:
    """Pair rows with columns, each at most once, for the highest sum; a score of 0 is no pair.

    Taking the best pair first and going on from there would swap fields whenever the second best of one is
    the best of another. O(rows² × columns) (J. Munkres, 1957; the form with potentials).
    """
    rows, columns = len(scores), len(scores[0]) if scores else 0
    width = columns + rows + 1  # each row may also stay alone, at a column of its own that costs nothing
    row_potential, potential, row_of, came_from = [0.0] * (rows + 1), [0.0] * width, [0] * width, [0] * width
    for row in range(1, rows + 1):
        row_of[0], column = row, 0
        least, is_done = [math.inf] * width, [False] * width
        while row_of[column]:
            is_done[column] = True
            current = row_of[column]
            left = [other for other in range(1, width) if not is_done[other]]
            for other in left:
                gain = scores[current - 1][other - 1] if other <= columns else 0.0
                cost = -gain - row_potential[current] - potential[other]
                if cost < least[other]:
                    least[other], came_from[other] = cost, column
            following = min(left, key=least.__getitem__)
            step = least[following]
            for other in range(width):
                if is_done[other]:
                    row_potential[row_of[other]] += step
                    potential[other] -= step
                else:
                    least[other] -= step
            column = following
        while column:
            row_of[column], column = row_of[came_from[column]], came_from[column]
    pairs: list[int | None] = [None] * rows
    for column in range(1, columns + 1):
        row = row_of[column]
        if row and scores[row - 1][column - 1] > 0:
            pairs[row - 1] = column - 1
    return pairs
