"""Labels with values, as pages set them: lists of definitions, tables, lines, rows of two, headings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchfish.localagent.page.entries import alike_from, entries_of, run_from
from batchfish.localagent.page.labels import is_label
from batchfish.localagent.page.lines import LABELLED, SEPARATOR, led_by_label
from batchfish.localagent.page.model import Source
from batchfish.localagent.page.naming import label_in_title, said_last, text_before
from batchfish.localagent.page.tree import BLOCKS, HEADINGS, clean, marks, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lxml.html import HtmlElement

    from batchfish.localagent.page.facts import FactFinder
    from batchfish.localagent.page.model import Fact

LONGEST_SECTION, MOST_LINES = 400, 8
PAIR = 2
FEWEST_ROWS = 2
SAYS_SOMETHING = re.compile(r"\w|[★☆✓✔✗✘—–-]")
BULLET = re.compile(r"^[•·–—*‣◦-]\s*")
"""What stands before the label of a part of what the row above is called."""
COLON = re.compile(r":\s*$")
FURTHER_LABEL = re.compile(r"[.,;]?\s[^\W\d_]\w+:\s")
STRESSED = frozenset({"strong", "b", "em", "span", "label", "dfn", "small"})
LABEL_MARKS = frozenset({"label", "key", "term", "caption", "dt", "k", "lbl", "attr", "cap"})
VALUE_MARKS = frozenset({"value", "val", "data", "dd", "v", "text", "content", "figure", "number"})
INLINE = frozenset({"a", "b", "bdi", "data", "em", "i", "mark", "span", "strong", "time", "u", "var"})


def find_pairs(finder: FactFinder) -> Iterator[Fact]:
    """Find the values that stand under a label."""
    ways = (
        _definition_lists,
        _tables,
        _labelled_lines,
        _begun_lines,
        _rows_of_two,
        _sections,
        _after_labels,
        _runs_of_pairs,
        _titled,
    )
    for way in ways:
        yield from (fact for fact in way(finder) if fact.items or SAYS_SOMETHING.search(fact.text))


def _definition_lists(finder: FactFinder) -> Iterator[Fact]:
    for dl in finder.root.iter("dl"):
        for wrapper in dl.iterchildren("div"):
            if sorted(child.tag for child in wrapper) == ["dd", "dt"]:
                yield from _pairs(
                    finder,
                    [text_of(one) for one in wrapper.iterchildren("dt")],
                    list(wrapper.iterchildren("dd")),
                )
        if dl.find("div") is not None:
            continue
        terms: list[str] = []
        values: list[HtmlElement] = []
        for entry in [*dl.iter("dt", "dd"), None]:
            if (entry is None or entry.tag == "dt") and values:
                yield from _pairs(finder, terms, values)
                terms, values = [], []
            if entry is not None and entry.tag == "dt":
                terms.append(_first_line(entry))
            elif entry is not None:
                values.append(entry)


def _pairs(finder: FactFinder, terms: list[str], values: list[HtmlElement]) -> Iterator[Fact]:
    for term in terms:
        items = tuple(text_of(value) for value in values) if len(values) > 1 else entries_of(values[0])
        text = "\n".join(items) if len(values) > 1 else None
        if is_label(term):
            yield finder.fact(term, values[0], Source.PAIR, text=text, items=items)


def _tables(finder: FactFinder) -> Iterator[Fact]:
    above = ""
    for row in finder.root.iter("tr"):
        cells = [cell for cell in row if cell.tag in {"td", "th"}]
        term = _first_line(cells[0]) if cells else ""
        if BULLET.match(term) and above and len(cells) == PAIR:
            yield finder.fact(f"{above} {BULLET.sub('', term)}", cells[1], Source.PAIR)
            yield finder.fact(above, cells[1], Source.PAIR)
        if not BULLET.match(term) or not above:
            is_over_others = len(cells) == PAIR and cells[0].tag == "th" and not text_of(cells[1])
            above = term if is_over_others else ""
        if len(cells) == PAIR or [cell.tag for cell in cells] == ["th", "td"] * 2:
            for name, value in zip(cells[::2], cells[1::2], strict=True):
                term = _first_line(name)
                if value.tag == "td" and is_label(term):
                    yield finder.fact(term, value, Source.PAIR, items=entries_of(value))


def _labelled_lines(finder: FactFinder) -> Iterator[Fact]:
    for element in finder.elements:
        is_text = element.tag in BLOCKS - {"dl", "tr", "table", "tbody"} or len(element) == 0
        begins = COLON.search(element.text or "") is not None
        is_run = begins and len(element) > 1 and len(run_from(element[0])) == len(element)
        if not (is_text or begins) or is_run or not finder.is_leaf(element):
            continue
        for number, line in enumerate(SEPARATOR.split(text_of(element))):
            found = LABELLED.fullmatch(line)
            led = found.groups() if found else None if element.tag == "th" else led_by_label(line)
            holds_more = len(element) > 1 and led is not None and FURTHER_LABEL.search(led[1]) is not None
            if led and is_label(led[0]) and not holds_more:
                yield finder.fact(led[0], element, Source.PAIR, text=led[1], line=number)


def _begun_lines(finder: FactFinder) -> Iterator[Fact]:
    """Find lines that begin with a label in an element of its own, several of them one below the other."""
    for parent in finder.elements:
        rows = [row for row in parent if (first := _first_said(row)) is not None and first.tag in STRESSED]
        rows = [row for row in rows if (row[-1].tail or "").strip()]
        if len(rows) < FEWEST_ROWS:
            continue
        for row in rows:
            term = text_of(row[-1]).rstrip(" :")
            if is_label(term):
                yield finder.fact(term, row, Source.PAIR, text=clean(row[-1].tail or "").lstrip(": "))


def _first_said(row: HtmlElement) -> HtmlElement | None:
    """Give the one child of an element that says something, where nothing is said before it."""
    *before, last = row if len(row) else [None]
    says_before = any(text_of(child) or (child.tail or "").strip() for child in before if child is not None)
    return None if (row.text or "").strip() or says_before else last


def _rows_of_two(finder: FactFinder) -> Iterator[Fact]:
    """Find rows of two plain elements, a short text and another, that come several in a row."""
    for parent in finder.elements:
        if parent.tag in {"dl", "table", "tbody", "tr", "select"} or len(parent) < FEWEST_ROWS:
            continue
        rows = [child for child in parent if len(child) == PAIR and child.tag not in {"tr", "dl"}]
        rows = [row for row in rows if not (row.text or "").strip() and not (row[0].tail or "").strip()]
        if len(rows) < FEWEST_ROWS or len({row[0].tag for row in rows}) > 1:
            continue
        is_below = _say_amounts_first(rows)
        for row in rows:
            name, value = (row[1], row[0]) if is_below or _is_named_below(row) else (row[0], row[1])
            term = text_of(name).rstrip(":")
            if is_label(term) and name.tag not in {"a", "img", "input", "button"}:
                yield finder.fact(term, value, Source.PAIR, items=entries_of(value))


def _say_amounts_first(rows: Sequence[HtmlElement]) -> bool:
    """Whether amounts stand first in every row, and words without one after them."""
    texts = [(text_of(row[0]), text_of(row[1])) for row in rows]
    return all(any(map(str.isdigit, first)) for first, _ in texts) and sum(
        not any(map(str.isdigit, second)) for _, second in texts
    ) * 2 > len(texts)


def _is_named_below(row: HtmlElement) -> bool:
    """Whether the label of a pair stands after its value, as its class says."""
    first, second = (set(marks(child)) for child in row)
    return not second.isdisjoint(LABEL_MARKS) and first.isdisjoint(LABEL_MARKS)


def _runs_of_pairs(finder: FactFinder) -> Iterator[Fact]:
    """Find labels and values in turn, one beside the other, which their classes tell apart."""
    for element in finder.elements:
        following = element.getnext()
        is_term = element.tag in STRESSED and VALUE_MARKS.isdisjoint(marks(element))
        if following is None or (LABEL_MARKS.isdisjoint(marks(element)) and not is_term):
            continue
        if LABEL_MARKS.isdisjoint(marks(following)) and not VALUE_MARKS.isdisjoint(marks(following)):
            term = text_of(element).rstrip(" :")
            if is_label(term):
                yield finder.fact(term, following, Source.PAIR, items=entries_of(following))


def _titled(finder: FactFinder) -> Iterator[Fact]:
    """Find the values whose label is shown when the mouse rests on them."""
    for element in finder.elements:
        if element.get("title") and finder.is_leaf(element) and (term := label_in_title(element)):
            yield finder.fact(term, element, Source.PAIR)


def _sections(finder: FactFinder) -> Iterator[Fact]:
    """Take a heading for the label of what follows it, where that is short."""
    for heading in finder.root.iter(*HEADINGS[1:], "legend", "caption"):
        following = heading.getnext()
        if following is None or following.tag in {*HEADINGS, "form", "table"}:
            continue
        run = list(alike_from(following))
        text = "\n".join(map(text_of, run))
        if text_of(following) and len(text) < LONGEST_SECTION and is_label(term := text_of(heading)):
            items = tuple(filter(None, map(text_of, run))) if len(run) > 1 else entries_of(following)
            for number, line in enumerate(text.split("\n")[:MOST_LINES], start=1):
                if (found := LABELLED.fullmatch(line)) and is_label(found[1]):
                    name = f"{term} {found[1]}"
                    yield finder.fact(name, following, Source.SECTION, text=found[2], line=number)
            yield finder.fact(
                term, following, Source.SECTION, text=text if len(run) > 1 else None, items=items
            )


def _after_labels(finder: FactFinder) -> Iterator[Fact]:
    """Find elements right after a label: in the text before them, or in an element that ends with a colon."""
    for element in finder.elements:
        if element.tag in INLINE and (name := said_last(text_before(element))):
            items = run_from(element)
            text = ", ".join(items) if len(items) > 1 else None
            yield finder.fact(name, element, Source.PAIR, text=text, items=items if text else ())
        previous = element.getprevious()
        if previous is not None and not (previous.tail or "").strip() and previous.tag not in HEADINGS:
            term = " ".join("".join(previous.itertext()).split()) if len(previous) <= 1 else ""
            if term.endswith(":") and is_label(term) and len(text_of(element)) < LONGEST_SECTION:
                yield finder.fact(term.rstrip(" :"), element, Source.PAIR, items=entries_of(element))


def _first_line(element: HtmlElement) -> str:
    """Give the first line of a label: what stands below says it more exactly."""
    return text_of(element).partition("\n")[0]
