"""The list that is wanted among those of a page: its columns are judged as a whole, and paired at once."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from batchfish.localagent.page.candidates.model import RecordList, Source
from batchfish.localagent.page.candidates.records import find_groups
from batchfish.localagent.page.candidates.structured import lists_of_entities
from batchfish.localagent.page.candidates.tables import find_tables
from batchfish.localagent.page.dom.text import one_line
from batchfish.localagent.page.dom.traps import notice_of_nothing
from batchfish.localagent.page.match import Match, assign, candidates, without_same_prices
from batchfish.localagent.page.record import nested
from batchfish.localagent.page.wanted import Kind, Shape, Wanted, leaves
from batchfish.localagent.page.words import likeness, singular, spell_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from batchfish.localagent.page.candidates.fields import FieldFinder
    from batchfish.localagent.page.candidates.model import Record
    from batchfish.localagent.page.dom.document import Document
    from batchfish.localagent.page.values.numbers import Locale

LEAST_FIT, LEAST_FULL = 0.42, 0.25
"""The share of what is wanted that a list must surely fill; and where it has all that is required."""
NOUN_BONUS, DATA_BONUS, MARGIN_LOSS, LONE_LOSS, LENGTH_BONUS, LONG = 0.14, 0.04, 0.3, 0.12, 0.012, 5
FEWEST_BEFORE_NOTICE = 4
SAMPLE, FIRST_LOOK, MOST_COLUMNS = 14, 3, 5
REQUIRED_WEIGHT, OPTIONAL_WEIGHT, NAME_WEIGHT = 1.0, 0.6, 1.4
FEWEST_FILLED, UNFILLED_LOSS, CONSTANT_NAME, MIXED_LOSS, HOPELESS = 0.25, 0.45, 0.6, 0.4, 0.3
INDEX = re.compile(r"\[\d+\]|\|\d+/\d+")
NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """A list that was read: its records in the schema's form, where its values stood, which list it is."""

    records: list[Any]
    source: RecordList
    matches: Mapping[int, Match]
    fields: Sequence[Wanted]


class ListReader:
    """Reads the lists of a page, looked for once; with the key of an earlier page's list only that one."""

    def __init__(self, document: Document, finder: FieldFinder, key: str | None) -> None:
        notice = notice_of_nothing(document.root)
        self._locale = document.locale
        self._notice = None if notice is None else finder.numbers.get(notice)
        found = (lists_of_entities(document.entities), find_tables(finder), find_groups(finder, key))
        self._lists = [one for one in chain(*found) if key in {None, one.key} and self._is_before_notice(one)]

    def read(self, wanted: Wanted, nouns: Sequence[str], most: int | None) -> Listing | None:
        """Return the list that fits what an array wants best; None where none does surely."""
        member = wanted.member
        if member is None:
            return None
        fields = member.fields if member.kind is Kind.OBJECT else (member,)
        flat = leaves(fields)
        names = (*nouns, singular(spell_name(wanted.name)), spell_name(wanted.name))
        fits = [fit for one in self._lists if _is_complete(fit := fit_of(one, flat, self._locale), flat)]
        best = max(fits, key=lambda fit: fit.score + _bonus(fit.records, names), default=None)
        required = {place for place, one in enumerate(flat) if one.is_required}
        is_full = best is not None and bool(required) and required <= best.columns.keys()
        if best is None or best.score < (LEAST_FULL if is_full else LEAST_FIT):
            return None
        rows = _rows(best, flat, self._locale)[:most]
        values = [{flat[place].path: match.value for place, match in row.items()} for row in rows]
        is_plain = member.kind is not Kind.OBJECT
        records = [next(iter(one.values())) if is_plain else nested(one, fields) for one in values]
        matches = {place: match for row in reversed(rows) for place, match in row.items()}
        return Listing(records=records, source=best.records, matches=matches, fields=flat) if rows else None

    def _is_before_notice(self, records: RecordList) -> bool:
        """Whether a list stands before the notice that a search found nothing."""
        return self._notice is None or (records.node <= self._notice and records.size >= FEWEST_BEFORE_NOTICE)


def _is_complete(fit: Fit, flat: Sequence[Wanted]) -> bool:
    """Whether a list has half of what its records must have, and more than one thing of several."""
    required = [place for place, one in enumerate(flat) if one.is_required] or list(range(len(flat)))
    found = [place for place in required if place in fit.columns]
    return len(found) * 2 >= len(required) and len(fit.columns) >= min(2, len(flat))


def _rows(fit: Fit, flat: Sequence[Wanted], locale: Locale) -> list[dict[int, Match]]:
    """Return the values of a list's records, without what is something else: nameless, or half empty."""
    rows = [row_of(record, fit, flat, locale) for record in map(fit.records.record, range(fit.records.size))]
    typical = sorted(map(len, rows))[len(rows) // 2]
    names = [
        place for place in fit.columns if flat[place].shape is Shape.NAME and not flat[place].is_nullable
    ]
    return [
        row for row in rows if row and len(row) * 2 >= typical and all(place in row for place in names[:1])
    ]


def _bonus(records: RecordList, names: Sequence[str]) -> float:
    """Return what speaks for and against a list beyond its columns: its name, its place, its length."""
    titles = [
        one for title in records.titles for one in (title, singular(title), *map(singular, title.split()))
    ]
    alike = max((likeness(name, title) for name in names for title in titles), default=0.0)
    score = NOUN_BONUS * alike + LENGTH_BONUS * min(math.log2(records.size + 1), LONG)
    score += DATA_BONUS if records.source is Source.DATA else 0
    score -= LONE_LOSS if records.size == 1 else 0
    return score - (MARGIN_LOSS * (1 - 0.6 * alike) if records.is_marginal else 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """The fit of a list to what is wanted: for each field, its columns, the best first.

    `score` is the mean over the fields, so 1 is a list in which every field is surely filled.
    """

    records: RecordList
    columns: Mapping[int, Sequence[str]]
    score: float


def fit_of(records: RecordList, wanted: Sequence[Wanted], locale: Locale) -> Fit:
    """Judge a list by its first records; where the very first ones are nothing like it, by those."""
    first = _fit(records, wanted, locale, min(records.size, FIRST_LOOK))
    if first.score < HOPELESS or records.size <= FIRST_LOOK:
        return first
    return _fit(records, wanted, locale, min(records.size, SAMPLE))


def _fit(records: RecordList, wanted: Sequence[Wanted], locale: Locale, size: int) -> Fit:
    sample = [records.record(number) for number in range(size)]
    scores, mixed = [], 0
    for one in wanted:
        each = [list(candidates(record, one, locale, is_page=False)) for record in sample]
        mixed += sum(map(_is_mixed, each))
        scores.append(_rated([_by_column(found) for found in each], is_name=one.shape is Shape.NAME))
    names = sorted({column for rated in scores for column in rated})
    taken = assign([[rated.get(column, 0.0) for column in names] for rated in scores])
    used = {names[column] for column in taken if column is not None}
    columns: dict[int, Sequence[str]] = {}
    total = weight = 0.0
    for place, (one, rated, best) in enumerate(zip(wanted, scores, taken, strict=True)):
        heft = REQUIRED_WEIGHT if one.is_required else OPTIONAL_WEIGHT
        heft = NAME_WEIGHT if one.shape is Shape.NAME else heft
        weight += heft
        if best is not None:
            others = sorted(rated.keys() - used, key=lambda column: (-rated[column], column))
            columns[place] = [names[best], *others][:MOST_COLUMNS]
            total += heft * rated[names[best]]
    loss = MIXED_LOSS * mixed / (size * len(wanted))
    return Fit(records=records, columns=columns, score=total / weight * (1 - loss))


def _rated(rows: Sequence[Mapping[str, Match]], *, is_name: bool) -> dict[str, float]:
    """Return each column's score: the mean of its values, less where it is empty; names differ."""
    rated = {}
    for column in dict.fromkeys(column for row in rows for column in row):
        found = [row[column] for row in rows if column in row]
        filled = len(found) / len(rows)
        mean = sum(match.score for match in found) / len(found)
        is_constant = is_name and len(rows) > 2 and len({str(match.value) for match in found}) == 1
        if filled >= FEWEST_FILLED or not is_name:
            rated[column] = mean * (1 - UNFILLED_LOSS * (1 - filled)) * (CONSTANT_NAME if is_constant else 1)
    return rated


def _is_mixed(found: Iterable[Match]) -> bool:
    """Whether a record has several values at places of one kind: it is put together of several records."""
    values: dict[str, set[str]] = defaultdict(set)
    for match in found:
        place = INDEX.sub("", match.field.column)
        if "." in place or place.startswith(("pair:", "lead:")) or match.field.level <= 6:
            values[place].add(str(match.value))
    return any(len(several) > 1 for several in values.values())


def _by_column(found: Iterable[Match]) -> dict[str, Match]:
    """Return the best value of each column; a column is a place, and which part of what stands there."""
    best: dict[str, Match] = {}
    for match in found:
        column, text = match.field.column, match.field.text
        if match.field.link is not None and match.value == match.field.link:
            column = f"{column} link"
        elif isinstance(match.value, int | float):
            before = text[: max(text.find(match.found.text), 0)]
            column = f"{column} number {len(NUMBER.findall(before))}"
        elif match.found.text != one_line(text):
            column = f"{column} part"
        if column not in best or match.score > best[column].score:
            best[column] = match
    return best


def row_of(record: Record, fit: Fit, wanted: Sequence[Wanted], locale: Locale) -> dict[int, Match]:
    """Return the values of a record of a list, each field from its best column that has one there."""
    row = {}
    for place, options in fit.columns.items():
        best = _by_column(candidates(record, wanted[place], locale, is_page=False))
        match = next((best[column] for column in options if column in best), None)
        if match is not None:
            row[place] = match
    return without_same_prices(row, wanted)
