"""The elements of one tree as facts: where each stands, where it leads, what it says more exactly."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from batchfish.localagent.page.margin import find_margin
from batchfish.localagent.page.model import Fact, Source
from batchfish.localagent.page.tree import BLOCKS, is_old, marks, one_line, text_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lxml.html import HtmlElement

LONGEST_VALUE = 2000
MOST_CHILDREN = 60
HOLDERS = frozenset({"article", "div", "li", "ol", "section", "ul"})
OPINIONS = frozenset({"comment", "commentlist", "comments", "review", "reviews", "testimonial"})
MAIN = frozenset({"article", "main"})
ROOTED = re.compile(r"/(?:[\w-][\w.-]*(?:/[\w-][\w.-]*)*/?)?(?:\?[\w=&%.-]*)?$")
"""An address from the root of a site, plain enough to be put together without parsing."""


class FactFinder:
    """Makes facts of one tree; knows for each element whether it stands in the margin."""

    def __init__(self, root: HtmlElement, url: str) -> None:
        self.root = root
        self.url = url
        self._origin = "://".join(urlsplit(url)[:2])
        self.elements = list(root.iter("*"))
        self._numbers = {element: number for number, element in enumerate(self.elements)}
        self._margin = find_margin(self.elements)
        self._thing = self._find_thing()
        self._old = _find_old(self.elements)
        self._said_by_others = _find_opinions(self.elements)

    def _find_thing(self) -> range:
        """Give the numbers of the elements around the page's title; of all where there is none."""
        title = next(self.root.iter("h1"), self.root)
        holders = (one for one in title.iterancestors() if one.tag in MAIN or one.get("role") == "main")
        thing = next(holders, self.root)
        first = self._numbers.get(thing, 0)
        return range(first, first + sum(1 for _ in thing.iter("*")))

    def absolute(self, href: str | None) -> str | None:
        """Give the address that a link leads to; None for one that only does something on the page."""
        if not href or href.strip().lower().startswith(("#", "javascript:", "mailto:", "tel:")):
            return None
        if ROOTED.match(href):
            return self._origin + href
        try:
            return urljoin(self.url, href.strip())
        except ValueError:
            return None

    def is_old(self, element: HtmlElement) -> bool:
        """Whether an element holds what no longer holds, or stands in one that does."""
        return element in self._old

    def number(self, element: HtmlElement) -> int:
        """Give the number of an element, in document order."""
        return self._numbers[element]

    def is_marginal(self, element: HtmlElement) -> bool:
        """Whether an element is part of a menu, a footer, an advertisement, a list of other things."""
        return element in self._margin

    def fact(
        self,
        label: str,
        value: HtmlElement,
        source: Source,
        *,
        text: str | None = None,
        line: int = 0,
        items: tuple[str, ...] = (),
    ) -> Fact:
        """Make a fact of an element's text, with what its attributes say more exactly."""
        first = value if len(value) == 0 else None
        times = [value] if value.get("datetime") else value.findall(".//*[@datetime]")
        time = times[0] if times and (text is None or len(times) == 1) else None  # else it is another part's
        link = value if value.tag == "a" else value.find(".//a")
        href = link.get("href") if link is not None else None
        return Fact(
            label=label,
            text=(text_of(value) if text is None else text)[:LONGEST_VALUE],
            source=source,
            node=(self._numbers[value], line),
            where=f"{source} “{one_line(label)}”",
            exact=(time.get("datetime") if time is not None else None)
            or (first.get("content") or first.get("data-value") if first is not None else None),
            link=self.absolute(href),
            items=items,
            is_marginal=value in self._margin,
            is_aside=self._numbers[value] not in self._thing or value in self._said_by_others,
        )

    def is_leaf(self, element: HtmlElement) -> bool:
        """Whether an element holds no blocks, so that its text is one."""
        return len(element) <= MOST_CHILDREN and not any(
            child.tag in BLOCKS for child in element.iterdescendants("*")
        )


def _find_opinions(elements: Sequence[HtmlElement]) -> set[HtmlElement]:
    """Find what stands in reviews and comments; `elements` in document order."""
    found: set[HtmlElement] = set()
    for element in elements:
        if element.getparent() in found or (element.tag in HOLDERS and OPINIONS.intersection(marks(element))):
            found.add(element)
    return found


def _find_old(elements: Sequence[HtmlElement]) -> set[HtmlElement]:
    """Find the elements that are struck through, and all that is in them; `elements` in document order."""
    old = {element for element in elements if is_old(element)}
    for element in elements:
        if element.getparent() in old:
            old.add(element)
    return old
