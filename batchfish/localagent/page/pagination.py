"""Where a list goes on: the address of its next page, or the control that adds more of it in place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from batchfish.localagent.page.tree import marks, one_line, text_of
from batchfish.localagent.page.vocabulary import ARROWS, LOAD_MORE, NEXT_PAGE
from batchfish.localagent.page.words import fold

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lxml.html import HtmlElement

DECORATION = re.compile(rf"[{re.escape(''.join(ARROWS))}«<←|…\s]+")
LONGEST = 30
PAGER_MARKS = frozenset(
    {"pagination", "pager", "pages", "paging", "paginator", "paginate", "pagenav", "navigation"}
)
DISABLED = frozenset({"disabled", "inactive", "off"})
_NEXT = frozenset(map(fold, NEXT_PAGE))
_MORE = frozenset(map(fold, LOAD_MORE))


@dataclass(frozen=True, kw_only=True, slots=True)
class More:
    """How to see more of a list: `next_url` is another page, `control` the text of what adds to this one."""

    next_url: str | None = None
    control: str | None = None


def find_more(root: HtmlElement, url: str, next_links: Sequence[str]) -> More:
    """Find where a list goes on; a link of the head that says so is believed first."""
    links = [element for element in root.iter("a") if (element.get("href") or "").strip()]
    hrefs = [*next_links, *_by_rel(links), *_by_words(links), *_by_number(links)]
    found = (_address(url, href) for href in hrefs)
    controls = (element for element in root.iter("button", "a") if fold(_words(element)) in _MORE)
    control = next(controls, None)
    return More(
        next_url=next(filter(None, found), None),
        control=None if control is None else one_line(text_of(control)),
    )


def _address(url: str, href: str) -> str | None:
    """Give the address of a next page: another one of the same site."""
    if href.startswith(("#", "javascript:")):
        return None
    try:
        there, here = urlsplit(urljoin(url, href)), urlsplit(url)
    except ValueError:
        return None
    is_other = (there.path, there.query) != (here.path, here.query)
    return there._replace(fragment="").geturl() if is_other and there.netloc == here.netloc else None


def _by_rel(links: Sequence[HtmlElement]) -> Iterator[str]:
    yield from (link.get("href", "") for link in links if "next" in (link.get("rel") or "").split())


def _words(element: HtmlElement) -> str:
    return DECORATION.sub(" ", one_line(text_of(element))).strip()


def _by_words(links: Sequence[HtmlElement]) -> Iterator[str]:
    """Find links that say “next”, in words, by an arrow in a pager, or for screen readers."""
    for link in links:
        text = one_line(text_of(link)).strip()
        spoken = (link.get("aria-label") or link.get("title") or "").strip()
        if len(text) > LONGEST or not DISABLED.isdisjoint(marks(link)) or link.get("aria-disabled") == "true":
            continue
        words = fold(_words(link))
        if (
            (words in _NEXT and (words not in {"more", "weiter"} or _is_in_pager(link)))
            or fold(spoken) in _NEXT
            or (text in ARROWS and _is_in_pager(link))
        ):
            yield link.get("href", "")


def _is_in_pager(link: HtmlElement) -> bool:
    """Whether a link stands among numbers of pages, or in an element that is called a pager."""
    node: HtmlElement | None = link
    for _ in range(4):
        if node is None:
            return False
        if not PAGER_MARKS.isdisjoint([*marks(node), *fold(node.get("aria-label", "")).split()]):
            return True
        node = node.getparent()
    return False


def _by_number(links: Sequence[HtmlElement]) -> Iterator[str]:
    """Find the link to the page after this one, where pages are numbered and this one is no link."""
    for link in links:
        number = text_of(link).strip()
        if not number.isdecimal() or not _is_in_pager(link):
            continue
        before = link.getprevious()
        holder = link.getparent()
        if before is None and holder is not None:
            before = holder.getprevious()
        if before is None or before.tag == "a" or before.find(".//a[@href]") is not None:
            continue
        if text_of(before).strip() == str(int(number) - 1):
            yield link.get("href", "")
