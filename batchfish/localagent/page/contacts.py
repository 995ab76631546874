"""Contact data of a page by its form alone: postal addresses, numbers of organisations, veiled mail."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from itertools import count, pairwise
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from batchfish.localagent.page.flow import runs_of
from batchfish.localagent.page.labels import is_label
from batchfish.localagent.page.locality import is_city
from batchfish.localagent.page.mail import unveiled
from batchfish.localagent.page.model import Source
from batchfish.localagent.page.money import EMAIL
from batchfish.localagent.page.parties import CHANNELS, Anchor
from batchfish.localagent.page.postal import find_addresses
from batchfish.localagent.page.postal_words import MARKED_WORDS, REGISTER_NUMBER, SMALL, VAT_ID
from batchfish.localagent.page.tree import marks
from batchfish.localagent.page.words import concepts_of, fold, label

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lxml.html import HtmlElement

    from batchfish.localagent.page.facts import FactFinder
    from batchfish.localagent.page.flow import Line
    from batchfish.localagent.page.model import Fact
    from batchfish.localagent.page.postal import Address

FIRST_LINE = 2000
"""Where the numbers of lines begin that tell what stands in one block apart."""
MOST_PARTS = 10
NEAR, ABOVE = 3, 2
SHORT, LONGEST_VALUE = 60, 120
LETTERS = {"T": "phone", "P": "phone", "F": "fax", "M": "mobile"}
"""Letters that stand for a word before a number."""
BEGINS = re.compile(r"(?:^|[|·•,;–—-])\s*$")
NUMBERED = re.compile(r"(?<!\w)([^\W\d_][\w-]{0,18})[.:]{0,2}\s*([+(]?\d[\d\s()./-]{5,}\d)(?![\w@])")
MOST_OF_HOST = 0.6


@dataclass(frozen=True, kw_only=True, slots=True)
class Contacts:
    """What a page says by its form: the facts, and the addresses as anchors of who is spoken of."""

    anchors: list[Anchor] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)


def find_contacts(finder: FactFinder) -> Contacts:
    """Find the addresses, numbers and mail of a page by their form, and values in the line below a label."""
    found = Contacts()
    host = (urlsplit(finder.url).hostname or "").removeprefix("www.").rpartition(".")[0]
    numbers = count(FIRST_LINE, MOST_PARTS)
    for run in runs_of([finder.root]):
        for block, address in _addresses(run):
            anchor = Anchor(block=block, address=_with_name(address, run, host), lines=_lines(next(numbers)))
            found.anchors.append(anchor)
            source = Source.ROLE if address.street else Source.LOOK
            for number, (name, text) in zip(anchor.lines, anchor.address.parts(), strict=False):
                found.facts.append(finder.fact(name, block, source, text=text, line=number))
        for line in run:
            for name, text, source in _said(line.text):
                found.facts.append(finder.fact(name, line.block, source, text=text, line=next(numbers)))
        for above, below in pairwise(run):
            if above.block is below.block and _is_label_of(above.text, below.text):
                name = above.text.rstrip(" :")
                fact = finder.fact(name, below.block, Source.PAIR, text=below.text, line=next(numbers))
                found.facts.append(fact)
    return found


def addresses_in(elements: Sequence[HtmlElement]) -> Iterator[Address]:
    """Give the addresses in elements that follow one another."""
    for run in runs_of(elements):
        yield from (address for _, address in _addresses(run))


def _addresses(run: Sequence[Line]) -> Iterator[tuple[HtmlElement, Address]]:
    """Give the addresses in lines that follow one another, each with the block of its last line."""
    is_marked = any(_is_marked(line) for line in run)
    for address in find_addresses([line.text for line in run], is_marked=is_marked):
        yield run[address.last].block, address


def _is_marked(line: Line) -> bool:
    """Whether a line stands in an element that is there for addresses, as its kind or its class says."""
    above = [line.block, *line.block.iterancestors()][:NEAR]
    return any(one.tag == "address" or not MARKED_WORDS.isdisjoint(marks(one)) for one in above)


def _lines(first: int) -> range:
    return range(first, first + MOST_PARTS)


def _with_name(address: Address, run: Sequence[Line], host: str) -> Address:
    """Add the line above an address that says whose it is: what most of the site's own name is made of."""
    if address.organisation:
        return address
    plain = fold(host.replace("-", "").replace(".", ""))
    for line in reversed(run[max(0, address.first - ABOVE) : address.first]):
        words = [word for word in fold(line.text).split() if word not in SMALL and word in plain]
        if is_city(line.text) and sum(map(len, words)) >= MOST_OF_HOST * len(plain) > 0:
            return replace(address, organisation=line.text)
    return address


def _said(text: str) -> Iterator[tuple[str, str, Source]]:
    """Give what a line says by its form: numbers of an organisation, of telephones, addresses of mail."""
    if found := VAT_ID.search(text):
        yield "vat id", found[0], Source.ROLE
    if found := REGISTER_NUMBER.search(text):
        yield "register number", found[0], Source.ROLE
    mails = EMAIL.findall(plain := unveiled(text))
    if len(mails) == 1 and (plain != text or len(text) <= SHORT):
        yield "email", mails[0], Source.ROLE if plain != text else Source.LOOK
    for found in NUMBERED.finditer(text) if len(text) <= LONGEST_VALUE else ():
        begins = BEGINS.search(text[: found.start()]) is not None
        called = LETTERS.get(found[1], "") if begins and len(found[1]) == 1 else found[1]
        if concepts_of(label(called)) & CHANNELS:
            yield called, found[2], Source.ROLE


def _is_label_of(above: str, below: str) -> bool:
    is_value = len(below) <= LONGEST_VALUE and not below.endswith(":")
    return above.endswith(":") and is_label(above.rstrip(" :")) and is_value
