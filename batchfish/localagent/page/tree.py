"""The elements of a page that a person would see, and the text in them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from lxml import etree, html

from batchfish.localagent.page.vocabulary import BADGE_WORDS, HIDDEN_WORDS, OLD_TAGS, OLD_WORDS

if TYPE_CHECKING:
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
UNSEEN_TAGS = (
    "script",
    "style",
    "template",
    "noscript",
    "head",
    "object",
    "iframe",
    "svg",
    "select",
    "textarea",
    "datalist",
)
STYLE_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
MEDIA_RULE = re.compile(r"@[\w-]+[^{}]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}")
HIDING = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|(?:left|text-indent|top)\s*:\s*-\d{4,}", re.IGNORECASE
)
SIMPLE_SELECTOR = re.compile(r"\w*[.#]([\w-]+)$")
WORDS = re.compile(r"[a-z]+")
LINE_END = re.compile(r"(?<=[^\s,;:.!?])\n")
NO_PART = OLD_WORDS | BADGE_WORDS
SPACE = re.compile(r"[^\S\n]+")
FOOTNOTE = re.compile(r"\s*[\[(]?(?:\d{1,3}|[a-z*†‡])[\])]?\s*")
WRAPPER = re.compile(
    r"<(/?)(div|span|b|i|u|em|strong|font|small|big|center|section|blockquote|tt|a|p|ul|li)\b[^>]*>",
    re.IGNORECASE,
)
DEEPEST = 120
UNSEEN = "data-batchfish-unseen"
"""The attribute by which a browser marks an element that it does not show."""


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


def drop_unseen(root: HtmlElement) -> None:
    """Take out what a person cannot see: a reader that believes hidden text can be told anything."""
    hidden = HIDDEN_WORDS | _hidden_by_style(root)
    unseen = [
        element
        for element in root.iter("*")
        if element.tag in UNSEEN_TAGS
        or "hidden" in element.attrib
        or UNSEEN in element.attrib
        or HIDING.search(element.get("style", ""))
        or not hidden.isdisjoint([*element.get("class", "").split(), element.get("id", "")])
    ]
    for element in unseen:
        if element.getparent() is not None:
            element.drop_tree()


def _hidden_by_style(root: HtmlElement) -> frozenset[str]:
    names: set[str] = set()
    for style in root.iter("style"):
        rules = MEDIA_RULE.sub("", style.text or "")
        for selectors, declarations in STYLE_RULE.findall(rules):
            if HIDING.search(declarations):
                found = (SIMPLE_SELECTOR.match(selector.strip()) for selector in selectors.split(","))
                names |= {match[1] for match in found if match}
    return frozenset(names)


def marks(element: HtmlElement) -> list[str]:
    """Give the words of an element's classes and id: `book-author__name` has three."""
    return list(_words(f"{element.get('class', '')} {element.get('id', '')}"))


@lru_cache(maxsize=4096)
def _words(names: str) -> tuple[str, ...]:
    return tuple(WORDS.findall(names.lower()))


def is_old(element: HtmlElement) -> bool:
    """Whether an element holds what no longer holds: a price struck through."""
    return element.tag in OLD_TAGS or not OLD_WORDS.isdisjoint(marks(element))


@lru_cache(maxsize=100_000)
def text_of(element: HtmlElement) -> str:
    """Give the text of an element line by line, without badges and what is struck through.

    Remembered, since many ask: for a tree that changes no more, and until `forget`.
    """
    if len(element) == 0:
        return clean((element.text or "").replace("\n", " "))
    parts: list[str] = []
    stack = [(element, False)]
    while stack:
        node, is_over = stack.pop()
        breaks = "\n" if node.tag in BLOCKS or node.tag == "br" else ""
        parts.append(breaks)
        if is_over:
            parts.append("" if node is element else (node.tail or "").replace("\n", " "))
            continue
        stack.append((node, True))
        if node is element or not is_beside_the_point(node):
            parts.append((node.text or "").replace("\n", " "))
            stack.extend((child, False) for child in reversed(node))
    return clean("".join(parts))


def forget() -> None:
    """Forget the texts of a tree that is done with."""
    text_of.cache_clear()


def is_beside_the_point(element: HtmlElement) -> bool:
    """Whether an element adds nothing to the value it stands in: a badge, a footnote mark, an old price."""
    return (
        element.tag in OLD_TAGS
        or not NO_PART.isdisjoint(marks(element))
        or (element.tag == "sup" and FOOTNOTE.fullmatch("".join(element.itertext())) is not None)
    )


def clean(text: str) -> str:
    """Drop what typesetting adds: runs of spaces, empty lines, soft hyphens."""
    if "\n" not in text and "\xad" not in text:
        return SPACE.sub(" ", text).strip()
    lines = (SPACE.sub(" ", line).strip() for line in text.replace("\xad", "").split("\n"))
    return "\n".join(line for line in lines if line)


def one_line(text: str) -> str:
    """Join lines as a person would write them in one."""
    return LINE_END.sub(", ", text).replace("\n", " ") if "\n" in text else text
