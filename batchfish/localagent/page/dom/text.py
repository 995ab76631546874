"""The text that a person reads in an element, line by line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchfish.localagent.page.words import class_words, folded, listed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lxml.html import HtmlElement

BLOCKS = listed("block_tags")
BADGES, OLD = folded("badge_classes"), folded("old_classes")
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
LINE_END = re.compile(r"(?<=[^\s,;:.!?])\n")
FOOTNOTE = re.compile(r"\s*[\[(]?(?:\d{1,3}|[a-z*†‡])(?:\s?,\s?(?:\d{1,3}|[a-z*†‡]))*[\])]?\s*")
POWERED = re.compile(r"(?:^|[\d\s/])[kcdm]?m$")
OLD_TAGS = frozenset({"del", "s", "strike"})


def clean(text: str) -> str:
    """Return a text in one line, without soft hyphens and runs of spaces."""
    if "\xad" in text or "\u200b" in text:
        text = text.replace("\xad", "").replace("\u200b", "")
    return " ".join(text.split())


def is_old(element: HtmlElement) -> bool:
    """Whether an element holds what no longer holds, such as a price struck through."""
    return element.tag in OLD_TAGS or not OLD.isdisjoint(class_words(element.get("class", "")))


def is_noise(element: HtmlElement) -> bool:
    """Whether an element adds nothing to the value it stands in: a badge, a button, a footnote mark."""
    if element.tag == "sup":
        text = "".join(element.itertext())
        return FOOTNOTE.fullmatch(text) is not None and not _is_power(element, text)
    if element.tag == "button":
        parent = element.getparent()
        return parent is None or parent.tag not in {*HEADINGS, "dt", "summary"}
    return element.tag in {"option", "select"} or not BADGES.isdisjoint(class_words(element.get("class", "")))


def _is_power(element: HtmlElement, text: str) -> bool:
    """Whether a raised number belongs to the unit before it, or is the cents of an amount."""
    previous, parent = element.getprevious(), element.getparent()
    before = (previous.tail if previous is not None else parent.text if parent is not None else "") or ""
    is_unit = text.strip() in {"2", "3"} and POWERED.search(before) is not None
    return is_unit or (len(text.strip()) == 2 and before.strip()[-1:].isdigit())


def lines_of(element: HtmlElement, *, without: Iterable[HtmlElement] = ()) -> list[str]:
    """Return the lines of an element, without badges, buttons and what is struck through in it.

    `without` are elements within it that are left out, too.
    """
    parts: list[str] = []
    left_out = set(without)
    stack: list[tuple[HtmlElement, bool]] = [(element, False)]
    while stack:
        node, is_over = stack.pop()
        breaks = "\n" if node.tag in BLOCKS else ""
        if is_over:
            parts.append(breaks)
            if node is not element and node.tail:
                parts.append(node.tail.replace("\n", " "))
            continue
        stack.append((node, True))
        if node is not element and (node in left_out or is_old(node) or is_noise(node)):
            continue
        parts.append(breaks)
        if node.text:
            parts.append(node.text.replace("\n", " "))
        elif len(node) == 0 and (spoken := spoken_of(node)):
            parts.append(f" {spoken} ")
        stack.extend((child, False) for child in reversed(node))
    lines = (clean(line) for line in "".join(parts).split("\n"))
    return [line for line in lines if line]


def text_of(element: HtmlElement) -> str:
    """Return the text of an element, lines apart by line ends."""
    if len(element) == 0:
        return clean(element.text or "") or spoken_of(element)
    return "\n".join(lines_of(element))


def spoken_of(element: HtmlElement) -> str:
    """Return what an element without text is to those who cannot see: five stars, a tick."""
    if element.tag in {"img", "input", "a"}:
        return ""
    return clean(element.get("aria-label") or (element.get("title", "") if element.tag != "abbr" else ""))


def one_line(text: str) -> str:
    """Join lines as a person would write them in one."""
    return LINE_END.sub(", ", text).replace("\n", " ") if "\n" in text else text
