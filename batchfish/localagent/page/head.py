"""What the head of a page says of it: Open Graph and the other metas."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from batchfish.localagent.page.entities import Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lxml.html import HtmlElement

METAS: Mapping[str, str] = {
    "og:site_name": "site name",
    "og:image": "image",
    "og:image:url": "image",
    "article:published_time": "date published",
    "article:modified_time": "date modified",
    "article:tag": "tags",
    "product:price:amount": "price",
    "og:price:amount": "price",
    "product:price:currency": "currency",
    "og:price:currency": "currency",
    "author": "author",
    "description": "description",
    "keywords": "keywords",
    "date": "date published",
    "pubdate": "date published",
    "dc.creator": "author",
    "dcterms.creator": "author",
    "citation_author": "author",
}
PREFIXED = re.compile(
    r"(?:og|article|product|book|video|music|dc|dcterms|citation|business:contact_data|place:location)[:._](.+)"
)
"""Names of metas that say after their vocabulary what the value is: `book:isbn`, `dcterms.publisher`."""
NO_FACTS = frozenset({"type", "locale", "image:width", "image:height", "image:type", "determiner"})
SOCIAL = re.compile(r"twitter:label(\d)")
"""Cards for social media say labels and values in metas of their own."""


def metas(root: HtmlElement, url: str) -> Iterator[tuple[str, Value]]:
    """Read what the head says of the page, under plain labels."""
    said: dict[str, str] = {}
    for meta in root.iter("meta"):
        name = (meta.get("property") or meta.get("name") or "").strip().lower()
        content = (meta.get("content") or "").strip()
        if not name or not content:
            continue
        said[name] = content
        if label := _label(name):
            link = urljoin(url, content) if label == "image" else None
            yield label, Value(text=content, exact=content, link=link)
    for name, label in said.items():
        if (found := SOCIAL.fullmatch(name)) and (content := said.get(f"twitter:data{found[1]}", "")):
            yield label, Value(text=content)


def _label(name: str) -> str:
    found = PREFIXED.fullmatch(name)
    known = METAS.get(name, "")
    return known or (re.sub(r"[:._]", " ", found[1]) if found and found[1] not in NO_FACTS else "")
