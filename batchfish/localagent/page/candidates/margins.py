"""The parts of a page that are not its content: menus, footers, side columns, lists of related things."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.localagent.page.dom.text import HEADINGS, clean
from batchfish.localagent.page.words import class_words, fold, folded

if TYPE_CHECKING:
    from lxml.html import HtmlElement

TAGS = frozenset({"footer", "nav", "dialog"})
ROLES = frozenset({"banner", "contentinfo", "dialog", "navigation", "search"})
NEVER = frozenset({"body", "html", "a", "span", "h1", "p"})
MARGINAL, MENUS, HEADS = folded("marginal_words"), folded("menu_words"), folded("marginal_headings")
LONGEST_HEADING = 60


def find_margins(root: HtmlElement) -> set[HtmlElement]:
    """Return every element in the margin of a page; what holds its first `h1` or `main` never is."""
    heading, main = next(root.iter("h1"), None), next(root.iter("main"), None)
    kept = {holder for one in (heading, main) if one is not None for holder in (one, *one.iterancestors())}
    margins: set[HtmlElement] = set()
    for element in root.iter("*"):
        if element.getparent() in margins:
            margins.add(element)
        elif element not in kept:
            if _is_margin(element, has_heading=heading is not None):
                margins.add(element)
            elif element.tag in HEADINGS and _is_marginal_heading(element):
                _add_section(element, margins, kept)
    return margins


def _is_margin(element: HtmlElement, *, has_heading: bool) -> bool:
    """Whether an element is a menu, a footer or the like; a side column only where most of it are links."""
    holders = {one.tag for one in element.iterancestors()} if element.tag in {"footer", "header"} else set()
    if element.tag in TAGS or element.get("role") in ROLES:
        return holders.isdisjoint({"article", "blockquote", "li"})
    if element.tag == "header":
        return has_heading and holders.isdisjoint({"article", "main", "section", "li"})
    names = f"{element.get('class', '')} {element.get('id', '')}"
    words = class_words(names) if element.tag not in NEVER else frozenset()
    is_side = element.tag == "aside" or element.get("role") == "complementary" or not MENUS.isdisjoint(words)
    return not MARGINAL.isdisjoint(words) or (is_side and _is_mostly_links(element))


def _is_mostly_links(element: HtmlElement) -> bool:
    links = sum(len("".join(link.itertext()).split()) for link in element.iter("a"))
    return links * 2 > len("".join(element.itertext()).split())


def _is_marginal_heading(heading: HtmlElement) -> bool:
    text = fold(clean("".join(heading.itertext())))
    starts = (one for one in HEADS if text == one or text.startswith(f"{one} "))
    return len(text) <= LONGEST_HEADING and any(starts)


def _add_section(heading: HtmlElement, margins: set[HtmlElement], kept: set[HtmlElement]) -> None:
    """Put a heading's section in the margin, or what follows up to the next heading of its level."""
    margins.add(heading)
    node, parent = heading, heading.getparent()
    while parent is not None and parent not in kept and node.getprevious() is None and parent.tag != "body":
        margins.add(parent)
        node, parent = parent, parent.getparent()
        if node.tag in {"section", "article", "aside"}:
            return
    for following in node.itersiblings("*"):
        if following.tag in HEADINGS and following.tag <= heading.tag:
            return
        margins.update({following} - kept)
