"""What elements are for by their kind: titles, addresses, times, articles, links to people and mail."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from batchfish.localagent.page.labels import is_generic, is_label
from batchfish.localagent.page.lines import BYLINE, LABELLED, SEPARATOR, led_by_label
from batchfish.localagent.page.model import Source
from batchfish.localagent.page.money import EMAIL, is_phone
from batchfish.localagent.page.naming import named_in_path, said_last, text_before
from batchfish.localagent.page.parties import CHANNELS
from batchfish.localagent.page.tree import marks, one_line, text_of
from batchfish.localagent.page.words import concepts_of, label

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.html import HtmlElement

    from batchfish.localagent.page.facts import FactFinder
    from batchfish.localagent.page.model import Fact
    from batchfish.localagent.page.words import Label

VERSIONED = re.compile(r"(\S*[^\W\d]\S*) v?(\d+(?:\.\w+)+)")
HEAD_MARKS = frozenset({"byline", "author", "autor", "auteur", "meta", "date", "kicker", "caption", "credit"})


def find_roles(finder: FactFinder) -> Iterator[Fact]:
    """Find the values that a kind of element holds."""
    for element in finder.elements:
        match element.tag:
            case "h1":
                yield from _title(finder, element)
            case "address":
                yield finder.fact("address", element, Source.ROLE, text=_without_channels(element))
            case "time" if not said_last(text_before(element)):
                yield finder.fact("date published", element, Source.ROLE)
            case "article":
                yield from _article(finder, element)
            case "a":
                yield from _link_roles(finder, element)
        if element.tag in {"p", "div", "span", "small", "cite", "address"} and finder.is_leaf(element):
            for line in SEPARATOR.split(text_of(element)):
                if found := BYLINE.fullmatch(line):
                    yield finder.fact("author", element, Source.ROLE, text=found[1])


def _title(finder: FactFinder, heading: HtmlElement) -> Iterator[Fact]:
    """Give the title that a heading is; of one word and a version, the word is the name of what has it."""
    text = text_of(heading).replace("\n", " ")
    added = [text_of(one) for one in heading.iter("small")]
    if len(added) == 1 and added[0] and text.endswith(added[0]):
        text = text.removesuffix(added[0]).strip() or text
    if is_generic(text):
        return
    if found := VERSIONED.fullmatch(text):
        yield finder.fact("version", heading, Source.HEADING, text=found[2], line=1)
        text = found[1]
    yield finder.fact("title", heading, Source.HEADING, text=text)


def _article(finder: FactFinder, element: HtmlElement) -> Iterator[Fact]:
    paragraphs = [one_line(text_of(one)) for one in element.iter("p") if not _is_of_head(one)]
    if text := "\n".join(filter(None, paragraphs)):
        yield finder.fact("article body", element, Source.ROLE, text=text)


def _without_channels(address: HtmlElement) -> str:
    """Give the lines of an element for contact data that are no telephone number and no mail."""
    lines = text_of(address).split("\n")
    return "\n".join(
        line
        for line in lines
        if not EMAIL.search(line) and not is_phone(line) and not concepts_of(_label_of(line)) & CHANNELS
    )


def _label_of(line: str) -> Label:
    found = LABELLED.fullmatch(line)
    return label((found.groups() if found else led_by_label(line) or ("",))[0])


def _link_roles(finder: FactFinder, link: HtmlElement) -> Iterator[Fact]:
    href = (link.get("href") or "").strip()
    kind, _, rest = href.partition(":")
    if finder.absolute(href) and (owner := named_in_path(href)):
        yield finder.fact(owner, link, Source.MARK)
    if finder.absolute(href) and is_label(said := text_of(link)):
        yield finder.fact(said, link, Source.LINK)
    if "author" in link.get("rel", "").split():
        yield finder.fact("author", link, Source.ROLE)
    elif kind.lower() == "mailto":
        yield finder.fact("email", link, Source.ROLE, text=unquote(rest.partition("?")[0]))
    elif kind.lower() == "tel":
        text = text_of(link)
        yield finder.fact("phone", link, Source.ROLE, text=text if re.search(r"\d", text) else unquote(rest))


def _is_of_head(paragraph: HtmlElement) -> bool:
    """Whether a paragraph says who wrote an article and when, and is no part of it."""
    has_time = paragraph.find(".//time") is not None
    return (
        has_time or BYLINE.match(text_of(paragraph)) is not None or bool(HEAD_MARKS & set(marks(paragraph)))
    )
