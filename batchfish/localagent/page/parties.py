"""Whose contact data stands where: the parts of a page that belong to one postal address each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lxml import etree

from batchfish.localagent.page.flow import APART
from batchfish.localagent.page.tree import HEADINGS
from batchfish.localagent.page.words import concepts_of, fold, label

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from lxml.html import HtmlElement

    from batchfish.localagent.page.facts import FactFinder
    from batchfish.localagent.page.model import Fact
    from batchfish.localagent.page.postal import Address
CHANNELS = frozenset({"phone", "fax", "email"})
"""How somebody is reached."""
MOST_PARTIES = 40
"""So many make a list, where none is meant before the others."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Anchor:
    """An address on a page: the block that it stands in, and the lines of the facts that tell it."""

    block: HtmlElement
    address: Address
    lines: range

    @property
    def identity(self) -> tuple[str, str]:
        """What tells whose it is: the same house in the same place is the same address."""
        return fold(self.address.postcode), fold(self.address.street)


@dataclass(frozen=True, kw_only=True, slots=True)
class Parties:
    """To which party, and to which section of the page, the elements and the lines of addresses belong.

    A section goes from one heading to the next. What belongs to none in particular has no party.
    """

    sections: Mapping[int, int] = field(default_factory=dict)
    by_element: Mapping[int, int] = field(default_factory=dict)
    by_line: Mapping[tuple[int, int], int] = field(default_factory=dict)

    def of(self, node: tuple[int, int]) -> int | None:
        """Give the number of the party that a fact is told of."""
        return self.by_line.get(node, self.by_element.get(node[0]))

    def section_of(self, node: tuple[int, int]) -> int:
        """Give the number of the section that a fact stands in."""
        return self.sections.get(node[0], -1)


def find_parties(finder: FactFinder, anchors: Sequence[Anchor], facts: Sequence[Fact]) -> Parties:
    """Tell apart whom the parts of a page speak of, by the addresses in them.

    A section with one address is of its party, and so are those after it up to the second party. Where one
    section has several, each has the outermost element that holds no other, or what follows it, unless
    telephone or mail stand before the first.
    """
    anchors = [anchor for anchor in anchors if not finder.is_marginal(anchor.block)]
    numbers = {one: number for number, one in enumerate(dict.fromkeys(one.identity for one in anchors))}
    if not 0 < len(numbers) <= MOST_PARTIES:
        return Parties()
    sections = _sections(finder)
    within: dict[HtmlElement, set[int]] = defaultdict(set)
    in_section: dict[int, list[int]] = defaultdict(list)
    by_line = {}
    for anchor in anchors:
        party = numbers[anchor.identity]
        for element in (anchor.block, *anchor.block.iterancestors()):
            within[element].add(party)
        in_section[sections[finder.number(anchor.block)]].append(party)
        by_line.update({(finder.number(anchor.block), line): party for line in anchor.lines})
    seen: set[int] = set()
    by_element: dict[int, int] = {}
    told = {fact.node[0] for fact in facts if concepts_of(label(fact.label)) & CHANNELS}
    flat = _Flat(finder=finder, within=within, anchors=anchors, numbers=numbers, told=told)
    for element in finder.elements:
        number = finder.number(element)
        here = set(in_section.get(sections[number], ()))
        seen |= here
        whose = here or seen
        only = next(iter(whose)) if len(whose) == 1 else None
        if (owner := flat.party_of(element) if len(here) > 1 else only) is not None:
            by_element[number] = owner
    return Parties(sections=sections, by_element=by_element, by_line=by_line)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Flat:
    """Whose is what in a section with several parties."""

    finder: FactFinder
    within: Mapping[HtmlElement, set[int]]
    anchors: Sequence[Anchor]
    numbers: Mapping[tuple[str, str], int]
    told: Collection[int]

    def party_of(self, element: HtmlElement) -> int | None:
        holder = next(one for one in (element, *element.iterancestors()) if one in self.within)
        if len(self.within[holder]) == 1:
            return next(iter(self.within[holder]))
        begin, place = self.finder.number(holder), self.finder.number(element)
        before = [anchor for anchor in self.anchors if begin < self.finder.number(anchor.block) <= place]
        if not before or any(begin < one < self.finder.number(before[0].block) for one in self.told):
            return None
        return self.numbers[before[-1].identity]


def _sections(finder: FactFinder) -> dict[int, int]:
    """Number the sections of a page: by its headings, within elements that stand apart from others."""
    sections: dict[int, int] = {}
    outer: list[int] = []
    current = latest = 0
    for event, element in etree.iterwalk(finder.root, events=("start", "end")):
        if event == "end":
            current = outer.pop() if element.tag in APART else current
            continue
        if element.tag in APART:
            outer.append(current)
        if element.tag in APART or element.tag in HEADINGS:
            current = latest = latest + 1
        sections[finder.number(element)] = current
    return sections
