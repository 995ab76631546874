"""Headers of lists that are built like tables without being one: a first row that says what is below."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batchfish.localagent.page.labels import is_label
from batchfish.localagent.page.model import Facet, Source
from batchfish.localagent.page.money import find_money
from batchfish.localagent.page.tree import marks, one_line, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lxml.html import HtmlElement

    from batchfish.localagent.page.cells import Cell
    from batchfish.localagent.page.model import Column
    from batchfish.localagent.page.regions import Record

FEWEST = 2
LONGEST = 40
LOOKED_AT = 20
HEADER_MARKS = frozenset(
    {"head", "header", "heading", "headings", "headers", "thead", "kopf", "entete", "th"}
)


def split_header(records: Sequence[Record]) -> tuple[Sequence[Record], HtmlElement | None]:
    """Take a first record that is marked as a header off the others."""
    first = records[0]
    if len(first) == 1 and len(records) > FEWEST and (_is_marked(first[0]) or _only_says_names(records)):
        return records[1:], first[0]
    return records, None


def _is_marked(element: HtmlElement) -> bool:
    has_role = element.find(".//*[@role='columnheader']") is not None
    return has_role or not HEADER_MARKS.isdisjoint(marks(element))


def _only_says_names(records: Sequence[Record]) -> bool:
    """Whether the first record has words only, and the others have numbers in a place."""
    texts = [[one_line(text_of(cell)) for cell in record[0]] for record in records[:LOOKED_AT]]
    width = len(texts[0])
    if width < FEWEST or any(len(row) != width for row in texts) or not all(map(is_label, texts[0])):
        return False
    numbers = [all(any(map(str.isdigit, row[place])) for row in texts[1:]) for place in range(width)]
    return any(numbers) and not any(map(str.isdigit, "".join(texts[0])))


def headers_of(records: Sequence[Record]) -> Iterator[HtmlElement]:
    """Give what may be the header of records: what stands before them, or before what holds them."""
    first = records[0][0]
    if len(records[0]) > 1:
        return
    before, holder = first.getprevious(), first.getparent()
    if before is not None:
        yield before
    above = None if holder is None else holder.getprevious()
    if above is not None:
        yield above
        if len(above):
            yield above[-1]


def _may_be_header(text: str) -> bool:
    return is_label(text) and len(text) <= LONGEST and not find_money(text)


def name_by_header(columns: Sequence[Column], header: Sequence[Cell]) -> list[Column]:
    """Give columns the names that a header has in their places; an element with other texts is no header."""
    texts = {cell.key: one_line(cell.fact.text) for cell in header if cell.facet is Facet.TEXT}
    known = {column.key for column in columns}
    named = {key: text for key, text in texts.items() if key in known}
    if len(named) < FEWEST or not all(map(_may_be_header, named.values())):
        return list(columns)
    return [
        replace(column, names=((named[column.key], Source.PAIR), *column.names))
        if column.key in named and column.facet is Facet.TEXT
        else column
        for column in columns
    ]
