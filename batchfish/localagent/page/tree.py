"""The tree of a page's elements, and the text that a person reads in them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from lxml import etree, html

from batchfish.localagent.page.vocabulary import BADGE_WORDS, OLD_TAGS, OLD_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from lxml.html import HtmlElement

# fmt: off
BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog",
    "div", "dl",
    "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header",
    "hgroup", "hr", "legend", "li", "main", "menu", "nav", "ol", "p", "pre", "section", "summary", "table",
    "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
})
# fmt: on
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
WORDS = re.compile(r"[a-z]+")
LINE_END = re.compile(r"(?<=[^\s,;:.!?])\n")
SPACE = re.compile(r"[^\S\n]+")
FOOTNOTE = re.compile(r"\s*[\[(]?(?:\d{1,3}|[a-z*†‡])(?:\s*,\s*(?:\d{1,3}|[a-z*†‡]))*[\])]?\s*")
CENTS = re.compile(r"\s*\d\d\s*")
CENTS_WORDS = frozenset({"cents", "cent", "fraction", "decimal", "decimals", "centimes", "centimos"})
MONEY_SIGN = re.compile(r"[$€£¥]|\b(?:kr|zł|CHF|EUR|USD|GBP)\b")
POWERED = re.compile(r"(?:^|[\d\s/])[kcdm]?m$")
RAISED = frozenset({"sup", "sub", "wbr"})
STRUCK = re.compile(r"\bline-through\b")
WRAPPER = re.compile(
    r"<(/?)(div|span|b|i|u|em|strong|font|small|big|center|section|blockquote|tt|a|p|ul|li)\b[^>]*>",
    re.IGNORECASE,
)
DEEPEST = 120


def parse(text: str) -> HtmlElement | None:
    """Make a tree of HTML, however broken; None where there is no element in it."""
    tree, was_cut = _parse(text)
    return _parse(_flatten(text))[0] if was_cut else tree


def _parse(text: str) -> tuple[HtmlElement | None, bool]:
    """Parse, and say whether the parser gave up in the middle: it does where elements nest past 256."""
    parser = html.HTMLParser(encoding="utf-8", huge_tree=False, remove_comments=True, remove_pis=True)
    try:
        tree = html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, ValueError):
        return None, False
    return tree, any("depth" in entry.message for entry in parser.error_log[-1:])


def _flatten(text: str) -> str:
    """Leave out the tags of wrappers that nest deeper than any page means, and keep what is in them."""
    depth, dropped = 0, dict[str, int]()

    def keep(tag: re.Match[str]) -> str:
        nonlocal depth
        name = tag[2].lower()
        if tag[1]:
            if dropped.get(name):
                dropped[name] -= 1
                return ""
            depth = max(depth - 1, 0)
        elif depth >= DEEPEST:
            dropped[name] = dropped.get(name, 0) + 1
            return ""
        else:
            depth += 1
        return tag[0]

    return WRAPPER.sub(keep, text)


def marks(element: HtmlElement) -> list[str]:
    """Give the words of an element's classes and id: `book-author__name` has three."""
    return list(_words(f"{element.get('class', '')} {element.get('id', '')}"))


@lru_cache(maxsize=4096)
def _words(names: str) -> tuple[str, ...]:
    return tuple(WORDS.findall(names.lower()))


def is_old(element: HtmlElement) -> bool:
    """Whether an element holds what no longer holds: a price struck through."""
    is_struck = STRUCK.search(f"{element.get('class', '')} {element.get('style', '')}") is not None
    return element.tag in OLD_TAGS or is_struck or not OLD_WORDS.isdisjoint(marks(element))


@lru_cache(maxsize=100_000)
def text_of(element: HtmlElement) -> str:
    """Give the text of an element line by line, without badges and what is struck through.

    Remembered, since many ask: for a tree that changes no more, and until `forget`.
    """
    if len(element) == 0:
        return clean((element.text or "").replace("\n", " "))
    return _text_of(element, is_beside_the_point) or _text_of(element, is_no_text)


def _text_of(element: HtmlElement, leaves_out: Callable[[HtmlElement], bool]) -> str:
    parts: list[str] = []
    stack = [(element, False)]
    while stack:
        node, is_over = stack.pop()
        breaks = "\n" if node.tag in BLOCKS or node.tag == "br" else ""
        parts.append(breaks or (" " if not is_over and _runs_on(node) else ""))
        if is_over:
            parts.append("" if node is element else (node.tail or "").replace("\n", " "))
            continue
        stack.append((node, True))
        if node is element or not leaves_out(node):
            parts.append("." if node is not element and _is_cents(node) else "")
            parts.append((node.text or "").replace("\n", " "))
            stack.extend((child, False) for child in reversed(node))
    return clean("".join(parts))


def _runs_on(element: HtmlElement) -> bool:
    """Whether an element stands right after another, with a word of its own: its style sets them apart."""
    previous = element.getprevious()
    if previous is None or previous.tail or element.tag in RAISED or previous.tag in {*RAISED, "br"}:
        return False
    before, after = "".join(previous.itertext())[-2:], "".join(element.itertext())[:1]
    if len(before) < 2 or not after.isalnum():  # noqa: PLR2004 - a letter alone may be an initial
        return False
    end = before[-1]
    return (end.isalpha() and (after.isdigit() or after.isupper())) or (end in "€£$" and after.isalpha())


def forget() -> None:
    """Forget the texts of a tree that is done with."""
    text_of.cache_clear()


def is_no_text(element: HtmlElement) -> bool:
    """Whether an element holds no value even where nothing else is: what is struck out, what is pressed."""
    return is_old(element) or _is_control(element)


def is_beside_the_point(element: HtmlElement) -> bool:
    """Whether an element adds nothing to the value it stands in: a badge, a footnote mark, an old price."""
    return (
        _is_control(element)
        or is_old(element)
        or not BADGE_WORDS.isdisjoint(marks(element))
        or (element.tag == "sup" and FOOTNOTE.fullmatch("".join(element.itertext())) is not None)
    ) and not (_is_power(element) or _is_cents(element))


def _is_cents(element: HtmlElement) -> bool:
    """Whether an element holds the cents of the amount that it stands after, with no point between."""
    if element.tag != "sup" and CENTS_WORDS.isdisjoint(marks(element)):
        return False
    previous, parent = element.getprevious(), element.getparent()
    before = (parent.text if parent is not None else "") or ""
    if previous is not None:
        before = (previous.tail or "").strip() or "".join(previous.itertext())
    has_sign = parent is not None and MONEY_SIGN.search("".join(parent.itertext())) is not None
    return has_sign and CENTS.fullmatch(element.text or "") is not None and before.strip()[-1:].isdigit()


def _is_control(element: HtmlElement) -> bool:
    """Whether an element is there to be pressed; what unfolds a text may be its heading."""
    parent = element.getparent()
    return element.tag == "button" and parent is not None and parent.tag not in {*HEADINGS, "dt", "summary"}


def _is_power(element: HtmlElement) -> bool:
    """Whether a raised number belongs to the unit before it: m², km³."""
    if element.tag != "sup" or (element.text or "").strip() not in {"2", "3"}:
        return False
    previous, parent = element.getprevious(), element.getparent()
    before = previous.tail if previous is not None else (parent.text if parent is not None else "")
    return POWERED.search(before or "") is not None


def clean(text: str) -> str:
    """Drop what typesetting adds: runs of spaces, empty lines, soft hyphens."""
    if "\n" not in text and "\xad" not in text:
        return SPACE.sub(" ", text).strip()
    lines = (SPACE.sub(" ", line).strip() for line in text.replace("\xad", "").split("\n"))
    return "\n".join(line for line in lines if line)


def one_line(text: str) -> str:
    """Join lines as a person would write them in one."""
    return LINE_END.sub(", ", text).replace("\n", " ") if "\n" in text else text
