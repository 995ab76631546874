"""What stands over things on a page: headings by their tag or class, the titles and sections they make."""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING

from batchfish.localagent.page.model import Column, Source
from batchfish.localagent.page.tree import HEADINGS, marks, one_line, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lxml.html import HtmlElement

    from batchfish.localagent.page.facts import FactFinder
    from batchfish.localagent.page.regions import Record

UNDER_TITLE = re.compile(r"\s*\([^()]*\d[^()]*\)$")
"""How many there are, after the title of a section."""
SECTION_WORDS = frozenset({"section", "category", "group", "chapter"})
TITLE_WORDS = frozenset({"title", "heading", "header", "name"})
LONGEST_TITLE = 120
MOST_HEADINGS = 300


class Headings:
    """The headings of one tree; knows which of them stand over a table, and over records."""

    def __init__(self, finder: FactFinder) -> None:
        self._finder = finder
        self._headings = [element for element in finder.elements if _is_heading(element)]
        self._numbers = [finder.number(heading) for heading in self._headings]

    def over_table(self, table: HtmlElement) -> HtmlElement | None:
        """Give what stands over a table as its section: its caption, else the nearest heading."""
        caption = table.find("caption")
        return caption if caption is not None else next(self._over(table), None)

    def over_each(self, records: Sequence[Record]) -> list[HtmlElement | None]:
        """Give the nearest heading over each record that is not in one of them."""
        inside = _elements_of(records)
        return [next(self._over(record[0], inside), None) for record in records]

    def titles_of_table(self, table: HtmlElement) -> list[str]:
        """Give the caption of a table and the headings over it, the nearest first."""
        caption = table.find("caption")
        return ([one_line(text_of(caption))] if caption is not None else []) + self._titles(table)

    def titles_of_records(self, records: Sequence[Record]) -> list[str]:
        """Give the headings that stand over all records: those over the first and the last."""
        inside = _elements_of(records)
        last = self._titles(records[-1][0], inside)
        return [title for title in self._titles(records[0][0], inside) if title in last]

    def section(self, key: str, over: Sequence[HtmlElement]) -> Column:
        """Make a column of the sections that records are in, by what stands over each."""
        cells = {
            number: self._finder.fact("", heading, Source.MARK, text=UNDER_TITLE.sub("", text_of(heading)))
            for number, heading in enumerate(over)
        }
        return Column(key=key, names=(("section", Source.MARK),), cells=cells, is_above=True)

    def _titles(self, first: HtmlElement, records: frozenset[HtmlElement] = frozenset()) -> list[str]:
        return [one_line(text_of(one))[:LONGEST_TITLE] for one in self._over(first, records)]

    def _over(
        self, first: HtmlElement, records: frozenset[HtmlElement] = frozenset()
    ) -> Iterator[HtmlElement]:
        """Give the headings over an element, the nearest of each rank; those inside `records` are theirs."""
        place = bisect_left(self._numbers, self._finder.number(first)) - 1
        rank, looked = "h9", 0
        while place >= 0 and rank > "h1" and looked < MOST_HEADINGS:
            heading = self._headings[place]
            if heading.tag < rank and not any(
                above in records for above in (heading, *heading.iterancestors())
            ):
                yield heading
                rank = heading.tag if heading.tag in HEADINGS else "h7"
            place, looked = place - 1, looked + 1


def _elements_of(records: Sequence[Record]) -> frozenset[HtmlElement]:
    return frozenset(element for record in records for element in record)


def _is_heading(element: HtmlElement) -> bool:
    """Whether an element stands over others as their title, by its tag or by its class."""
    if element.tag in {*HEADINGS, "legend"}:
        return True
    if element.tag not in {"div", "p", "span", "strong"} or len(element):
        return False
    said = frozenset(marks(element))
    return not said.isdisjoint(SECTION_WORDS) and not said.isdisjoint(TITLE_WORDS)
