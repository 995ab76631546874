"""The margin of a page: menus, footers, advertisements, lists of other things than the one it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.localagent.page.tree import HEADINGS, WORDS, marks, text_of
from batchfish.localagent.page.vocabulary import (
    MARGINAL_HEADINGS,
    MARGINAL_ROLES,
    MARGINAL_TAGS,
    MARGINAL_WORDS,
    MENU_WORDS,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lxml.html import HtmlElement

NEVER = frozenset({"article", "body", "html", "main"})
SIDES = frozenset({"aside", "sidebar"})
FEWEST_LABELS, LONGEST_VALUE = 3, 60


def find_margin(elements: Sequence[HtmlElement]) -> set[HtmlElement]:
    """Find the elements that stand in the margin, and all that is in them; `elements` in document order."""
    margin: set[HtmlElement] = set()
    for element in elements:
        if element.getparent() in margin or _begins_margin(element):
            margin.add(element)
        elif element.tag in HEADINGS[1:] and _announces_others(element):
            margin.update(_under(element))
    return margin


def _begins_margin(element: HtmlElement) -> bool:
    if element.tag == "h1" or _ends_article(element) or _says_of_the_thing(element):
        return False
    if element.tag in MARGINAL_TAGS or element.get("role") in MARGINAL_ROLES:
        return True
    if element.tag in NEVER or element.find(".//h1") is not None:
        return False
    own = " ".join(name for name in element.get("class", "").split() if "__" not in name)
    words = MARGINAL_WORDS.intersection(WORDS.findall(f"{own} {element.get('id', '')}".lower()))
    return bool(words - MENU_WORDS) or (bool(words) and _is_of_links(element))


def _ends_article(element: HtmlElement) -> bool:
    """Whether an element is the end of what stands in an article: who wrote it, what it is filed under."""
    parent = element.getparent()
    return element.tag == "footer" and parent is not None and parent.tag == "article"


def _says_of_the_thing(element: HtmlElement) -> bool:
    """Whether what stands at the side says what the page is about: labels with values."""
    if element.tag != "aside" and SIDES.isdisjoint(marks(element)):
        return False
    labels = sum(
        1
        for one in _all_of_the_side(element).iter("*")
        if one.tag in {"dt", "th"}
        or (one.tag in {"strong", "b"} and text_of(one).endswith(":"))
        or "label" in marks(one)
        or (one.tag in HEADINGS and _is_over_a_value(one))
    )
    return labels >= FEWEST_LABELS


def _all_of_the_side(element: HtmlElement) -> HtmlElement:
    """Give what holds a side, where it is cut into several like sections."""
    parent = element.getparent()
    kind = element.get("class", "").split()[:1]
    alike = [] if parent is None else [one for one in parent if one.get("class", "").split()[:1] == kind]
    return parent if parent is not None and len(alike) > 1 else element


def _is_over_a_value(heading: HtmlElement) -> bool:
    """Whether a heading stands over one short text, as a label does."""
    following = heading.getnext()
    if following is None or following.tag in {"ul", "ol", "form", "nav"} or following.getnext() is not None:
        return False
    return 0 < len(text_of(following)) <= LONGEST_VALUE


def _is_of_links(element: HtmlElement) -> bool:
    """Whether most of a text leads elsewhere: a menu of dishes does not."""
    linked = sum(len(text_of(link)) for link in element.iter("a", "button"))
    return linked * 2 >= len(text_of(element))


def _announces_others(heading: HtmlElement) -> bool:
    text = text_of(heading).casefold()
    return any(text.startswith(words) or f" {words}" in text for words in MARGINAL_HEADINGS)


def _under(heading: HtmlElement) -> Iterator[HtmlElement]:
    """Give the elements that a heading stands over: what follows it, up to the next of its rank."""
    for following in heading.itersiblings():
        if following.tag in HEADINGS and following.tag <= heading.tag:
            return
        yield following
        yield from following.iterdescendants("*")
