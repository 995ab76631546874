"""What one record of a region says, cell by cell, each under a key that is the same in every record."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin

from batchfish.localagent.page.facts import LONGEST_VALUE
from batchfish.localagent.page.model import Facet, Fact, Source
from batchfish.localagent.page.naming import (
    AUTHOR,
    counted_beside,
    full_text,
    has_own_text,
    image_address,
    items_of,
    label_before,
    own_names,
    where_of,
)
from batchfish.localagent.page.own_amounts import is_dearer, own_amount
from batchfish.localagent.page.parts import Part, parts_of, tails_of
from batchfish.localagent.page.ratings import attribute_text
from batchfish.localagent.page.steps import Steps
from batchfish.localagent.page.tree import (
    BLOCKS,
    HEADINGS,
    is_beside_the_point,
    is_old,
    marks,
    one_line,
    text_of,
)
from batchfish.localagent.page.words import label

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lxml.html import HtmlElement

    from batchfish.localagent.page.facts import FactFinder
    from batchfish.localagent.page.regions import Record

MOST_CELLS = 90
MOST_ELEMENTS = 300
MOST_DEEP = 24
SHORT = 90
LINK_LEVEL, STRONG_LEVEL, PLAIN_LEVEL = 7, 8, 9
COUNTED = re.compile(r"^\d[\d.,]*\s+([^\W\d_]{4,})")
"""What an attribute counts: the stars of “4 stars out of 5”."""
AVATARS = frozenset({"avatar", "gravatar", "userpic"})
CONTACTS = {"mailto": "email", "tel": "phone"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One thing that a record says, before columns are made of cells."""

    key: str
    fact: Fact
    names: tuple[tuple[str, Source], ...] = ()
    facet: Facet = Facet.TEXT
    level: int = PLAIN_LEVEL
    is_old: bool = False
    is_composite: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """Where the walk through a record is: the key so far, and what holds for everything below."""

    element: HtmlElement
    key: str
    names: tuple[tuple[str, Source], ...] = ()
    level: int = PLAIN_LEVEL
    is_old: bool = False
    depth: int = 0


class RecordReader:
    """Reads the records of one region into cells."""

    def __init__(self, records: Sequence[Record], finder: FactFinder) -> None:
        self._finder = finder
        self._steps = Steps(records)

    def read(self, record: Record) -> Iterator[Cell]:
        """Give the cells of a record in the order in which they stand."""
        seen = Counter[str]()
        stack = [
            _Place(element=element, key=self._steps.name("", element, seen) if len(record) > 1 else "")
            for element in reversed(record)
        ]
        visited = 0
        while stack and visited < MOST_ELEMENTS:
            place = stack.pop()
            visited += 1
            yield from self._cells(place)
            if place.depth < MOST_DEEP:
                below = [self._below(place, child, seen) for child in place.element]
                stack.extend(reversed(below))

    def _below(self, place: _Place, child: HtmlElement, seen: Counter[str]) -> _Place:
        is_alone = len(place.element) == 1 and not (place.element.text or "").strip()
        inherited = place.names if is_alone and not (child.tail or "").strip() else ()
        level = place.level
        if child.tag in HEADINGS:
            level = int(child.tag[1])
        elif child.tag == "a" and child.get("href"):
            level = min(level, LINK_LEVEL)
        elif child.tag in {"strong", "b", "cite", "dt", "summary"}:
            level = min(level, STRONG_LEVEL)
        return _Place(
            element=child,
            key=self._steps.name(place.key, child, seen),
            names=(*self._said_before(child, seen), *own_names(child), *counted_beside(child), *inherited),
            level=level,
            is_old=place.is_old or is_old(child) or is_dearer(child, place.element),
            depth=place.depth + 1,
        )

    def _said_before(self, child: HtmlElement, seen: Counter[str]) -> tuple[tuple[str, Source], ...]:
        """Give what the text before an element calls it; only the first “by” of a record names its author."""
        names = label_before(child)
        if names == AUTHOR:
            seen["by"] += 1
        return () if names == AUTHOR and seen["by"] > 1 else names

    def _fact(self, place: _Place, text: str, *, line: int = 0, items: tuple[str, ...] = ()) -> Fact:
        element = place.element
        time = element if element.get("datetime") else element.find("*[@datetime]")
        link = element if element.tag == "a" else element.find(".//a")
        href = link.get("href") if link is not None else None
        is_said = time is not None and text_of(time) in text  # else it is that of another part
        exact = (time.get("datetime") if time is not None and is_said else None) or element.get("content")
        return Fact(
            label="",
            text=text[:LONGEST_VALUE],
            source=Source.MARK,
            node=(self._finder.number(element), line),
            where=where_of(element),
            exact=exact or (element.get("data-value") or element.get("value") if len(element) == 0 else None),
            link=self._finder.absolute(href),
            items=items,
        )

    def _cells(self, place: _Place) -> Iterator[Cell]:
        element, key = place.element, place.key
        if place.depth and _is_one_of_terms(element):
            return  # the label of what follows
        if said := attribute_text(element):
            name, text = said
            nouns = tuple((noun, Source.QUANTITY) for noun in COUNTED.findall(text)[:1])
            names = ((name, Source.ROLE), *nouns, *place.names)
            yield Cell(key=f"{key}@{name}", fact=self._fact(place, text), names=names)
        if element.tag == "img":
            yield from self._image(place)
            return
        is_unit = (
            len(element) == 0
            or has_own_text(element)
            or not any(child.tag in BLOCKS for child in element.iter("*") if child is not element)
        )
        is_named = bool(place.names) and len(element) > 1
        is_read = is_unit or is_named or element.tag in {"ul", "ol"}
        text = full_text(element) if is_read else ""
        if is_beside_the_point(element) and not place.is_old:
            if text:
                yield Cell(key=f"{key}@badge", fact=self._fact(place, text), names=place.names)
            return
        if text:
            yield from self._text(place, own_amount(element) or text)
        if element.tag == "a":
            yield from self._link(place, text)
        if text and is_unit and not place.is_old:
            for part in (*parts_of(element, text), *tails_of(element)):
                yield self._part(place, part)

    def _text(self, place: _Place, text: str) -> Iterator[Cell]:
        """Give what an element says, in its place, and under its label: that is the same in every record."""
        element = place.element
        cell = Cell(
            key=place.key,
            fact=self._fact(place, text, items=items_of(element)),
            names=tuple(name for name in place.names if name[1] is not Source.PAIR),
            level=place.level,
            is_old=place.is_old,
            is_composite=len(element) > 1 and not has_own_text(element),
        )
        yield cell
        for name, source in place.names:
            if source is Source.PAIR:
                yield replace(cell, key=f"“{label(name).phrase}”", names=((name, source), *cell.names))

    def _image(self, place: _Place) -> Iterator[Cell]:
        if source := image_address(place.element):
            fact = self._fact(place, urljoin(self._finder.url, source))
            yield Cell(key=f"{place.key}@src", fact=fact, names=(("image", Source.ROLE),), facet=Facet.IMAGE)
        if alt := (place.element.get("alt") or "").strip():
            name = "author" if AVATARS.intersection(marks(place.element)) else "alt"
            yield Cell(key=f"{place.key}@alt", fact=self._fact(place, alt), names=((name, Source.MARK),))

    def _link(self, place: _Place, text: str) -> Iterator[Cell]:
        raw = (place.element.get("href") or "").strip()
        kind, _, rest = raw.partition(":")
        if kind.lower() in CONTACTS and rest:
            said = unquote(rest.partition("?")[0])
            yield self._part(place, Part(name=CONTACTS[kind.lower()], text=said, source=Source.ROLE))
        href = self._finder.absolute(raw)
        if href is None:
            return
        has_words = len(text) < SHORT and re.search(r"[^\W\d_]", text) is not None
        names = ((f"{text} link", Source.ROLE),) if has_words else ()
        yield Cell(
            key=f"{place.key}@href",
            fact=self._fact(place, href),
            names=(*names, *place.names),
            facet=Facet.LINK,
            level=place.level,
        )

    def _part(self, place: _Place, part: Part) -> Cell:
        """Make a cell of a part of a text: under its own name wherever it stands, else in its place."""
        items: tuple[str, ...] = ()
        if part.name:
            members = [
                one_line(text_of(child)) for child in place.element if child.tag in {"a", "span", "li"}
            ]
            said = tuple(filter(None, members))
            items = said if " ".join(said) == " ".join(part.text.split()) else ()
        return Cell(
            key=f"“{label(part.name).phrase}”" if part.name else f"{place.key}{part.place}",
            fact=self._fact(place, part.text, line=part.line, items=items),
            names=((part.name, part.source),) if part.name else (),
        )


def _is_one_of_terms(element: HtmlElement) -> bool:
    """Whether an element is one of several terms of a list of definitions."""
    holder = next(element.iterancestors("dl"), None) if element.tag == "dt" else None
    return holder is not None and sum(1 for _ in holder.iter("dt")) > 1
