"""The list of a page that is meant: the group that fits best, or none where none surely does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from batchfish.localagent.page.fit import fit
from batchfish.localagent.page.records import GATE, NAMED_BONUS, records_of
from batchfish.localagent.page.words import fold, label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchfish.localagent.page.model import Group, Page
    from batchfish.localagent.page.plan import Wanted
    from batchfish.localagent.page.records import Records

CLOSE = 0.04
"""Lists whose qualities differ by less fit equally well."""
SECTION_CLOSE = 0.1
WEIGHTY = 5
"""Shorter words of a heading are those that every other has, too."""
CLEARLY_SAID, CLEARLY, MEANT_CLOSE = 0.6, 0.3, 0.15
SHOWN = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class NoList:
    """Why no group is the list that is meant."""

    why: str


def read_list(
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
    read = sorted((records_of(one, names, fields) for one in fits), key=lambda one: -one.quality)
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


def _no_list(page: Page, groups: Sequence[Group]) -> str:
    if page.nothing_found:
        return f"the page says that nothing was found: “{page.nothing_found.text}”"
    return "no list on the page has these fields" if groups else "there is no list on the page"


def _best_guess(best: Records, fields: Sequence[Wanted]) -> str:
    missing = [one.name for one in fields if one.name not in best.fit.pairs]
    doubts = "; ".join(best.fit.unsure.values())
    guess = f"the best guess was {best.fit.group.where}"
    if best.rows:
        guess += f" ({len(best.rows)} records, “{_first(best)}”)"
    if missing:
        guess += f", which has no {', '.join(missing)}"
    return guess + (f"; in doubt: {doubts}" if doubts else "")


def _first(records: Records) -> str:
    return " · ".join(str(value) for value in list(records.rows[0].values())[:2])[:SHOWN]
