"""Fields matched with the columns of one group, all at once, and the records that this makes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from batchfish.localagent.page.assignment import assign
from batchfish.localagent.page.coerce import coerce, wants_link, wants_year
from batchfish.localagent.page.looks import Look, look_at
from batchfish.localagent.page.match import SURE, read_items
from batchfish.localagent.page.model import TRUST, Facet, Fact, Source
from batchfish.localagent.page.plan import Kind
from batchfish.localagent.page.units import measures_same
from batchfish.localagent.page.words import similarity_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchfish.localagent.page.model import Group
    from batchfish.localagent.page.numbers import Locale
    from batchfish.localagent.page.plan import Wanted

CLOSE = 0.02
"""Columns whose scores differ by less are equally good; where they say different things, none is sure."""
VALID = 0.5
"""A column of which less can be read as the field wants it holds something else."""
SPARSE = 0.15
UNIT_SCORE, CHOICE_SCORE, ITEMS_SCORE, LAST_SCORE = 0.72, 0.85, 0.72, 0.69
MOST_CONFIRMED = 0.6
ALONE = 0.93
"""What is left for a column of single values where a list is wanted."""
DATES = frozenset({Kind.DATE, Kind.DATE_TIME})


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """A field and the column that holds it: the values by record, and how sure it is."""

    look: Look
    score: float
    values: Mapping[int, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """How a group fills the fields of a list: the columns by field, and for those in doubt, why."""

    group: Group
    pairs: Mapping[str, Pair]
    unsure: Mapping[str, str] = field(default_factory=dict)


def fit(group: Group, fields: Sequence[Wanted], locale: Locale) -> Fit | None:
    """Give each field the column that fits best, all fields at once; None where none fits."""
    looks = look_at(group, locale)
    scores = [[_score(one, look, group.size) for look in looks] for one in fields]
    chosen = assign([[score if score >= SURE else 0.0 for score in row] for row in scores])
    pairs: dict[str, Pair] = {}
    unsure: dict[str, str] = {}
    taken = {number for number in chosen if number is not None}
    for one, row, first in zip(fields, scores, chosen, strict=True):
        if first is None:
            continue
        number = _inner(looks, first) if "name" in one.senses else first
        rivals = [
            place
            for place, score in enumerate(row)
            if place not in taken
            and score > row[first] - CLOSE
            and score >= SURE
            and not _is_nested(looks[place], looks[first])
        ]
        values = _values(looks[number], one)
        others = [place for place in rivals if not _agree(values, _values(looks[place], one))]
        if others:
            said = " or ".join(f"“{looks[place].sample[0].text[:40]}”" for place in (number, others[0]))
            unsure[one.name] = f"{group.where}: {said}?"
        elif values:
            alternates = [p for p, score in enumerate(row) if p not in taken and score >= SURE]
            pairs[one.name] = Pair(
                look=looks[number],
                score=row[first],
                values=_fill_up(values, looks, alternates, one, group.size),
            )
    if not pairs:
        return None
    _take_the_last(fields, looks, pairs, unsure, group)
    _take_currency(fields, pairs)
    return Fit(group=group, pairs=pairs, unsure=unsure)


def _is_nested(first: Look, second: Look) -> bool:
    """Whether one of two columns stands in the other."""
    one, other = sorted((first.column.key, second.column.key), key=len)
    return other.startswith(f"{one}/")


def _inner(looks: Sequence[Look], number: int) -> int:
    """Give the link or the stressed words that begin a column: of a title, they are the title itself."""
    outer = looks[number].column
    for place, look in enumerate(looks):
        column = look.column
        if (
            column.facet is Facet.TEXT
            and column.key.startswith(f"{outer.key}/")
            and column.level < outer.level
            and len(column.cells) == len(outer.cells)
            and not column.is_constant
            and all(outer.cells[at].text.startswith(fact.text) for at, fact in column.cells.items())
        ):
            return place
    return number


def _agree(first: Mapping[int, Any], second: Mapping[int, Any]) -> bool:
    return all(first[number] == value for number, value in second.items() if number in first)


def _values(look: Look, wanted: Wanted) -> dict[int, Any]:
    read = {number: read_cell(fact, wanted, look.locale) for number, fact in look.column.cells.items()}
    return {number: value for number, value in read.items() if value is not None}


def read_cell(fact: Fact, wanted: Wanted, locale: Locale) -> Any:  # noqa: ANN401 - what a schema allows
    """Give a cell's value as a field wants it, a list where that is a list."""
    if wanted.kind is Kind.ARRAY and wanted.member is not None:
        return read_items(fact, wanted.member, locale)
    return coerce(fact, wanted, locale)


def _fill_up(
    values: dict[int, Any], looks: Sequence[Look], alternates: Sequence[int], wanted: Wanted, size: int
) -> dict[int, Any]:
    """Take what a record lacks from a column that means the same: the regular for the special price."""
    for place in alternates:
        if len(values) == size:
            break
        other = _values(looks[place], wanted)
        if not values.keys() & other.keys():
            values = {**other, **values}
    return values


def _score(wanted: Wanted, look: Look, size: int) -> float:
    """Say how well a column fits a field: by its names, or by what its values look like."""
    column = look.column
    if wants_link(wanted) != (column.facet is not Facet.TEXT) and not (
        wants_link(wanted) and wanted.kind is Kind.TEXT and any("http" in fact.text for fact in look.sample)
    ):
        return 0.0
    if column.facet is Facet.IMAGE and "image" not in wanted.senses:
        return 0.0
    if column.is_old != ("old price" in wanted.senses):
        return 0.0
    best = max(_score_names(wanted, look), _score_look(wanted, look))
    if wanted.kind is Kind.ARRAY and not any(fact.items for fact in look.sample):
        best *= ALONE
    if best < SURE:
        return 0.0
    readable = sum(read_cell(fact, wanted, look.locale) is not None for fact in look.sample)
    if readable < VALID * len(look.sample):
        return 0.0
    return max(SURE, best - SPARSE * (1 - min(1.0, len(column.cells) / size)))


def _score_names(wanted: Wanted, look: Look) -> float:
    spellings = (wanted.label, wanted.spelled, *wanted.aliases)
    is_doubtful = (
        "name" in wanted.senses and look.is_typed
    )  # a class may call a rank “title”, a label does not
    scores = (
        similarity_of(spellings, name) * TRUST[source]
        for name, source in look.column.names
        if not is_doubtful or source in {Source.PAIR, Source.DATA}
    )
    return max(scores, default=0.0)


def _score_look(wanted: Wanted, look: Look) -> float:
    kinds = look.kinds
    best = max((kinds.get(sense, 0.0) for sense in wanted.senses), default=0.0)
    if "text" in wanted.senses:
        best = max(best, kinds.get("description", 0.0))
    if "price" in wanted.senses:
        best = max(best, kinds.get("bare price", 0.0))
    if wants_year(wanted):
        best = max(best, kinds.get("year", 0.0))
    if wanted.kind in DATES:
        best = max(best, kinds.get("date", 0.0))
    if wants_link(wanted) and look.column.facet is Facet.LINK:
        best = max(best, kinds.get("website", 0.0))
    if wanted.unit and any(measures_same(unit, wanted.unit) for unit in look.units) and "price" not in kinds:
        best = max(best, UNIT_SCORE)
    if wanted.choices:
        right = sum(coerce(fact, wanted, look.locale) is not None for fact in look.sample)
        best = max(best, CHOICE_SCORE if right >= MOST_CONFIRMED * len(look.sample) else 0.0)
    if wanted.kind is Kind.ARRAY and any(fact.items for fact in look.sample):
        best = max(best, ITEMS_SCORE)
    return best


def _take_the_last(
    fields: Sequence[Wanted],
    looks: Sequence[Look],
    pairs: dict[str, Pair],
    unsure: Mapping[str, str],
    group: Group,
) -> None:
    """Give the one text that is wanted and not found the one text that every record has and nothing took."""
    open_fields = [
        one
        for one in fields
        if one.name not in pairs and one.name not in unsure and "currency" not in one.senses
    ]
    if len(open_fields) != 1 or len(pairs) * 2 < len(fields):
        return
    (one,) = open_fields
    if one.kind is not Kind.TEXT or one.senses & {"price", "old price", "rating"} or wants_link(one):
        return
    said = {tuple(fact.text for fact in pair.look.sample) for pair in pairs.values()}
    free = [
        look
        for look in looks
        if look.is_plain
        and not look.column.is_constant
        and not look.kinds.keys() - {"description", "name"}
        and "@" not in look.column.key
        and not (group.is_table and look.column.names)
        and len(look.column.cells) == group.size
        and not any(_is_within(look.sample, texts) for texts in said)
    ]
    if len(free) == 1 and (values := _values(free[0], one)):
        pairs[one.name] = Pair(look=free[0], score=LAST_SCORE, values=values)


def _is_within(sample: Sequence[Fact], texts: tuple[str, ...]) -> bool:
    """Whether values are parts of those of another column, or hold them."""
    return len(sample) == len(texts) and all(
        fact.text in text or text in fact.text for fact, text in zip(sample, texts, strict=True)
    )


def _take_currency(fields: Sequence[Wanted], pairs: dict[str, Pair]) -> None:
    """Read the currency where the price stands, if the records say it nowhere else."""
    money = [pairs[one.name] for one in fields if "price" in one.senses and one.name in pairs]
    for one in fields:
        if "currency" in one.senses and one.name not in pairs and money:
            values = _values(money[0].look, replace(one, kind=Kind.TEXT))
            if values:
                pairs[one.name] = Pair(look=money[0].look, score=money[0].score, values=values)
