"""Groups of like things: rows of a table under its headers, and elements that repeat."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from batchfish.localagent.page.facts import CELLS, HEADINGS, FactFinder
from batchfish.localagent.page.model import Fact, Group, Source
from batchfish.localagent.page.tree import marks, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lxml.html import HtmlElement

FEWEST = 2
MOST_SPAN = 200


def find_groups(root: HtmlElement, facts: Sequence[Fact], finder: FactFinder) -> Iterator[Group]:
    """Find every table of records and every run of like elements."""
    for table in root.iter("table"):
        if group := _table(table, finder):
            yield group
    yield from _repeated(root, facts, finder)


def _table(table: HtmlElement, finder: FactFinder) -> Group | None:
    grid = _grid(table)
    if len(grid) <= FEWEST - 1 or len(grid[0]) < FEWEST:
        return None
    depth = next(
        (n for n, row in enumerate(grid) if not all(cell is None or cell.tag == "th" for cell in row)), 0
    )
    if not depth:
        return None
    headers = [
        " ".join(
            dict.fromkeys(
                text_of(cell).replace("\n", " ") for row in grid[:depth] if (cell := row[column]) is not None
            )
        )
        for column in range(len(grid[0]))
    ]
    records = tuple(
        tuple(
            finder.fact(header, cell, Source.PAIR)
            for header, cell in zip(headers, row, strict=True)
            if header and cell is not None
        )
        for row in grid[depth:]
        if len({cell for cell in row if cell is not None}) > 1
    )
    return Group(
        records=records,
        titles=tuple(_titles(table)),
        where="table",
        is_marginal=finder.is_marginal(table),
    )


def _grid(table: HtmlElement) -> list[list[HtmlElement | None]]:
    """Lay a table out: a cell that spans several places stands in each of them."""
    rows = [row for row in table.iter("tr") if next(row.iterancestors("table"), None) is table]
    grid: list[list[HtmlElement | None]] = []
    hanging: dict[int, tuple[HtmlElement, int]] = {}
    for row in rows:
        line: list[HtmlElement | None] = []
        cells = iter([cell for cell in row if cell.tag in CELLS])
        while True:
            if len(line) in hanging:
                cell, left = hanging.pop(len(line))
                if left > 1:
                    hanging[len(line)] = (cell, left - 1)
                line.append(cell)
                continue
            following = next(cells, None)
            if following is None:
                break
            for _ in range(_span(following, "colspan")):
                if (down := _span(following, "rowspan")) > 1:
                    hanging[len(line)] = (following, down - 1)
                line.append(following)
        if line:
            grid.append(line)
    width = max((len(line) for line in grid), default=0)
    return [line + [None] * (width - len(line)) for line in grid]


def _span(cell: HtmlElement, name: str) -> int:
    text = cell.get(name, "1")
    return min(max(int(text), 1), MOST_SPAN) if text.isdecimal() else 1


def _repeated(root: HtmlElement, facts: Sequence[Fact], finder: FactFinder) -> Iterator[Group]:
    inside: dict[int, list[Fact]] = defaultdict(list)
    for fact in facts:
        inside[fact.node[0]].append(fact)
    for parent in root.iter("*"):
        for records in _alike(parent):
            yield Group(
                records=tuple(tuple(_facts_in(record, inside, finder)) for record in records),
                titles=tuple(_titles(parent)),
                where=".".join([records[0].tag, *records[0].get("class", "").split()[:2]]),
                is_marginal=finder.is_marginal(parent),
            )


def _alike(parent: HtmlElement) -> Iterator[list[HtmlElement]]:
    """Group the children of an element that are of one kind: one tag, one class."""
    if len(parent) < FEWEST or parent.tag in {"table", "thead", "tbody", "tr", "dl", "select"}:
        return
    kinds: dict[tuple[str, str], list[HtmlElement]] = defaultdict(list)
    for child in parent:
        kinds[child.tag, next(iter(child.get("class", "").split()), "")].append(child)
    yield from (
        children
        for children in kinds.values()
        if len(children) >= FEWEST and any(len(child) for child in children)
    )


def _facts_in(record: HtmlElement, inside: dict[int, list[Fact]], finder: FactFinder) -> Iterator[Fact]:
    has_title = False
    for element in record.iter("*"):
        if not has_title and (element.tag in HEADINGS or element.tag == "a") and (text := text_of(element)):
            has_title = True
            link = element if element.tag == "a" else element.find(".//a")
            title = element if link is None or not text_of(link) else link
            yield finder.fact("title", title, Source.HEADING, text=text_of(title).replace("\n", " ") or text)
        yield from inside.get(finder.number(element), ())


def _titles(element: HtmlElement) -> Iterator[str]:
    caption = element.find("caption")
    if caption is not None:
        yield text_of(caption)
    yield from marks(element)
    node: HtmlElement | None = element
    while node is not None:
        heading = next((one for one in node.itersiblings(*HEADINGS, preceding=True)), None)
        if heading is not None:
            yield text_of(heading)
            return
        node = node.getparent()
