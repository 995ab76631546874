"""Postal addresses of a page and of its records, as facts and as parts of them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from batchfish.localagent.page.flow import runs_of
from batchfish.localagent.page.model import Source
from batchfish.localagent.page.parties import Anchor
from batchfish.localagent.page.postal import find_addresses
from batchfish.localagent.page.postal_words import MARKED_WORDS
from batchfish.localagent.page.tree import marks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lxml.html import HtmlElement

    from batchfish.localagent.page.facts import FactFinder
    from batchfish.localagent.page.flow import Line
    from batchfish.localagent.page.model import Fact
    from batchfish.localagent.page.postal import Address

FIRST_LINE = 2000
"""Where the lines begin that tell the parts of addresses apart."""
MOST_PARTS = 10
NEAR = 3


def find_anchors(finder: FactFinder) -> list[Anchor]:
    """Find the addresses of a page by their form."""
    return [
        Anchor(block=block, address=address, lines=range(begin, begin + MOST_PARTS))
        for begin, (block, address) in zip(
            itertools.count(FIRST_LINE, MOST_PARTS), addresses_in([finder.root]), strict=False
        )
    ]


def find_contacts(finder: FactFinder, anchors: Iterable[Anchor]) -> Iterator[Fact]:
    """Give each part of an address as a fact under its label."""
    for anchor in anchors:
        source = Source.ROLE if anchor.address.street else Source.LOOK
        for line, (name, text) in zip(anchor.lines, anchor.address.parts(), strict=False):
            yield finder.fact(name, anchor.block, source, text=text, line=line)


def addresses_in(elements: Sequence[HtmlElement]) -> Iterator[tuple[HtmlElement, Address]]:
    """Give the addresses in elements that follow one another, each with the block of its last line."""
    for run in runs_of(elements):
        is_marked = any(_is_marked(line) for line in run)
        for address in find_addresses([line.text for line in run], is_marked=is_marked):
            yield run[address.last].block, address


def _is_marked(line: Line) -> bool:
    """Whether a line stands in an element that is there for addresses, as its kind or its class says."""
    above = [line.block, *line.block.iterancestors()][:NEAR]
    return any(one.tag == "address" or not MARKED_WORDS.isdisjoint(marks(one)) for one in above)
