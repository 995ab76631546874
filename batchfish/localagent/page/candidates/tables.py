"""Tables as lists of records: a row each, labelled from above; or a column each, labelled from the left."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from batchfish.localagent.page.candidates.marks import exact_of, is_old_within, items_of
from batchfish.localagent.page.candidates.model import Field, Record, RecordList, Source
from batchfish.localagent.page.dom.document import SPOKEN
from batchfish.localagent.page.dom.text import HEADINGS, one_line, text_of
from batchfish.localagent.page.values.numbers import unit_of
from batchfish.localagent.page.words import fold, folded, spell_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lxml.html import HtmlElement

    from batchfish.localagent.page.candidates.fields import FieldFinder

    Cells: TypeAlias = Sequence[HtmlElement | None]
    Labels: TypeAlias = Sequence[tuple[str, ...]]

GROUP = ("group", "category", "region", "section", "day")
TOTALS = folded("totals")
BRACKETS = re.compile(r"\(.*?\)|\[.*?\]")
MOST_SPAN, MOST_HEADER_ROWS, FEWEST_COLUMNS, LONGEST_HEADER = 100, 3, 2, 80
NAME_LEVEL, OTHER_LEVEL = 7, 9


def find_tables(finder: FieldFinder) -> Iterator[RecordList]:
    """Yield the lists that the tables of a page are; a table for layout or of one pair a row is none."""
    for number, table in enumerate(finder.root.iter("table"), start=1):
        rows, elements = _grid(table) if table.find(".//table") is None else ([], [])
        width = max(map(len, rows), default=0)
        if width >= FEWEST_COLUMNS and len(rows) >= FEWEST_COLUMNS:
            titles = tuple(titles_of(table, finder.root))
            name = titles[0] if titles else number
            yield from _lists(finder, table, rows, elements, titles, f"table “{name}”")


def _grid(table: HtmlElement) -> tuple[list[Cells], list[HtmlElement]]:
    """Return a table as rows of cells, those that span places standing in each, and the rows' elements."""
    rows: list[Cells] = []
    elements = [row for row in table.iter("tr") if len(row)]
    spans: dict[
        int, tuple[int, HtmlElement | None]
    ] = {}  # by place: for how many rows, and what stands there
    for row in elements:
        cells: list[HtmlElement | None] = []
        own = [cell for cell in row if cell.tag in {"td", "th"}]
        due, spans = spans, {}
        while own or any(place >= len(cells) for place in due):
            place, across = len(cells), 1
            if place in due:
                left, cell = due[place]
            elif own:
                cell = own.pop(0)
                left, across = _span(cell, "rowspan"), _span(cell, "colspan")
            else:
                left, cell = 1, None
            cells.extend([cell] * across)
            if left > 1:
                spans |= {place + offset: (left - 1, cell) for offset in range(across)}
        rows.append(cells)
    return rows, elements


def _span(cell: HtmlElement, name: str) -> int:
    value = cell.get(name, "1").strip()
    return max(1, min(int(value), MOST_SPAN)) if value.isdecimal() else 1


def _lists(
    finder: FieldFinder,
    table: HtmlElement,
    rows: list[Cells],
    elements: list[HtmlElement],
    titles: tuple[str, ...],
    where: str,
) -> Iterator[RecordList]:
    width = max(map(len, rows))

    def listed(kind: str, records: Sequence[tuple[Cells, str]], labels: Labels) -> RecordList:
        place = where if kind == "table" else f"columns of {where}"
        return RecordList(
            key=f"{kind}:{'|'.join(one[0] if one else '' for one in labels)}",
            size=len(records),
            record=lambda number: _record(finder, records[number][0], labels, records[number][1], place),
            titles=titles,
            where=place,
            source=Source.PAIR,
            node=finder.numbers.get(table, 0),
            is_marginal=table in finder.margins,
        )

    if head := _header_rows(rows, elements):
        records = list(_rows(rows[head:], elements[head:]))
        labels = [_header(rows[:head], column) for column in range(width)]
        if records:
            yield listed("table", records, labels)
    side = [row[0] for row in rows if row and row[0] is not None]
    if sum(cell.tag == "th" for cell in side[1:]) >= len(side) - 1 and width > FEWEST_COLUMNS:
        columns = [
            (tuple(row[one] if one < len(row) else None for row in rows), "") for one in range(1, width)
        ]
        yield listed("columns", columns, [_labels(cell) for cell in side])


def _header_rows(rows: Sequence[Cells], elements: Sequence[HtmlElement]) -> int:
    """Return how many rows at the top label the columns; 0 where none does."""
    count = 0
    for row, element in zip(rows, elements, strict=True):
        parent = element.getparent()
        in_head = parent is not None and parent.tag == "thead"
        cells = {cell for cell in row if cell is not None}
        is_head = in_head or (len(cells) > 1 and all(cell.tag == "th" for cell in cells))
        if count >= MOST_HEADER_ROWS or not (is_head or (len(cells) == 1 and not count)):
            break
        count += 1
    if count and len({*rows[count - 1]}) == 1:  # what stands over all columns is the table's title
        return count - 1 if count > 1 else _plain_header(rows, 1)
    return count or _plain_header(rows, 0)


def _plain_header(rows: Sequence[Cells], start: int) -> int:
    """Return the rows up to a first one that labels columns without saying so: short words over numbers."""
    if len(rows) < start + 3:
        return 0
    first = [one_line(text_of(cell)) if cell is not None else "" for cell in rows[start]]
    is_short = all(not any(map(str.isdigit, text)) and len(text) <= LONGEST_HEADER for text in first)
    if not is_short or sum(map(bool, first)) < len(first) - 1:
        return 0
    below = "".join(text_of(cell) for row in rows[start + 1 : start + 6] for cell in row if cell is not None)
    marks = (cell is not None and (cell.tag == "th" or cell.find(".//b") is not None) for cell in rows[start])
    return start + 1 if all(marks) or (any(map(str.isdigit, below)) and len({*first}) == len(first)) else 0


def _header(head: Sequence[Cells], column: int) -> tuple[str, ...]:
    width = max(map(len, head))
    above = dict.fromkeys(cell for row in head if column < len(row) and (cell := row[column]) is not None)
    cells = [cell for cell in above if _span(cell, "colspan") < width or len(head) == 1]
    labels = _labels(cells[-1]) if cells else ()
    over = [fold(one_line(text_of(cell))) for cell in cells[:-1]]
    return (" ".join([*over, labels[0]]), *labels) if over and labels else labels


def _labels(cell: HtmlElement) -> tuple[str, ...]:
    """Return what a header cell calls its values: its text, also without brackets, and what it stands for."""
    text = one_line(text_of(cell))
    said = [cell.get(name, "") for name in (SPOKEN, "title", "abbr", "aria-label")]
    said += [one.get("title", "") for one in cell.iter("abbr")]
    names = [fold(BRACKETS.sub(" ", text)), *map(fold, (text, *said)), spell_name(cell.get("data-label", ""))]
    return tuple(dict.fromkeys(filter(None, names)))


def _rows(rows: Sequence[Cells], elements: Sequence[HtmlElement]) -> Iterator[tuple[Cells, str]]:
    """Yield the rows that are records, each with its group's heading; sums and repeated heads are none."""
    group = ""
    for row, element in zip(rows, elements, strict=True):
        cells = list(dict.fromkeys(cell for cell in row if cell is not None))
        filled = [text for cell in cells if (text := one_line(text_of(cell)))]
        is_heading = len(cells) == 1 or (len(filled) == 1 and all(cell.tag == "th" for cell in cells))
        parent = element.getparent()
        is_foot = parent is not None and parent.tag == "tfoot"
        if is_heading:
            group = filled[0] if filled else group
        elif len(filled) > 1 and not is_foot and any(cell.tag == "td" for cell in cells):
            yield from () if fold(filled[0]) in TOTALS else ((row, group),)


def _record(finder: FieldFinder, cells: Cells, labels: Labels, group: str, where: str) -> Record:
    fields: list[Field] = []
    there = [(place, cell) for place, cell in enumerate(cells) if cell is not None]
    heads = [place for place, cell in there if cell.tag == "th"]
    named = next(iter([*heads, *(place for place, cell in there if any(map(str.isalpha, text_of(cell))))]), 0)
    for place, cell in enumerate(cells):
        if cell is None or (place and cells[place - 1] is cell):  # what spans columns is a value of the first
            continue
        label = labels[place] if place < len(labels) else ()
        links = [address for one in cell.iter("a") if (address := finder.address(one.get("href")))]
        images = [address for one in cell.iter("img") if (address := finder.address(one.get("src")))]
        fields.append(
            Field(
                labels=label or ("",),
                text=text_of(cell),
                source=Source.PAIR if label else Source.TEXT,
                where=f"{where}, column “{label[0] if label else place + 1}”",
                node=finder.numbers.get(cell, 0) + place / 1000,
                exact=exact_of(cell),
                link=links[0] if links else None,
                image=images[0] if images else None,
                items=items_of(cell) if len(cell) else (),
                column=f"column:{place}",
                level=NAME_LEVEL if place == named else OTHER_LEVEL,
                is_old=is_old_within(cell, cell),
                is_whole=True,
                unit=next(filter(None, map(unit_of, reversed(" ".join(label).split()))), ""),
            )
        )
        if len(cell) > 1 or (len(cell) and len(cell[0])):
            within = (one for one in finder.fields_of(cell) if one.text != fields[-1].text)
            fields.extend([replace(one, column=f"column:{place}>{one.column}") for one in within])
    if group:
        over = f"{where}, heading of the rows"
        fields.append(
            Field(labels=GROUP, text=group, source=Source.CLASS, node=-1, where=over, column="group")
        )
    return tuple(fields)


def titles_of(element: HtmlElement, root: HtmlElement) -> Iterator[str]:
    """Yield what an element is called, the nearest first: by caption, classes, and the headings over it."""
    for caption in element.iter("caption"):
        yield fold(one_line(text_of(caption)))
    node: HtmlElement | None = element
    found = 0
    while node is not None and node is not root and found < 3:
        names = " ".join(node.get(name, "") for name in ("id", "aria-label", "class"))
        if names.strip():
            yield spell_name(names)
        for before in node.itersiblings(preceding=True):
            inner = before if before.tag in HEADINGS else next(before.iter(*HEADINGS), None)
            if inner is not None:
                yield fold(one_line(text_of(inner)))
                found += 1
                break
        node = node.getparent()
