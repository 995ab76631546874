"""Groups of like things made into sheets: the rows of tables, and elements that repeat, column by column."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from batchfish.localagent.page.address_columns import columns_of_cells, columns_of_records
from batchfish.localagent.page.cells import LINK_LEVEL, PLAIN_LEVEL, STRONG_LEVEL, Cell, RecordReader
from batchfish.localagent.page.headers import headers_of, name_by_header, split_header
from batchfish.localagent.page.headings import Headings
from batchfish.localagent.page.model import Column, Facet, Fact, Group, Source
from batchfish.localagent.page.places import gather
from batchfish.localagent.page.regions import Record, Region, RegionFinder, kind_class
from batchfish.localagent.page.tables import is_for_layout, lay_out, read_ways
from batchfish.localagent.page.tree import marks, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lxml.html import HtmlElement

    from batchfish.localagent.page.facts import FactFinder
    from batchfish.localagent.page.tables import Sheet

BRACKETED = re.compile(r"[^()]+\(([^()]+)\)")
AMOUNT = re.compile(r"\d[\d.,\s]*")
LOSS = re.compile(r"\((\d[\d.,\s]*)\)")
MOST_REGIONS = 60
MOST_WORK = 250_000
"""Elements looked at in all regions together, over which the smaller ones are passed by."""


def find_groups(finder: FactFinder, like: str | None = None) -> list[Group]:
    """Find every group of a page; of the one that `like` names, a single record is enough."""
    elements = finder.elements
    builder = _Builder(finder)
    sheets: list[tuple[HtmlElement, Sheet]] = []
    spared: set[HtmlElement] = set()
    for table in (element for element in elements if element.tag == "table"):
        if not is_for_layout(table):
            ways = list(read_ways(lay_out(table)))
            sheets.extend((table, sheet) for sheet in ways)
            if any(sheet.is_marked for sheet in ways):
                spared.update((table, *table.iter("thead", "tbody", "tfoot", "tr")))
    groups = [builder.sheet(table, sheet) for table, sheet in sheets]
    groups += [
        replace(builder.sheet(table, sheet), is_joined=True) for table, sheet in builder.joined(sheets)
    ]
    regions = [
        (builder.weigh(region), region) for region in RegionFinder(elements, frozenset(spared)).find(like)
    ]
    work = 0
    for weight, region in sorted(regions, key=lambda pair: -pair[0])[:MOST_REGIONS]:
        work += weight
        if work > MOST_WORK and region.key != like and groups:
            continue
        if group := builder.region(region):
            groups.append(group)
    return groups


class _Builder:
    """Makes groups of tables and regions."""

    def __init__(self, finder: FactFinder) -> None:
        elements = finder.elements
        self._finder = finder
        self._headings = Headings(finder)
        self._sizes = _sizes(elements)

    def weigh(self, region: Region) -> int:
        """Count the elements in a region."""
        return sum(self._sizes[element] for record in region.records for element in record)

    def joined(self, sheets: Sequence[tuple[HtmlElement, Sheet]]) -> Iterator[tuple[HtmlElement, Sheet]]:
        """Join tables of the same headers, each a section under a heading of its own."""
        alike: dict[tuple[str, tuple[str, ...]], list[tuple[HtmlElement, Sheet]]] = defaultdict(list)
        for table, sheet in sheets:
            alike[sheet.way, sheet.headers].append((table, sheet))
        for several in alike.values():
            over = [self._headings.over_table(table) for table, _ in several]
            if len(several) > 1 and len(set(over)) == len(over) and None not in over:
                rows = tuple(row for _, sheet in several for row in sheet.rows)
                sections = [one for one, (_, sheet) in zip(over, several, strict=True) for _ in sheet.rows]
                first, sheet = several[0]
                yield first, replace(sheet, rows=rows, sections=tuple(sections))

    def sheet(self, table: HtmlElement, sheet: Sheet) -> Group:
        """Make a group of a table, read in one way."""
        columns = []
        for place, header in enumerate(sheet.headers):
            cells = _with_losses(
                {
                    number: self._finder.fact(header, cell, Source.PAIR)
                    for number, row in enumerate(sheet.rows)
                    if (cell := row[place]) is not None and not _is_spread(row, place)
                }
            )
            names = tuple((name, Source.PAIR) for name in sheet.names[place])
            level = STRONG_LEVEL if place == 0 else PLAIN_LEVEL
            column = Column(key=f"{sheet.way}:{place}:{header}", names=names, cells=cells, level=level)
            leading = self._leading(column, [row[place] for row in sheet.rows])
            columns += [column, *_in_brackets(column, header), *leading]
            links = {number: replace(fact, text=fact.link) for number, fact in cells.items() if fact.link}
            if links:
                columns.append(
                    Column(
                        key=f"{sheet.way}:{place}:{header}@href",
                        names=((f"{header} link", Source.ROLE),),
                        cells=links,
                        facet=Facet.LINK,
                        level=level,
                    )
                )
        columns += [*columns_of_cells(columns, len(sheet.rows)), *self._sections(sheet)]
        return Group(
            key=f"table {' | '.join(sheet.headers)}",
            size=len(sheet.rows),
            columns=tuple(columns),
            titles=tuple(self._headings.titles_of_table(table)),
            marks=tuple(marks(table)),
            where=f"table with {sheet.way} as records" if sheet.way == "columns" else "table",
            is_table=sheet.is_marked,
            is_marginal=self._finder.is_marginal(table),
        )

    def _sections(self, sheet: Sheet) -> Iterator[Column]:
        """Give the rows that head others as a column, where every row stands under one of them."""
        over = [cell for cell in sheet.sections if cell is not None]
        if len(over) == len(sheet.rows) and len(set(over)) > 1:
            yield self._headings.section(f"{sheet.way}:section", over)

    def _leading(self, column: Column, cells: Sequence[HtmlElement | None]) -> Iterator[Column]:
        """Give the links that cells begin with, where more follows: a title over its subtitle."""
        found: dict[int, Fact] = {}
        for number, whole in column.cells.items():
            cell = cells[number]
            link = None if cell is None else cell.find(".//a")
            text = "" if link is None else text_of(link)
            if link is not None and text and whole.text.startswith(text):
                found[number] = self._finder.fact("", link, Source.PAIR)
        has_more = any(fact.text != column.cells[number].text for number, fact in found.items())
        if len(found) == len(column.cells) and has_more:
            yield replace(column, key=f"{column.key}/a", cells=found, level=LINK_LEVEL)

    def region(self, region: Region) -> Group | None:
        """Make a group of a region; None where its records say nothing."""
        records, header = split_header(region.records)
        reader = RecordReader(region.records, self._finder)
        by_key: dict[str, dict[int, Cell]] = defaultdict(dict)
        for number, record in enumerate(records):
            for cell in reader.read(record):
                by_key[cell.key].setdefault(number, cell)
        first = records[0][0]
        columns = gather(by_key, len(records), marks(first))
        if not columns:
            return None
        for row in headers_of(records) if header is None else [header]:
            columns = name_by_header(columns, list(reader.read((row,))))
        columns += [*columns_of_records(records, self._finder), *self._sections_of(records)]
        parent = first.getparent()
        name = kind_class(first)
        words = [*marks(first), *(marks(parent) if parent is not None else [])]
        return Group(
            key=region.key,
            size=len(records),
            columns=tuple(columns),
            titles=tuple(self._headings.titles_of_records(records)),
            marks=tuple(words),
            where=f"{first.tag}.{name}" if name else str(first.tag),
            is_marginal=all(self._finder.is_marginal(record[0]) for record in records),
            spans=tuple(self._span(record) for record in records),
        )

    def _sections_of(self, records: Sequence[Record]) -> Iterator[Column]:
        """Give the headings that stand over some records each as a column, where none is without one."""
        over = [heading for heading in self._headings.over_each(records) if heading is not None]
        if (
            len(over) == len(records)
            and 1 < len(set(over)) < len(records)
            and len({heading.tag for heading in over}) == 1
        ):
            yield self._headings.section("section", over)

    def _span(self, record: Record) -> tuple[int, int]:
        last = record[-1]
        return self._finder.number(record[0]), self._finder.number(last) + self._sizes[last] - 1


def _is_spread(row: Sequence[HtmlElement | None], place: int) -> bool:
    """Whether a cell only lies across a column: words over several are those of the first."""
    cell = row[place]
    is_same = cell is not None and place > 0 and row[place - 1] is cell
    return is_same and not any(map(str.isdigit, text_of(cell)))


def _with_losses(cells: dict[int, Fact]) -> dict[int, Fact]:
    """Write amounts in brackets as less than nothing, where others of the column stand without."""
    if not any(AMOUNT.fullmatch(fact.text) for fact in cells.values()):
        return cells
    return {
        number: replace(fact, text=f"-{match[1]}") if (match := LOSS.fullmatch(fact.text)) else fact
        for number, fact in cells.items()
    }


def _in_brackets(column: Column, header: str) -> Iterator[Column]:
    """Give the second value of cells that hold two: 14 and 3 of “14 (3)” under “Goals (penalties)”."""
    name = BRACKETED.fullmatch(header)
    found = {number: BRACKETED.fullmatch(fact.text) for number, fact in column.cells.items()}
    cells = {number: replace(column.cells[number], text=match[1]) for number, match in found.items() if match}
    if name and cells and len(cells) * 2 >= len(column.cells):
        yield replace(column, key=f"{column.key}@()", names=((name[1], Source.PAIR),), cells=cells)


def _sizes(elements: Sequence[HtmlElement]) -> dict[HtmlElement, int]:
    sizes = dict.fromkeys(elements, 1)
    for element in reversed(elements):
        parent = element.getparent()
        if parent in sizes:
            sizes[parent] += sizes[element]
    return sizes
