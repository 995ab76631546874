"""Ranges: of “£40,000 – £50,000” or “19:00 to 21:30”, the end that a field wants."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchfish.localagent.page.plan import Wanted

AMOUNTS = re.compile(
    r"[^\d\n]{0,12}?(\d[\d.,'’\u202f\xa0\u2009 ]*)"
    r"[^\d\n]{0,12}?(?:[-–—]|\b(?:to|bis|à|a|hasta|tot|till|til|do)\b)[^\d\n]{0,12}?"
    r"(\d[\d.,'’\u202f\xa0\u2009 ]*)[^\d\n]*"
)
CLOCK_TIME = r"\d{1,2}(?:[:.h]\d\d)?\s?(?:[ap]\.?m\.?|uhr|h|uur)?"
CLOCKS = re.compile(rf"({CLOCK_TIME})\s*(?:[-–—]|to|bis|à|a|tot|till|til|do)\s*({CLOCK_TIME})", re.IGNORECASE)
LOWER = frozenset({"min", "minimum", "from", "lowest", "low", "start", "lower"})
UPPER = frozenset({"max", "maximum", "to", "highest", "high", "upper"})
"""Words for either end of a range, in the name of a field."""
EARLIER, LATER = frozenset({"opens", "start time"}), frozenset({"closes", "end time"})
MOMENTS = EARLIER | LATER


def read_end(text: str, wanted: Wanted) -> str | None:
    """Give the end that a field wants of a range of amounts or times; None if there is none, or no wish."""
    form = AMOUNTS if wanted.bound else CLOCKS if wanted.senses & MOMENTS else None
    ends = form.fullmatch(text.strip()) if form else None
    end = ends[1 if _wants_first(wanted) else 2].strip() if ends else None
    return end.strip(" .,") if end and form is AMOUNTS else end


def are_ends_of_one(one: Wanted, other: Wanted) -> bool:
    """Whether two fields are the ends of one range, which a page may write as one: `age_min`, `age_max`."""
    if _wants_first(one) == _wants_first(other):
        return False
    if one.bound and other.bound:
        return _of_what(one) == _of_what(other)
    return not one.senses.isdisjoint(MOMENTS) and not other.senses.isdisjoint(MOMENTS)


def _of_what(wanted: Wanted) -> frozenset[str]:
    return frozenset(wanted.label.phrase.split()) - LOWER - UPPER


def _wants_first(wanted: Wanted) -> bool:
    return wanted.bound == "lower" if wanted.bound else not wanted.senses & LATER
