"""What the values of a group look like, whatever their columns are called: prices, days, titles, links."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from batchfish.localagent.page.amounts import units_in
from batchfish.localagent.page.coerce import read_stock
from batchfish.localagent.page.dates import day_first_of, find_dates
from batchfish.localagent.page.facts import LABELLED
from batchfish.localagent.page.model import Column, Facet, Fact
from batchfish.localagent.page.money import EMAIL, find_money, is_phone
from batchfish.localagent.page.ratings import read_rating
from batchfish.localagent.page.tree import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from batchfish.localagent.page.model import Group
    from batchfish.localagent.page.numbers import Locale

SAMPLED = 40
MOST = 0.7
"""A column looks like what this share of its values does."""
SHORT, SHORT_NOTE, BARE = 60, 160, 14
FEWEST_WORDS_OF_PROSE = 4
LONGEST_TITLE = 250
LAST_HEADING, LINK_LEVEL, STRONG_LEVEL = 6, 7, 8
IN_BRACKETS = re.compile(r"\(\s*\d[\d.,\s]*k?\s*\)", re.IGNORECASE)
YEAR = re.compile(r"(?<![\d.,/-])(?:1[5-9]\d\d|20\d\d)(?![\d.,/-])")
BARE_PRICE = re.compile(r"\d{1,6}[.,]\d\d")
NO_WORDS = re.compile(r"\W*\d[\d.,]*\W*\w{0,3}\W*|[^^\w]*")
SURENESS: Mapping[str, float] = {
    "price": 0.74,
    "old price": 0.74,
    "date": 0.72,
    "rating": 0.74,
    "email": 0.85,
    "phone": 0.8,
    "availability": 0.78,
    "review count": 0.7,
    "year": 0.7,
    "bare price": 0.7,
}
NAME_BY_HEADING, NAME_BY_LINK, NAME_BY_WEIGHT, NAME_BY_PLACE = 0.9, 0.84, 0.78, 0.7
FIRST_LINK, FURTHER_LINK, PROSE = 0.84, 0.6, 0.72


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """A column with some of its cells, and how sure it is that they are of a kind; `locale` as they tell it.

    `is_typed`: most of its cells are amounts, days, addresses or the like: none could name a thing.
    """

    column: Column
    sample: tuple[Fact, ...]
    kinds: dict[str, float]
    units: frozenset[str]
    locale: Locale
    is_typed: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it holds words that are said nowhere to be something in particular."""
        is_labelled = self.column.key.startswith("“")
        return self.column.facet is Facet.TEXT and not (self.column.is_old or self.is_typed or is_labelled)


def look_at(group: Group, locale: Locale) -> list[Look]:
    """Look at every column of a group; what is of one kind in every record makes a further column."""
    looks = [_look(column, locale) for column in group.columns if column.cells]
    if not group.is_table:
        looks.extend(_look(column, locale, kind) for kind, column in _columns_by_kind(looks, group.size))
    else:
        _name_by_kind(looks)
    title = _find_title(looks)
    _find_links(looks, title)
    _find_prose(looks)
    return looks


def _look(column: Column, locale: Locale, kind: str = "") -> Look:
    facts = list(column.cells.values())
    sample = tuple(facts[:: max(1, len(facts) // SAMPLED)])
    texts = [one_line(fact.text) for fact in sample]
    if (day_first := day_first_of([fact.text for fact in facts])) is not None:
        locale = replace(locale, is_day_first=day_first)
    typed = sum(
        NO_WORDS.fullmatch(text) is not None or bool(set(kinds_of(fact, locale)) - {"availability", "year"})
        for fact, text in zip(sample, texts, strict=True)
    )
    units = [units_in(text) for text in texts]
    shared = {
        unit for unit in set().union(*units) if sum(unit in each for each in units) >= MOST * len(units)
    }
    return Look(
        column=column,
        sample=sample,
        kinds={kind: SURENESS[kind]} if kind else {},
        units=frozenset(shared),
        locale=locale,
        is_typed=bool(kind) or typed >= MOST * len(sample),
    )


def kinds_of(fact: Fact, locale: Locale) -> Iterator[str]:
    """Say what kinds of value a text may be, by its form alone."""
    text = one_line(fact.text)
    has_digit = any(letter.isdigit() for letter in text)
    if has_digit and len(text) <= SHORT_NOTE and len({money.number for money in find_money(text)}) == 1:
        yield "price"
    if len(text) > SHORT:
        return
    days = find_dates(fact.exact, locale) if fact.exact and "-" in fact.exact else []
    if days or (has_digit and find_dates(text, locale)):
        yield "date"
    elif has_digit and is_phone(text):
        yield "phone"
    if read_rating(text) is not None:
        yield "rating"
    if EMAIL.fullmatch(text):
        yield "email"
    if IN_BRACKETS.fullmatch(text):
        yield "review count"
    if len(set(YEAR.findall(text))) == 1:
        yield "year"
    if BARE_PRICE.fullmatch(text):
        yield "bare price"
    if read_stock(text.casefold()) is not None:
        yield "availability"


def _columns_by_kind(looks: Sequence[Look], size: int) -> Iterator[tuple[str, Column]]:
    """Make a column of each kind that records have one value of, wherever in them it stands.

    Records that lack a part shift the places of those after it; a price may stand in either of two places.
    """
    found: dict[str, dict[int, dict[object, Fact]]] = defaultdict(lambda: defaultdict(dict))
    for look in looks:
        column = look.column
        if column.facet is not Facet.TEXT or column.key.startswith("“"):
            continue
        for number, fact in column.cells.items():
            if LABELLED.fullmatch(fact.text):
                continue
            for kind in kinds_of(fact, look.locale):
                if column.is_old and kind != "price":
                    continue
                name = "old price" if column.is_old else kind
                said = _said(fact, kind, look.locale)
                found[name][number].setdefault(said, fact)
    for kind, by_record in found.items():
        cells = {number: one for number, several in by_record.items() if (one := _only(several, kind))}
        if len(cells) * 2 >= min(size, len(by_record)) and cells:
            yield (
                kind,
                Column(
                    key=f"@{kind}", names=(), cells=dict(sorted(cells.items())), is_old=kind == "old price"
                ),
            )


def _only(several: Mapping[object, Fact], kind: str) -> Fact | None:
    """Give the one value of a kind that a record has: of prices, the one that stands without words."""
    if len(several) == 1:
        return next(iter(several.values()))
    bare = [
        fact
        for fact in several.values()
        if kind == "price" and len(one_line(fact.text)) - len(find_money(one_line(fact.text))[0].text) <= BARE
    ]
    return bare[0] if len(bare) == 1 else None


def _said(fact: Fact, kind: str, locale: Locale) -> object:
    text = one_line(fact.text)
    match kind:
        case "price":
            return find_money(text)[0].number
        case "date":
            days = find_dates(fact.exact or "", locale) or find_dates(text, locale)
            return days[0].date()
        case "rating":
            return read_rating(text)
        case "year":
            return YEAR.findall(text)[0]
        case "availability":
            return read_stock(text.casefold())
    return text


def _name_by_kind(looks: Sequence[Look]) -> None:
    """Say of the columns of a table what their values look like, where it is one column that looks so."""
    alike: dict[str, list[Look]] = defaultdict(list)
    for look in looks:
        if look.column.facet is Facet.TEXT:
            counts: dict[str, int] = defaultdict(int)
            for fact in look.sample:
                for kind in kinds_of(fact, look.locale):
                    counts[kind] += 1
            for kind, count in counts.items():
                if count >= MOST * len(look.sample):
                    alike[kind].append(look)
    for kind, several in alike.items():
        if len(several) == 1:
            several[0].kinds[kind] = SURENESS[kind]


def _find_title(looks: Sequence[Look]) -> Look | None:
    """Find the column that names the records: the highest heading, else the first link or words."""
    found = [
        (look.column.level, place, look)
        for place, look in enumerate(looks)
        if look.is_plain and _may_name(look)
    ]
    if not found:
        return None
    level, place, best = min(found, key=lambda one: one[:2])
    if level <= LAST_HEADING:
        sureness = NAME_BY_HEADING
    elif level == LINK_LEVEL:
        sureness = NAME_BY_LINK
    elif level == STRONG_LEVEL:
        sureness = NAME_BY_WEIGHT
    else:
        sureness = NAME_BY_PLACE if place == min(other for _, other, _ in found) else 0.0
    best.kinds["name"] = sureness
    return best


def _may_name(look: Look) -> bool:
    texts = [fact.text for fact in look.sample]
    wordy = sum(bool(re.search(r"[^\W\d_]", text)) and len(text) <= LONGEST_TITLE for text in texts)
    return wordy >= MOST * len(texts) and not look.column.is_constant


def _find_links(looks: Sequence[Look], title: Look | None) -> None:
    """Find the link of each record: that of its title, else the first."""
    for facet, kind in ((Facet.LINK, "website"), (Facet.IMAGE, "image")):
        found = [
            (not _belong(look, title), look.column.level, place, look)
            for place, look in enumerate(looks)
            if look.column.facet is facet
        ]
        varied = [one for one in found if not one[3].column.is_constant] or found
        for rank, (_, _, _, look) in enumerate(sorted(varied, key=lambda one: one[:3])):
            look.kinds[kind] = FIRST_LINK if rank == 0 else FURTHER_LINK


def _belong(link: Look, title: Look | None) -> bool:
    """Whether a link is around a title or in it."""
    if title is None or not link.column.key.endswith("@href"):
        return False
    key = link.column.key.removesuffix("@href")
    return f"{title.column.key}/".startswith(f"{key}/") or f"{key}/".startswith(f"{title.column.key}/")


def _find_prose(looks: Sequence[Look]) -> None:
    """Find the column that describes: the longest of those of more than a few words."""
    found = []
    for look in looks:
        words = sum(len(fact.text.split()) for fact in look.sample) / len(look.sample)
        is_more = words >= FEWEST_WORDS_OF_PROSE and not look.column.is_constant
        if look.is_plain and "name" not in look.kinds and is_more:
            found.append((words, look))
    if found:
        max(found, key=lambda one: one[0])[1].kinds["description"] = PROSE
