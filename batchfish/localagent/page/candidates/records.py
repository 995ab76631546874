"""Lists of like elements: cards, rows, posts, questions and answers, parts of a page between headings."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING

from lxml import html

from batchfish.localagent.page.candidates.marks import stable_classes
from batchfish.localagent.page.candidates.model import RecordList, Source
from batchfish.localagent.page.candidates.tables import titles_of
from batchfish.localagent.page.dom.text import HEADINGS
from batchfish.localagent.page.words import fold, folded, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lxml.html import HtmlElement

    from batchfish.localagent.page.candidates.fields import FieldFinder

NEVER, SPONSORED = listed("no_record_tags"), folded("sponsored")
MOST_GROUPS, FEWEST, SAMPLE, KEPT, MOST_SLICES = 30, 2, 6, 16, 2000


def part_by_headings(root: HtmlElement) -> None:
    """Wrap each heading with what follows it, and each term with its definitions, in an element of its own.

    Records that stand side by side without a frame get one, so that they are found as all others are.
    """
    for parent in list(root.iter("div", "section", "article", "main", "body", "dl", "td", "center")):
        tags = Counter(child.tag for child in parent if child.tag in HEADINGS or child.tag == "dt")
        several = [tag for tag, count in tags.items() if count >= FEWEST]
        if not several or len(parent) > MOST_SLICES:
            continue
        starts = min(several)
        if parent.find(starts) is None or all(child.tag == starts for child in parent):
            continue
        _slice(parent, starts, ends={tag for tag in tags if tag < starts})


def _slice(parent: HtmlElement, starts: str, ends: set[str]) -> None:
    frame: HtmlElement | None = None
    for child in list(parent):
        if child.tag in ends:
            frame = None
        elif child.tag == starts and not (starts == "dt" and frame is not None and frame[-1].tag == "dt"):
            frame = html.Element("div")
            frame.set("class", f"batchfish-{starts}")
            child.addprevious(frame)
            frame.append(child)
        elif frame is not None:
            frame.append(child)


def find_groups(finder: FieldFinder, key: str | None) -> Iterator[RecordList]:
    """Yield the groups of like elements that may be a list's records, the largest first.

    With the `key` of a list on an earlier page, the groups of that key, also of one record.
    """
    fewest = FEWEST if key is None else 1
    groups = [group for group in _groups(finder.root, fewest) if key in {None, _key_of(group[0])}]
    groups.sort(key=_weight, reverse=True)
    seen: set[tuple[int, int, int]] = set()
    for group in groups[:MOST_GROUPS]:
        numbers = (finder.numbers.get(group[0], 0), finder.numbers.get(group[-1], 0), len(group))
        records = _record_list(finder, group) if numbers not in seen else None
        seen.add(numbers)
        if records is not None and records.size >= fewest and _weight(group):
            yield records


def _groups(root: HtmlElement, fewest: int) -> Iterator[list[HtmlElement]]:
    """Group elements by the way that leads to them, so that those of several rows of a grid are one group."""
    paths: dict[HtmlElement, str] = {}
    by_path: dict[str, list[HtmlElement]] = defaultdict(list)
    by_parent: dict[tuple[HtmlElement, str], list[HtmlElement]] = defaultdict(list)
    for element in root.iter("*"):
        parent = element.getparent()
        path = f"{paths.get(parent, '')}>{element.tag}{stable_classes(element)}"
        paths[element] = path if len(path) < 2000 else path[-2000:]
        if element.tag not in NEVER and len(element.tag) < 20:
            by_path[path].append(element)
            by_parent[parent, element.tag].append(element)
    yield from (group for group in by_path.values() if len(group) >= fewest)
    for (parent, _), siblings in by_parent.items():
        if len(siblings) < FEWEST:
            continue
        if len({stable_classes(one) for one in siblings}) == 1:
            if len(by_path[paths[siblings[0]]]) > len(siblings) and parent is not None:
                yield siblings  # of several lists of one kind, the one under the heading that is asked for
            continue
        yield siblings
        names = Counter(name for one in siblings for name in {*one.get("class", "").split()}).most_common(2)
        for common in [name for name, count in names if FEWEST < count < len(siblings)]:
            yield [one for one in siblings if common in one.get("class", "").split()]


def _weight(group: Sequence[HtmlElement]) -> int:
    """Return about how much text a group's elements hold; 0 where most hold none."""
    lengths = [len("".join(one.itertext()).strip()) for one in group[:SAMPLE]]
    return sum(lengths) * min(len(group), 50) if sum(map(bool, lengths)) * 2 > len(lengths) else 0


def _record_list(finder: FieldFinder, group: list[HtmlElement]) -> RecordList:
    kept = [one for one in group if not _is_sponsored(one)]
    first = kept[0] if kept else group[0]
    names = " ".join(f".{name}" for name in first.get("class", "").split()[:2])
    where = f"list of {first.tag}{names.replace(' ', '')}"
    marginal = sum(one in finder.margins for one in kept[:SAMPLE]) > len(kept[:SAMPLE]) / 2
    return RecordList(
        key=_key_of(first),
        size=len(kept),
        record=lru_cache(maxsize=KEPT)(lambda number: finder.fields_of(kept[number])),
        titles=tuple(titles_of(first, finder.root)),
        where=where,
        source=Source.TEXT,
        node=finder.numbers.get(first, 0),
        is_marginal=marginal,
    )


def _key_of(element: HtmlElement) -> str:
    holders = (one for one in (element.getparent(), element) if one is not None)
    return f"group:{'>'.join(f'{one.tag}{stable_classes(one)}' for one in holders)}"


def _is_sponsored(element: HtmlElement) -> bool:
    """Whether somebody paid for a record to stand in the list: one of its first short texts says so."""
    texts = ((one.text or "").strip() for one in list(element.iter("*"))[:12])
    return any(0 < len(text) < 20 and fold(text) in SPONSORED for text in texts)
