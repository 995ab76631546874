"""Elements that make one list: entries, like elements with nothing but marks between, those of one class."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchfish.localagent.page.naming import has_own_text, named_in
from batchfish.localagent.page.tree import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.html import HtmlElement

BETWEEN = re.compile(r"\s*[,;/|·•&]?\s*")


def entries_of(element: HtmlElement) -> tuple[str, ...]:
    """Give what a value is a list of: the entries in it, or like elements with only marks between them.

    One entry makes no list.
    """
    entries = [text_of(named_in(entry)) for entry in element.iter("li")]
    holder = element[0] if len(element) == 1 and not has_own_text(element) else element
    if not entries and len(holder) > 1 and len({child.tag for child in holder} | {"a"}) == 1:
        run = run_from(holder[0])
        entries = list(run) if len(run) == len(holder) else []
    return tuple(filter(None, entries)) if len(entries) > 1 else ()


def run_from(element: HtmlElement) -> tuple[str, ...]:
    """Give the texts of an element and of those like it that follow with nothing but marks between them."""
    texts, following = [text_of(element)], element
    while BETWEEN.fullmatch(following.tail or ""):
        after = following.getnext()
        if after is None or after.tag != element.tag:
            break
        following = after
        texts.append(text_of(following))
    return tuple(filter(None, texts))


def alike_from(first: HtmlElement) -> Iterator[HtmlElement]:
    """Give an element and those of its class that follow, which make one list where they are named so."""
    yield first
    following = first.getnext()
    while (
        first.get("class")
        and following is not None
        and (following.tag, following.get("class")) == (first.tag, first.get("class"))
    ):
        yield following
        following = following.getnext()
