"""What a page's style sheets hide: rules for tags, classes and ids, also for those inside others."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lxml.html import HtmlElement

RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
MEDIA_RULE = re.compile(r"@[\w-]+[^{}]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}")
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
HIDING = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|(?:left|text-indent|top)\s*:\s*-\d{4,}", re.IGNORECASE
)
SHOWING = re.compile(r"display\s*:\s*[a-z-]+|visibility\s*:\s*visible", re.IGNORECASE)
PLAIN = re.compile(r"(?:\*|[a-zA-Z][\w-]*)?(?:[.#][\w-]+)*")
NAME = re.compile(r"([.#]?)([\w-]+)")
MOST_RULES = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class _Simple:
    """What an element must be: its tag (empty: any), classes and id."""

    tag: str
    classes: frozenset[str]
    ids: frozenset[str]

    def fits(self, element: HtmlElement) -> bool:
        return (
            (not self.tag or element.tag == self.tag)
            and self.classes.issubset(element.get("class", "").split())
            and self.ids <= {element.get("id", "")}
        )

    @property
    def weight(self) -> tuple[int, int, int]:
        return len(self.ids), len(self.classes), int(bool(self.tag))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rule:
    """Whether elements are hidden that fit the last of `steps` and stand in such that fit those before it."""

    steps: tuple[_Simple, ...]
    hides: bool
    place: int

    @property
    def rank(self) -> tuple[tuple[int, ...], int]:
        """How strong it is, as style sheets have it: by what it names, then by where it stands."""
        return tuple(map(sum, zip(*(step.weight for step in self.steps), strict=True))), self.place

    def fits(self, element: HtmlElement) -> bool:
        if not self.steps[-1].fits(element):
            return False
        holder = element.getparent()
        for step in reversed(self.steps[:-1]):
            while holder is not None and not step.fits(holder):
                holder = holder.getparent()
            if holder is None:
                return False
            holder = holder.getparent()
        return True


def hidden_by_style(root: HtmlElement) -> set[HtmlElement]:
    """Find the elements that the style sheets within a page hide at every width."""
    rules = sorted(_rules(root), key=lambda rule: rule.rank)
    by_name: dict[str, list[_Rule]] = defaultdict(list)
    for rule in rules:
        last = rule.steps[-1]
        by_name[next(iter(sorted(last.ids | last.classes)), last.tag)].append(rule)
    return {element for element in root.iter("*") if rules and _is_hidden(element, by_name)}


def _is_hidden(element: HtmlElement, by_name: Mapping[str, Sequence[_Rule]]) -> bool:
    names = {*element.get("class", "").split(), element.get("id", ""), str(element.tag), ""}
    found = [rule for name in names if name in by_name for rule in by_name[name] if rule.fits(element)]
    return bool(found) and max(found, key=lambda rule: rule.rank).hides


def _rules(root: HtmlElement) -> Iterator[_Rule]:
    numbers = count()
    for style in root.iter("style"):
        for selectors, declarations in RULE.findall(MEDIA_RULE.sub("", COMMENT.sub("", style.text or ""))):
            hides = HIDING.search(declarations) is not None
            if not hides and not SHOWING.search(declarations):
                continue
            for selector in selectors.split(","):
                place = next(numbers)
                steps = tuple(_steps(selector.split()))
                if place < MOST_RULES and steps and None not in steps:
                    yield _Rule(steps=tuple(filter(None, steps)), hides=hides, place=place)


def _steps(words: Sequence[str]) -> Iterator[_Simple | None]:
    """Read what stands between the spaces of a selector; None for what is more than tags, classes and ids."""
    for word in words:
        if not PLAIN.fullmatch(word):
            yield None
            continue
        names = NAME.findall(word.lstrip("*"))
        yield _Simple(
            tag=next((name for sign, name in names if not sign), ""),
            classes=frozenset(name for sign, name in names if sign == "."),
            ids=frozenset(name for sign, name in names if sign == "#"),
        )
