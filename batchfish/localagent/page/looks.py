"""What the values of a group look like, whatever their columns are called: prices, days, titles, links."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from batchfish.localagent.page.amounts import units_in
from batchfish.localagent.page.dates import day_first_of
from batchfish.localagent.page.kinds import SURENESS, columns_by_kind, kinds_of
from batchfish.localagent.page.model import Column, Facet, Fact
from batchfish.localagent.page.money import find_money
from batchfish.localagent.page.tree import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchfish.localagent.page.model import Group
    from batchfish.localagent.page.numbers import Locale

SAMPLED = 40
MOST = 0.7
"""A column looks like what this share of its values does."""
FEWEST_WORDS_OF_PROSE = 4
LONGEST_TITLE = 250
NO_WORDS = re.compile(r"\W*\d[\d.,]*\W*\w{0,3}\W*|[^^\w]*")
LAST_HEADING, LINK_LEVEL, STRONG_LEVEL = 6, 7, 8
NAME_BY_HEADING, NAME_BY_LINK, NAME_BY_WEIGHT, NAME_BY_PLACE = 0.9, 0.84, 0.78, 0.7
TITLE_LINK, FIRST_LINK, FURTHER_LINK, PROSE = 0.88, 0.84, 0.6, 0.72


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
        is_labelled = self.column.key.startswith("“") or self.column.key.endswith("@badge")
        is_part = self.column.facet is Facet.TEXT and not (self.column.is_old or self.is_typed or is_labelled)
        return is_part and not (self.column.is_composite and self.column.level > LAST_HEADING)


def look_at(group: Group, locale: Locale) -> list[Look]:
    """Look at every column of a group; what is of one kind in every record makes a further column."""
    looks = [_look(column, locale) for column in group.columns if column.cells]
    if not group.is_table:
        columns = [(look.column, look.locale) for look in looks]
        looks.extend(_look(column, locale, kind) for kind, column in columns_by_kind(columns, group.size))
    else:
        _name_by_kind(looks)
    title = _find_title(looks)
    _find_links(looks, title)
    _find_prose(looks, title)
    return looks


def _look(column: Column, locale: Locale, kind: str = "") -> Look:
    facts = [fact for fact in column.cells.values() if fact.text] or list(column.cells.values())
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
        kinds={kind: SURENESS[kind]} if kind in SURENESS else {},
        units=frozenset(shared),
        locale=locale,
        is_typed=bool(kind) or typed >= MOST * len(sample),
    )


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
        if len(several) == 1 and kind in SURENESS:
            several[0].kinds[kind] = SURENESS[kind]


def _find_title(looks: Sequence[Look]) -> Look | None:
    """Find the column that names the records: the highest heading, else the first link or words."""
    found = [
        (look.column.level, place, look)
        for place, look in enumerate(looks)
        if _is_heading(look) or (look.is_plain and _may_name(look) and not look.column.key.endswith("@()"))
    ]
    if not found:
        return None
    level, place, best = min(found, key=lambda one: one[:2])
    best = next((look for look in looks if _is_first_half(look, best)), best)
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


def _is_first_half(look: Look, whole: Look) -> bool:
    """Whether a column holds what stands before a colon or a dash in every cell of another."""
    column = look.column
    is_half = column.key == f"{whole.column.key}@first" and not column.is_constant
    return is_half and len(column.cells) == len(whole.column.cells)


def _is_heading(look: Look) -> bool:
    """Whether a column holds headings, which name a record also by a number; a price in one is a price."""
    column = look.column
    is_set = column.facet is Facet.TEXT and column.level <= LAST_HEADING and not column.is_constant
    return is_set and not column.is_old and not any(find_money(fact.text) for fact in look.sample)


def _may_name(look: Look) -> bool:
    texts = [fact.text for fact in look.sample]
    wordy = sum(bool(re.search(r"[^\W\d_]", text)) and len(text) <= LONGEST_TITLE for text in texts)
    return wordy >= MOST * len(texts) and not (look.column.is_constant or look.column.is_above)


def _find_links(looks: Sequence[Look], title: Look | None) -> None:
    """Find the link of each record: that of its title, else the first."""
    for facet, kind in ((Facet.LINK, "website"), (Facet.IMAGE, "image")):
        found = [
            (not _belong(look, title), look.column.level, place, look)
            for place, look in enumerate(looks)
            if look.column.facet is facet
        ]
        varied = [one for one in found if not one[3].column.is_constant] or found
        for rank, (is_apart, _, _, look) in enumerate(sorted(varied, key=lambda one: one[:3])):
            first = FIRST_LINK if is_apart else TITLE_LINK
            look.kinds[kind] = first if rank == 0 else FURTHER_LINK


def _belong(link: Look, title: Look | None) -> bool:
    """Whether a link is around a title or in it."""
    if title is None or not link.column.key.endswith("@href"):
        return False
    key = link.column.key.removesuffix("@href")
    return f"{title.column.key}/".startswith(f"{key}/") or f"{key}/".startswith(f"{title.column.key}/")


def _begins_with(look: Look, title: Look | None) -> bool:
    """Whether a column says the titles again, and then more."""
    if title is None:
        return False
    cells = title.column.cells
    return all(
        number in cells and fact.text.startswith(cells[number].text)
        for number, fact in look.column.cells.items()
    )


def _find_prose(looks: Sequence[Look], title: Look | None) -> None:
    """Find the column that describes: the longest of those of more than a few words."""
    found = []
    for look in looks:
        words = sum(len(fact.text.split()) for fact in look.sample) / len(look.sample)
        is_more = words >= FEWEST_WORDS_OF_PROSE and not look.column.is_constant
        if look.is_plain and "name" not in look.kinds and is_more and not _begins_with(look, title):
            found.append((words, look))
    if found:
        max(found, key=lambda one: one[0])[1].kinds["description"] = PROSE
