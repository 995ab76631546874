"""The text of a page for a model: what a person sees, with headings, lists, tables and links."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from lxml import etree

from batchfish.localagent.engines.frames import Outline
from batchfish.localagent.page.dom.document import drop_unseen, parse

if TYPE_CHECKING:
    from lxml.html import HtmlElement

MOST_TEXT = 400_000
MOST_LINKED_DATA = 6_000
LONGEST_ADDRESS = 300
JSON_LD = "application/ld+json"
HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
# fmt: off
INLINE = frozenset([
    "a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "data", "dfn", "em", "font", "i", "img", "ins",
    "kbd", "label", "mark", "q", "s", "samp", "small", "span", "strong", "sub", "sup", "time", "tt", "u",
    "var", "wbr",
])
# fmt: on
CELLS = frozenset(["td", "th"])
STARTS = {**HEADINGS, "li": "- ", "dt": "- ", "dd": "  ", "summary": "- "}
SPACE = re.compile(r"\s+")


def outline(body: bytes, *, url: str, content_type: str = "text/html") -> Outline:
    """Return the text of a page, at most MOST_TEXT characters.

    Addresses are absolute, and only those of http and https are kept.
    """
    root = parse(body, content_type)
    if root is None:
        return Outline(text="", links=[])
    title = " ".join(root.findtext(".//title", default="").split())
    data = _linked_data(root)
    drop_unseen(root)
    writer = _Writer(url=url)
    writer.write(root)
    head = [f"Title: {title}"] if title else []
    if data:
        head += ["Structured data of the page (JSON-LD):", data]
    whole = "\n".join([*head, *writer.lines])
    return Outline(text=whole[:MOST_TEXT], links=writer.links)


def _linked_data(root: HtmlElement) -> str:
    """Return the page's JSON-LD on one line, as far as there is room for it."""
    blocks = [block.text or "" for block in root.iter("script") if block.get("type") == JSON_LD]
    return SPACE.sub(" ", " ".join(blocks)).strip()[:MOST_LINKED_DATA]


@dataclass(kw_only=True, slots=True)
class _Writer:
    """Walks a tree without recursion, however deep it is."""

    url: str
    lines: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    _line: list[str] = field(default_factory=list)
    _start: str = ""
    _size: int = 0

    def write(self, root: HtmlElement) -> None:
        """Append the text of a tree until the limit is reached."""
        for event, element in etree.iterwalk(root, events=("start", "end", "comment", "pi")):
            if self._size > MOST_TEXT:
                break
            if event == "start":
                self._open(element)
                self._say(element.text)
            else:
                if event == "end":
                    self._close(element)
                self._say(element.tail)
        self._break()

    def _open(self, element: HtmlElement) -> None:
        tag = element.tag
        if tag in CELLS:
            if self._line:
                self._line.append(" | ")
        elif tag not in INLINE:
            self._break()
            self._start = STARTS.get(tag, self._start if tag != "tr" else "")
        if tag == "img" and (said := element.get("alt", "").strip()):
            self._say(f" [image: {said}] ")

    def _close(self, element: HtmlElement) -> None:
        tag = element.tag
        if tag == "a" and (address := self._address(element.get("href"))):
            self._say(f" <{address}> ")
            self.links.append(address)
        elif tag not in INLINE and tag not in CELLS:
            self._break()

    def _address(self, href: str | None) -> str | None:
        if not href or href.startswith("#"):
            return None
        try:
            address = urljoin(self.url, href.strip())
            is_web = urlsplit(address).scheme in {"http", "https"}
        except ValueError:
            return None
        return address if is_web and len(address) <= LONGEST_ADDRESS else None

    def _say(self, text: str | None) -> None:
        if text:
            self._line.append(text)

    def _break(self) -> None:
        line = SPACE.sub(" ", "".join(self._line)).strip()
        if line.strip("| "):
            self.lines.append(self._start + line)
            self._size += len(line) + 1
            self._start = ""
        self._line.clear()
