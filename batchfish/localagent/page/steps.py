"""Names of the places in a record: tag by tag, with the classes that most records share."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from batchfish.localagent.page.marks import is_useful
from batchfish.localagent.page.naming import has_own_text
from batchfish.localagent.page.tree import HEADINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lxml.html import HtmlElement

    from batchfish.localagent.page.regions import Record

MOST_ELEMENTS = 300
SHARED = 0.6
"""Classes that this share of the records has say where an element stands; rarer ones are values."""
LISTS = frozenset({"ul", "ol"})


class Steps:
    """Names the elements of the records of one region; knows which classes the records share."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._count = len(records)
        self._shared = _shared_classes(records)
        self._looks: dict[str, int] = {}

    def _look(self, key: str, element: HtmlElement) -> str:
        """Give a word for the classes that only set an element, where it is set so in most records."""
        classes = element.get("class", "")
        known = self._shared.get((key.count("/"), _kind(element)), Counter())
        set_so = [name for name in classes.split() if known[name] >= SHARED * self._count]
        return f"look{self._looks.setdefault(' '.join(set_so), len(self._looks))}" if set_so else ""

    def name(self, key: str, element: HtmlElement, seen: Counter[str]) -> str:
        """Name an element within its record: tag, the classes that most records share, else what it wraps."""
        classes = [name for name in element.get("class", "").split() if is_useful(name)]
        known = self._shared.get((key.count("/"), _kind(element)), Counter())
        kept = [name for name in classes if known[name] >= SHARED * self._count]
        if not kept and classes:
            best = max(classes, key=lambda name: known[name])
            kept = [best] if known[best] > 1 or self._count == 1 else []
        look = "" if kept else self._look(key, element)
        wraps = ""
        if (
            not kept
            and not look
            and len(element) == 1
            and not has_own_text(element)
            and element.tag not in LISTS
        ):
            wraps = f"({element[0].tag})"
        tag = _kind(element) if kept else element.tag
        path = f"{key}/{'.'.join([tag, *sorted(kept), *filter(None, [look])])}{wraps}"
        seen[path] += 1
        return path if seen[path] == 1 else f"{path}#{seen[path]}"


def _kind(element: HtmlElement) -> str:
    """Give a tag, one for headings of every rank: the first of a list may be set larger than the others."""
    return "h" if element.tag in HEADINGS else str(element.tag)


def _shared_classes(records: Sequence[Record]) -> dict[tuple[int, str], Counter[str]]:
    """Count, by depth and tag, in how many records a class occurs."""
    counts: dict[tuple[int, str], Counter[str]] = defaultdict(Counter)
    for record in records:
        found: set[tuple[int, str, str]] = set()
        start = 1 if len(record) == 1 else 0
        stack = [(element, -start) for element in record]
        while stack and len(found) < MOST_ELEMENTS:
            element, depth = stack.pop()
            found.update((depth, _kind(element), name) for name in element.get("class", "").split())
            stack.extend((child, depth + 1) for child in element)
        for depth, tag, name in found:
            counts[depth, tag][name] += 1
    return counts
