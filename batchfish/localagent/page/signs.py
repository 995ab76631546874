"""What hints at the meaning of a text that nothing labels: classes, amounts with nouns, its form alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.localagent.page.facts import LONGEST_VALUE
from batchfish.localagent.page.forms import formed
from batchfish.localagent.page.labels import plain_mark
from batchfish.localagent.page.lines import SEPARATOR, amounts_in, nouns_in
from batchfish.localagent.page.marks import blocks_in, names_in, without_block
from batchfish.localagent.page.model import Source
from batchfish.localagent.page.money import find_money
from batchfish.localagent.page.naming import has_own_text
from batchfish.localagent.page.ratings import attribute_text
from batchfish.localagent.page.tree import BLOCKS, marks, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.html import HtmlElement

    from batchfish.localagent.page.facts import FactFinder
    from batchfish.localagent.page.model import Fact

FORMED = 1000
"""Where the lines begin that are told apart by their form: an address and its parts are several values."""
OTHERS = frozenset({"seller", "vendor", "merchant", "host", "dealer"})
"""Whose rating or price this is, is another question than what it is."""
WHOLE = frozenset({"body", "html", "main"})
MOST_LOOKED_AT = 10_000


def find_signs(finder: FactFinder) -> Iterator[Fact]:
    """Find the values that something hints at."""
    yield from _marked(finder)
    yield from _amounts(finder)
    yield from _looks(finder)


def _marked(finder: FactFinder) -> Iterator[Fact]:
    found = [
        (element, [plain_mark(name) for name in names_in(element)])
        for element in finder.elements
        if element.tag not in WHOLE and finder.is_leaf(element) and not finder.is_old(element)
    ]
    blocks = blocks_in((name for _, names in found for name in names), _subject(finder))
    for element, names in found:
        text = text_of(element) if names else ""
        if text and len(text) < LONGEST_VALUE:
            # What is put together of marked parts is less sure than a part that is called the same.
            source = Source.LOOK if _is_of_parts(element) else Source.MARK
            for name in dict.fromkeys(names):
                yield finder.fact(without_block(name, blocks), element, source, text=text)


def _is_of_parts(element: HtmlElement) -> bool:
    """Whether an element holds nothing but elements side by side."""
    return len(element) > 1 and not has_own_text(element)


def _subject(finder: FactFinder) -> frozenset[str]:
    """Give the words of the block that the page's title stands in: `hotel` of `hotel__name`."""
    title = next(finder.root.iter("h1"), None)
    holders = [] if title is None else [one for one in title.iterancestors() if one.tag not in WHOLE]
    return frozenset(word for holder in holders for word in marks(holder))


def _amounts(finder: FactFinder) -> Iterator[Fact]:
    for element in finder.elements:
        is_text = element.tag in BLOCKS or len(element) == 0
        if (
            is_text
            and finder.is_leaf(element)
            and not finder.is_marginal(element)
            and not _is_of_parts(element)
        ):
            amounts = amounts_in(text_of(element)[:LONGEST_VALUE])
            for line, (number, noun) in enumerate(amounts):
                for name in nouns_in(noun):
                    yield finder.fact(name, element, Source.QUANTITY, text=f"{number} {noun}", line=line)


def _looks(finder: FactFinder) -> Iterator[Fact]:
    """Find what its form alone says what it is: amounts of money, ratings, addresses."""
    if len(finder.elements) > MOST_LOOKED_AT:
        return  # so much is a list, where a form alone says of nothing that it is the one
    for element in finder.elements:
        if finder.is_marginal(element) or not OTHERS.isdisjoint(marks(element)):
            continue
        if said := attribute_text(element):
            yield finder.fact("rating", element, Source.LOOK, text=said[1])
        if finder.is_old(element) and finder.is_leaf(element) and len(find_money(text_of(element))) == 1:
            yield finder.fact("old price", element, Source.ROLE)
        if element.tag not in {"body", "html"} and not finder.is_old(element) and finder.is_leaf(element):
            whole = text_of(element)
            parts = SEPARATOR.split(whole) if "\n" not in whole else [whole]
            found = [one for part in parts for one in formed(part)]
            for line, (label, text) in enumerate(found, start=FORMED):
                yield finder.fact(label, element, Source.LOOK, text=text, line=line)
