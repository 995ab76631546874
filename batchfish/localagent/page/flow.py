"""A page as lines in the order in which a person reads them, each with the block that it stands in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchfish.localagent.page.tree import BLOCKS, HEADINGS, clean, is_beside_the_point

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lxml.html import HtmlElement

APART = frozenset(
    {
        "address",
        "article",
        "aside",
        "dialog",
        "fieldset",
        "footer",
        "form",
        "header",
        "main",
        "nav",
        "section",
    }
    | {"table", "td", "th"}
)
"""What stands in one of these goes on in no other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A line of text, and the innermost block that it stands in."""

    text: str
    block: HtmlElement


def runs_of(elements: Sequence[HtmlElement]) -> Iterator[list[Line]]:
    """Give the lines of elements that follow one another, in runs: each from a heading or a border on."""
    run: list[Line] = []
    buffer: list[str] = []
    holder = elements[0]

    def end_line() -> None:
        if text := clean("".join(buffer)):
            run.append(Line(text=text, block=holder))
        buffer.clear()

    stack = [(element, False) for element in reversed(elements)]
    blocks = [elements[0]]
    while stack:
        node, is_over = stack.pop()
        is_block = node.tag in BLOCKS
        if is_block or node.tag == "br":
            end_line()
        if (node.tag in APART or (node.tag in HEADINGS and not is_over)) and run:
            yield run
            run = []
        if is_over:
            if is_block:
                blocks.pop()
                holder = blocks[-1]
            buffer.append(" " if node in elements else (node.tail or "").replace("\n", " "))
            continue
        if is_block:
            blocks.append(node)
            holder = node
        stack.append((node, True))
        if not is_beside_the_point(node):
            buffer.append((node.text or "").replace("\n", " "))
            stack.extend((child, False) for child in reversed(node))
    end_line()
    if run:
        yield run
