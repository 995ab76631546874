"""The list of a page that is meant: the group that fits best, or none where none surely does."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from batchfish.localagent.page.fit import Fit, fit
from batchfish.localagent.page.kinds import is_sponsored
from batchfish.localagent.page.similarity import similarity
from batchfish.localagent.page.words import fold, label

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from batchfish.localagent.page.model import Group, Page
    from batchfish.localagent.page.plan import Wanted

GATE = 0.5
"""Below this share of the fields, weighed by how sure each is, a group is no list of what is asked for."""
NULLABLE_WEIGHT, ABSENT_WEIGHT = 0.6, 0.3
CLOSE = 0.04
MARGIN_COST, NAMED_BONUS, HEADED_BONUS, TABLE_BONUS, SIZE_BONUS = 0.3, 0.15, 0.05, 0.03, 0.015
OTHERS_COST = 0.1
"""Elements that look like the records and are none make a list less likely."""
SECTION_CLOSE = 0.1
NAMED = 0.6
INTRUDER = 0.5
WEIGHTY = 5
"""Shorter words of a heading are those that every other has, too."""
CLEARLY_SAID, CLEARLY, MEANT_CLOSE = 0.6, 0.3, 0.15
SHOWN = 60
SPONSORED_LABEL = label("sponsored")


@dataclass(frozen=True, kw_only=True, slots=True)
class Records:
    """The records read from one group: values by field, those that lack a required one by number and name.

    `numbers` are the numbers of the records in their group. `is_named`: what the list is called stands over
    it or in its classes; `is_headed`: in the nearest heading over it.
    """

    fit: Fit
    rows: tuple[Mapping[str, Any], ...]
    numbers: tuple[int, ...]
    lacking: tuple[tuple[int, str], ...]
    quality: float
    is_named: bool
    is_headed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class NoList:
    """Why no group is the list that is meant."""

    why: str


def read_records(
    page: Page, names: Sequence[str], fields: Sequence[Wanted], like: str | None = None, goal: str = ""
) -> Records | NoList:
    """Read the group whose records fill the most of the fields, the surest.

    `names` are what the list is called. `like` is the key of the group that the list began with on another
    page. Of groups that fit equally well it is the one whose heading `goal` says.
    """
    groups = [group for group in page.groups if like is None or group.key == like]
    if notice := page.nothing_found:
        groups = [group for group in groups if group.spans and group.spans[0][0] < notice.element]
    fits = [found for group in groups if (found := fit(group, fields, page.locale))]
    read = sorted((_read(one, names, fields) for one in fits), key=lambda one: -one.quality)
    if not read:
        return NoList(why=_no_list(page, groups))
    best = _whole(_outer(read[0], read[1:]), read[1:])
    if meant := _meant(best, [one for one in read if one is not best], goal):
        return meant
    if best.quality < GATE or not best.rows:
        return (
            NoList(why=_no_list(page, groups))
            if page.nothing_found
            else NoList(why=_best_guess(best, fields))
        )
    rivals = [
        one
        for one in read
        if one is not best and one.quality > best.quality - CLOSE and not _share_records(best, one)
    ]
    if rivals:
        return NoList(
            why=f"two lists fit equally well: {best.fit.group.where} (“{_first(best)}”)"
            f" and {rivals[0].fit.group.where} (“{_first(rivals[0])}”)"
        )
    return best


def _meant(best: Records, others: Sequence[Records], goal: str) -> Records | None:
    """Give the list whose heading a goal says, where another fits a little better; the longest of them."""
    said = " ".join(re.findall(r"[^\W_]+", fold(goal)))
    own = _said_of(best.fit.group, said)
    least = max(GATE, best.quality - MEANT_CLOSE)
    near = [one for one in others if one.quality >= least and not one.lacking]
    told = [(share, len(one.rows), one) for one in near if (share := _said_of(one.fit.group, said)) >= own]
    share, _, meant = max(told, key=lambda one: one[:2], default=(0.0, 0, best))
    return meant if share >= CLEARLY_SAID and share - own >= CLEARLY else None


def _said_of(group: Group, goal: str) -> float:
    """Say which share of the nearest heading over a group stands in a goal, in its order."""
    words = label(group.titles[0]).phrase.split() if group.titles else []
    words = [word for word in words if len(word) >= WEIGHTY] or words
    matcher = SequenceMatcher(None, words, goal.split(), autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks()) / len(words) if words else 0.0


def _no_list(page: Page, groups: Sequence[Group]) -> str:
    if page.nothing_found:
        return f"the page says that nothing was found: “{page.nothing_found.text}”"
    return "no list on the page has these fields" if groups else "there is no list on the page"


def _read(found: Fit, names: Sequence[str], fields: Sequence[Wanted]) -> Records:
    group, pairs = found.group, found.pairs
    numbers, rows, lacking = _rows(found, fields)
    weights = {one.name: _weight(one, is_missed=one.name not in pairs and len(pairs) > 1) for one in fields}
    filled = sum(
        weights[name] * pair.score * min(1.0, sum(name in row for row in rows) / max(1, len(rows)))
        for name, pair in pairs.items()
    )
    quality = filled / sum(weights.values())
    if any(one.is_required and not one.is_nullable and one.name not in pairs for one in fields):
        quality = min(quality, GATE * 0.99)
    is_named = is_called(group, names)
    is_headed = any(_says_name(name, title) for name in names for title in group.titles[:1])
    quality += (
        NAMED_BONUS * is_named
        + HEADED_BONUS * is_headed
        + TABLE_BONUS * group.is_table
        - OTHERS_COST * (1 - len(rows) / group.size)
        + SIZE_BONUS * math.log2(len(rows) + 1)
        - MARGIN_COST * group.is_marginal
        - len(lacking) / max(1, len(rows))
    )
    return Records(
        fit=found,
        rows=tuple(rows),
        numbers=tuple(numbers),
        lacking=tuple(lacking),
        quality=quality,
        is_named=is_named,
        is_headed=is_headed,
    )


def is_called(group: Group, names: Sequence[str]) -> bool:
    """Whether a heading over a group or its class says one of some names."""
    said = [*group.titles[:2], " ".join(group.marks), *group.marks]
    return any(_says_name(name, title) for name in names for title in said)


def _says_name(name: str, title: str) -> bool:
    return similarity(label(name), label(title)) >= NAMED


def _weight(wanted: Wanted, *, is_missed: bool) -> float:
    """Say how much a field counts: one that may be null is hardly missed where several others are found."""
    if wanted.is_required and not wanted.is_nullable:
        return 1.0
    return ABSENT_WEIGHT if is_missed else NULLABLE_WEIGHT


def _rows(
    found: Fit, fields: Sequence[Wanted]
) -> tuple[list[int], list[dict[str, Any]], list[tuple[int, str]]]:
    """Make records; those that fill less than half of what others do are something else between them."""
    needed = {one.name for one in fields if one.is_required and not one.is_nullable}
    made = [
        {name: pair.values[number] for name, pair in found.pairs.items() if number in pair.values}
        for number in range(found.group.size)
    ]
    bought = _advertised(found.group, fields)
    usual = max((len(row) for row in made), default=0)
    numbers = [
        number
        for number, row in enumerate(made)
        if row
        and number not in bought
        and (len(row) >= usual * INTRUDER or (found.group.is_table and needed and needed <= row.keys()))
        and (not needed or len(needed & row.keys()) >= len(needed) * INTRUDER)
    ]
    rows = [made[number] for number in numbers]
    lacking = [(place, name) for place, row in enumerate(rows) for name in sorted(needed - row.keys())]
    return numbers, rows, lacking


def _advertised(group: Group, fields: Sequence[Wanted]) -> set[int]:
    """Give the few records that say that somebody paid for them, unless a field asks for that."""
    if any(similarity(one.label, SPONSORED_LABEL) >= NAMED for one in fields):
        return set()
    marked = {
        number for column in group.columns for number, fact in column.cells.items() if is_sponsored(fact.text)
    }
    return marked if len(marked) * 2 < group.size else set()


def _outer(best: Records, others: Sequence[Records]) -> Records:
    """Give the list whose records hold those of the best one and say as much: of posts, not of their tags."""
    inner = best.fit.group.spans
    for other in others:
        is_near = other.quality >= max(GATE, best.quality - SECTION_CLOSE)
        if not is_near or len(other.fit.pairs) < len(best.fit.pairs):
            continue
        outer = other.fit.group.spans
        held = [sum(first < a and b <= last for a, b in inner) for first, last in outer]
        if len(inner) > 1 and sum(held) == len(inner) and max(held) == 1:
            return other
    return best


def _whole(best: Records, others: Sequence[Records]) -> Records:
    """Give the list of which the best is one section, where it fits nearly as well.

    A section may look a little better than the whole by what its few records happen to have.
    """
    said = set(map(_key, best.rows))
    wholes = [
        other
        for other in others
        if len(other.rows) > len(best.rows)
        and said <= set(map(_key, other.rows))
        and other.quality >= best.quality - SECTION_CLOSE - NAMED_BONUS * best.is_named
        and not (best.is_headed and not other.is_headed)
    ]
    return max(wholes, key=lambda one: (len(one.fit.pairs), one.quality), default=best)


def _share_records(first: Records, second: Records) -> bool:
    """Whether two readings are of the same things: most of the shorter one's values stand in the other."""
    said = {_key(row) for row in first.rows}
    others = {_key(row) for row in second.rows}
    smaller, larger = sorted((said, others), key=len)
    inner = [any(a < c and d <= b for a, b in first.fit.group.spans) for c, d in second.fit.group.spans]
    is_inside = bool(inner) and all(inner) and len(first.fit.pairs) >= len(second.fit.pairs)
    return is_inside or len(smaller & larger) * 2 >= len(smaller)


def _key(row: Mapping[str, Any]) -> str:
    return str(next(iter(row.values()), ""))


def _first(records: Records) -> str:
    return " · ".join(str(value) for value in list(records.rows[0].values())[:2])[:SHOWN]


def _best_guess(best: Records, fields: Sequence[Wanted]) -> str:
    missing = [one.name for one in fields if one.name not in best.fit.pairs]
    doubts = "; ".join(best.fit.unsure.values())
    guess = f"the best guess was {best.fit.group.where}"
    if best.rows:
        guess += f" ({len(best.rows)} records, “{_first(best)}”)"
    if missing:
        guess += f", which has no {', '.join(missing)}"
    return guess + (f"; in doubt: {doubts}" if doubts else "")


def missing_of(records: Records) -> Iterator[str]:
    """Name what records lack that they may not lack."""
    yield from (f"{number}.{name}" for number, name in records.lacking)
