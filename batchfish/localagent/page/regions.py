"""Where a page repeats itself: runs of like elements, cousins in other rows, headings with what follows."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

from batchfish.localagent.page.marks import is_useful
from batchfish.localagent.page.tree import HEADINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lxml.html import HtmlElement

Record: TypeAlias = "tuple[HtmlElement, ...]"
FEWEST = 2
MOST_KINDS = 12
"""A parent whose children are of more kinds than this is the page itself, not a list."""
NEVER = frozenset(
    {"br", "hr", "option", "script", "style", "button", "col", "colgroup", "input", "label", "source", "i"}
)
NO_PARENTS = frozenset({"select", "colgroup", "p", "head", "html", "svg"})
ALTERNATING = frozenset({"odd", "even", "alt", "first", "last", "active", "current", "selected"})
ANYWHERE = ("article", "h2", "h3", "h4")


@dataclass(frozen=True, kw_only=True, slots=True)
class Region:
    """Records that look alike; `key` names them in the same way on the next page of a list."""

    records: tuple[Record, ...]
    key: str


class RegionFinder:
    """Finds the regions of one tree; `spared` are tables that are read as tables."""

    def __init__(self, elements: Sequence[HtmlElement], spared: frozenset[HtmlElement]) -> None:
        self._elements = elements
        self._spared = spared
        self._paths = _paths(elements)

    def find(self, like: str | None = None) -> Iterator[Region]:
        """Find every region; of the one that `like` names, a single record is enough."""
        seen: set[tuple[Record, ...]] = set()
        for key, records in self._candidates():
            if (len(records) >= FEWEST or key == like) and records not in seen:
                seen.add(records)
                yield Region(records=records, key=key)

    def _candidates(self) -> Iterator[tuple[str, tuple[Record, ...]]]:
        cousins: dict[str, list[HtmlElement]] = defaultdict(list)
        segments: dict[str, list[Record]] = defaultdict(list)
        for parent in self._elements:
            if parent.tag in NO_PARENTS or parent in self._spared or not _may_hold_records(parent):
                continue
            children = [child for child in parent if child.tag not in NEVER]
            if not children or any(child in self._spared for child in children[:1]):
                continue
            kinds: dict[str, list[HtmlElement]] = defaultdict(list)
            for child in children:
                kinds[_kind(child)].append(child)
            for kind, alike in kinds.items():
                cousins[self._paths[alike[0]]].extend(alike)
                yield f"{_kind(parent)}>{kind}", tuple((child,) for child in alike)
            if len(kinds) > 1:
                yield from _of_one_tag(parent, children)
                for key, records in _segments(parent, children):
                    segments[f"{self._paths[records[0][0]]}+"].extend(records)
                    yield key, records
        for path, several in segments.items():
            yield f"*>{path.rsplit('>', 1)[-1]}", tuple(several)
        for path, alike in cousins.items():
            yield f"*>{path.rsplit('>', 1)[-1]}", tuple((child,) for child in alike)
        for tag in ANYWHERE:
            yield (
                f"any>{tag}",
                tuple(
                    (element,)
                    for element in self._elements
                    if element.tag == tag and not _is_inside(element, tag)
                ),
            )


def _may_hold_records(parent: HtmlElement) -> bool:
    """Whether children may be records: the cells of a row are only where each holds several things."""
    return parent.tag != "tr" or all(len(cell) > 1 for cell in parent)


def _paths(elements: Sequence[HtmlElement]) -> dict[HtmlElement, str]:
    """Give each element a word for its kind and those of its ancestors; elements of like descent share it."""
    numbers: dict[tuple[int, str], int] = {}
    own: dict[HtmlElement, int] = {}
    paths: dict[HtmlElement, str] = {}
    for element in elements:
        parent = element.getparent()
        step = (own.get(parent, 0) if parent is not None else 0, _kind(element))
        own[element] = numbers.setdefault(step, len(numbers) + 1)
        paths[element] = f"{own[element]}>{step[1]}"
    return paths


def _is_inside(element: HtmlElement, tag: str) -> bool:
    return next(element.iterancestors(tag), None) is not None


def kind_class(element: HtmlElement) -> str:
    """Give the first class that says what an element is: numbers and turns in it do not count."""
    for name in element.get("class", "").split():
        plain = re.sub(r"\d+", "", name).strip("-_").lower()
        if plain and plain not in ALTERNATING and is_useful(name):
            return plain
    return ""


def _kind(element: HtmlElement) -> str:
    name = kind_class(element)
    return f"{element.tag}.{name}" if name else str(element.tag)


def _of_one_tag(
    parent: HtmlElement, children: Sequence[HtmlElement]
) -> Iterator[tuple[str, tuple[Record, ...]]]:
    """Take children of one tag whatever their class, where they are built alike."""
    by_tag: dict[str, list[HtmlElement]] = defaultdict(list)
    for child in children:
        by_tag[child.tag].append(child)
    for tag, alike in by_tag.items():
        shapes = Counter(tuple(grandchild.tag for grandchild in child) for child in alike)
        usual, count = shapes.most_common(1)[0]
        if usual and len(alike) > FEWEST and count * 2 >= len(alike):
            yield f"{_kind(parent)}>{tag}", tuple((child,) for child in alike)


def _segments(
    parent: HtmlElement, children: Sequence[HtmlElement]
) -> Iterator[tuple[str, tuple[Record, ...]]]:
    """Cut a sequence of children before each that begins a record: a heading, a term, the first of a turn."""
    kinds = [_kind(child) for child in children]
    if len(set(kinds)) > MOST_KINDS:
        return
    counts = Counter(kinds)
    for kind in dict.fromkeys(kinds):
        if counts[kind] < FEWEST:
            continue
        starts = [number for number, one in enumerate(kinds) if one == kind]
        begins = children[starts[0]].tag in {*HEADINGS, "dt"}
        others = {one for one in counts if abs(counts[one] - counts[kind]) <= 1 and one != kind}
        if not (begins or (others and all(b - a > 1 for a, b in pairwise(starts)))):
            continue
        ends = [*starts[1:], _end_of_last(children, kinds, starts)]
        records = tuple(tuple(children[a:b]) for a, b in zip(starts, ends, strict=True))
        if sum(len(record) > 1 for record in records) * 2 > len(records):
            yield f"{_kind(parent)}>{kind}+", records
            if not begins:
                return


def _end_of_last(children: Sequence[HtmlElement], kinds: Sequence[str], starts: Sequence[int]) -> int:
    """Say where the last record ends: at a higher heading, or at a kind that no other record holds."""
    inside = set(kinds[starts[0] : starts[-1]])
    start = children[starts[-1]]
    for number in range(starts[-1] + 1, len(children)):
        child = children[number]
        if child.tag in HEADINGS and start.tag in HEADINGS and child.tag <= start.tag:
            return number
        if len(starts) > 1 and kinds[number] not in inside:
            return number
    return len(children)
