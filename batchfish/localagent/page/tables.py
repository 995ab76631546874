"""Tables laid out as grids, and the ways to read one: rows under headers, or columns beside them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from batchfish.localagent.page.tree import one_line, text_of
from batchfish.localagent.page.vocabulary import TOTALS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lxml.html import HtmlElement

Grid: TypeAlias = "list[list[HtmlElement | None]]"
CELLS = ("td", "th")
FEWEST = 2
MOST_SPAN = 200
MOST_TURNED = 60
"""A table with more rows than this is not one whose columns are the records."""
LONGEST_HEADER = 80
MOST_LIKE = 0.7


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """One way to read a table: headers, rows of cells under them; `is_marked`: the page marks the headers.

    `names` are what a column is called: all of its headers, and the one that stands right above its cells.
    `sections` are the rows of one cell over the whole width that stand over each row, None where none does.
    """

    headers: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]
    rows: tuple[tuple[HtmlElement | None, ...], ...]
    sections: tuple[HtmlElement | None, ...]
    way: str
    is_marked: bool


def lay_out(table: HtmlElement) -> Grid:
    """Lay a table out: a cell that spans several places stands in each of them."""
    rows = [row for row in table.iter("tr") if next(row.iterancestors("table"), None) is table]
    rows = [row for row in rows if row.getparent().tag != "tfoot"] or rows
    grid: Grid = []
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
    text = cell.get(name, "1").strip()
    return min(max(int(text), 1), MOST_SPAN) if re.fullmatch(r"[0-9]{1,4}", text) else 1


def is_for_layout(table: HtmlElement) -> bool:
    """Whether a table only places things on the page: it holds tables, headings or forms."""
    return (
        table.get("role") == "presentation"
        or next(table.iter("table", "h1", "h2", "form", "ul"), table) is not table
        or (table.find(".//table") is not None)
    )


def read_ways(grid: Grid) -> Iterator[Sheet]:
    """Read a grid in every way that makes sense, the likeliest first.

    Where only the first row is marked as headers, the columns are no records, and the other way round.
    """
    if len(grid) < FEWEST or len(grid[0]) < FEWEST:
        return
    depth = _header_depth(grid)
    turned: Grid = [list(line) for line in zip(*grid, strict=True)]
    has_side = depth < len(grid) and all(cell is None or cell.tag == "th" for cell in turned[0][depth:])
    is_bare = not depth and (has_side or _begins_like_the_rest(grid))
    top = 0 if is_bare else max(depth, 1)
    rows = _sheet(grid, top, "rows", is_marked=depth > 0)
    can_turn = (has_side or not depth) and depth <= 1 and len(grid) <= MOST_TURNED
    columns = _sheet(turned, 1, "columns", is_marked=has_side) if can_turn else None
    yield from filter(None, (columns, rows) if has_side else (rows, columns))


def _begins_like_the_rest(grid: Grid) -> bool:
    """Whether the first row holds values as the others do, so that the table has no headers."""
    for cells in zip(*grid, strict=True):
        numbers = [cell is not None and any(map(str.isdigit, text_of(cell))) for cell in cells]
        if numbers[0] and sum(numbers) >= MOST_LIKE * len(numbers):
            return True
    return False


def _header_depth(grid: Grid) -> int:
    """Count the rows of headers at the top; a row of one cell over the whole width is a title above them."""
    for number, row in enumerate(grid):
        cells = {cell for cell in row if cell is not None}
        if all(cell.tag == "th" or not text_of(cell) for cell in cells) or _is_in_head(row):
            continue
        return number
    return 0


def _is_in_head(row: Sequence[HtmlElement | None]) -> bool:
    first = next((cell for cell in row if cell is not None), None)
    parent = first.getparent() if first is not None else None
    grandparent = parent.getparent() if parent is not None else None
    return grandparent is not None and grandparent.tag == "thead"


def _sheet(grid: Grid, depth: int, way: str, *, is_marked: bool) -> Sheet | None:
    heads = [row for row in grid[:depth] if len(set(row)) > 1]
    said = [
        list(dict.fromkeys(_header_text(cell) for row in heads if (cell := row[column]) is not None))
        for column in range(len(grid[0]))
    ]
    headers = tuple(" ".join(texts)[:LONGEST_HEADER].strip() for texts in said)
    names = tuple(
        tuple(dict.fromkeys(filter(None, (header, *texts[-1:], *first_lines))))
        for header, texts, first_lines in zip(
            headers, said, _first_lines(heads[-1:], len(grid[0])), strict=True
        )
    )
    said_in = [pair for pair in _in_sections(grid[depth:]) if not _repeats(pair[0], headers)]
    if len(said_in) > FEWEST and _sums_up(said_in[-1][0]):
        said_in.pop()
    if not said_in or (depth and not any(headers)):
        return None
    rows, sections = zip(*said_in, strict=True)
    return Sheet(headers=headers, names=names, rows=rows, sections=sections, way=way, is_marked=is_marked)


def _first_lines(heads: Sequence[Sequence[HtmlElement | None]], width: int) -> Iterator[tuple[str, ...]]:
    """Give the first lines of headers that have several: below a name stands the unit of its values."""
    for column in range(width):
        texts = [text_of(cell) for row in heads if (cell := row[column]) is not None]
        yield tuple(first for text in texts if (first := text.partition("\n")[0]) != text)


def _in_sections(
    grid: Grid,
) -> Iterator[tuple[tuple[HtmlElement | None, ...], HtmlElement | None]]:
    """Give each row with the row of one cell over the whole width that stands over it."""
    section: HtmlElement | None = None
    for row in grid:
        cells = {cell for cell in row if cell is not None}
        if len(cells) > 1:
            yield tuple(row), section
        elif cells and row[-1] is not None:
            (section,) = cells


def _sums_up(row: Sequence[HtmlElement | None]) -> bool:
    """Whether a row says what the others come to, and is none of them."""
    return row[0] is not None and text_of(row[0]).strip(" :").casefold() in TOTALS


def _header_text(cell: HtmlElement) -> str:
    """Give what a header says in full, where it is cut short to letters."""
    titled = next((one for one in cell.iter("th", "td", "abbr", "span") if one.get("title")), None)
    return one_line(text_of(cell)) if titled is None else titled.get("title", "").strip()


def _repeats(row: Sequence[HtmlElement | None], headers: Sequence[str]) -> bool:
    """Whether a row says the headers again, as long tables do."""
    return all(cell is None or cell.tag == "th" for cell in row) and [
        "" if cell is None else _header_text(cell) for cell in row
    ] == list(headers)
