"""Ratings that a page draws rather than writes: stars by class, by width, or in words for screen readers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchfish.localagent.page.lines import OUT_OF
from batchfish.localagent.page.vocabulary import NUMBER_WORDS, RATING_WORDS

if TYPE_CHECKING:
    from lxml.html import HtmlElement

WIDTH = re.compile(r"width\s*:\s*(\d+(?:\.\d+)?)%")
IN_CLASS = re.compile(r"(?:star|stars|rating|rated|score)[-_]?(\d)(?:[-_.]?(5|half))?$")
STARS = re.compile(r"[★⭐☆✭✩⯨½]{3,10}")
FULL_WIDTH = 100
MOST_STARS = 5


def attribute_text(element: HtmlElement) -> tuple[str, str] | None:
    """Give what an element shows by its attributes rather than in text, and what that is: a rating."""
    if element.tag in {"a", "button", "input", "form"}:
        return None
    spoken = (element.get("aria-label") or element.get("title") or "").strip()
    is_rating = not RATING_WORDS.isdisjoint(re.findall(r"[a-z]+", element.get("class", "").lower()))
    said = (
        spoken
        if OUT_OF.search(spoken) or (is_rating and re.search(r"\d", spoken))
        else _drawn(element, is_rating)
    )
    return ("rating", said) if said else None


def _drawn(element: HtmlElement, is_rating: bool) -> str | None:  # noqa: FBT001 - what the caller found
    """Give a rating that classes, widths or data spell."""
    if not is_rating:
        return None
    for name in element.get("class", "").lower().split():
        if name in NUMBER_WORDS:
            return str(NUMBER_WORDS.index(name))
        if found := IN_CLASS.fullmatch(name):
            return found[1] + (".5" if found[2] else "")
    for part in (element, *element[:2]):
        if found := WIDTH.search(part.get("style", "")):
            return f"{float(found[1]) * MOST_STARS / FULL_WIDTH:g}"
    values = (element.get(name) for name in ("data-rating", "data-score", "data-value"))
    return next(filter(None, values), None)


def read_rating(text: str) -> float | None:
    """Read a rating: `4.5 out of 5`, `4,5/5`, `★★★★☆`; None where the text says no one number."""
    if found := OUT_OF.search(text):
        return float(found[1].replace(",", "."))
    if found := STARS.search(text):
        return found[0].count("★") + found[0].count("⭐") + found[0].count("✭") + 0.5 * found[0].count("½")
    return None
