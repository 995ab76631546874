"""Facts that a page states for machines: JSON-LD, microdata, Open Graph and the other metas of its head."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from batchfish.localagent.page.tree import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lxml.html import HtmlElement

# Things about the page or its site, not about what the page is about; and things said of other things.
ABOUT_THE_SITE = frozenset({
    "BreadcrumbList", "WebSite", "WebPage", "SearchAction", "ImageObject", "SiteNavigationElement",
    "WPHeader",
    "WPFooter", "WPSideBar", "ListItem", "CollectionPage", "ItemPage", "ContactPage", "AboutPage", "ItemList",
    "OfferCatalog", "SearchResultsPage", "ProfilePage", "EntryPoint", "Organization", "ReadAction",
})  # fmt: skip
ABOUT_OTHERS = frozenset(
    {"Review", "Rating", "AggregateRating", "Comment", "Person", "Offer", "PostalAddress"}
)
STEP = "HowToStep"
OF_ADDRESSES = frozenset({"image", "logo", "thumbnail"})
AROUND = re.compile(r"<!--|-->|/\*\s*<!\[CDATA\[\s*\*/|/\*\s*\]\]>\s*\*/|<!\[CDATA\[|\]\]>")
"""What old pages put around a script to hide it from older browsers."""
DEEPEST = 6
MOST_VALUES = 2000
BY_ATTRIBUTE: Mapping[str, str] = {"meta": "content", "time": "datetime", "data": "value", "meter": "value"}
BY_LINK = frozenset({"a", "link", "area", "img", "source", "audio", "video", "embed", "iframe"})
METAS: Mapping[str, str] = {
    "og:title": "title",
    "og:description": "description",
    "og:image": "image",
    "og:site_name": "site name",
    "article:published_time": "date published",
    "article:modified_time": "date modified",
    "article:section": "section",
    "article:author": "author",
    "product:price:amount": "price",
    "product:price:currency": "currency",
    "product:availability": "availability",
    "author": "author",
    "description": "description",
    "date": "date published",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Entity:
    """A thing that structured data speaks of: its types, and its values by property path (`offers.price`).

    `is_part`: it stands inside another thing, as one of several.
    """

    types: tuple[str, ...]
    values: tuple[tuple[str, Value], ...]
    element: HtmlElement | None = None
    is_part: bool = False

    @property
    def is_about_the_site(self) -> bool:
        """Whether it is about the page or its site, not about what the page is about."""
        return bool(self.types) and ABOUT_THE_SITE.issuperset(self.types)

    @property
    def is_said_of_another(self) -> bool:
        """Whether it belongs to some other thing, as a review does."""
        return self.is_part or (bool(self.types) and ABOUT_OTHERS.issuperset(self.types))

    @property
    def name(self) -> str:
        """What it is called."""
        return next((value.text for path, value in self.values if path in {"name", "headline"}), "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """One value of a property: what a person sees of it, and its exact form."""

    text: str
    exact: str | None = None
    link: str | None = None
    element: HtmlElement | None = None


def linked_data(texts: list[str]) -> Iterator[Entity]:
    """Read the things that JSON-LD blocks speak of; a block that is not JSON is passed over."""
    for text in texts:
        try:
            document = json.loads(AROUND.sub("", text).strip().rstrip(";"), strict=False)
        except (ValueError, RecursionError):
            continue
        stack = [(document, False)]
        while stack:
            node, is_part = stack.pop()
            match node:
                case list() as several:
                    stack.extend((member, is_part) for member in reversed(several))
                case {"@graph": graph, **rest}:
                    stack.extend([(graph, is_part), (rest, is_part)])
                case dict() as thing if thing:
                    below = list(_inside(thing))
                    stack.extend(reversed(below))
                    values = tuple(_flatten(thing, "", DEEPEST))[:MOST_VALUES]
                    yield Entity(types=tuple(_types(thing)), values=values, is_part=is_part)


def _inside(thing: Mapping[str, Any]) -> Iterator[tuple[Any, bool]]:
    """Give the things inside a thing that stand for themselves: entries, subjects, several alike."""
    for name, value in thing.items():
        match name, value:
            case "itemListElement", list():
                for entry in value:
                    if isinstance(entry, dict):
                        yield (
                            entry.get("item", entry) if isinstance(entry.get("item"), dict) else entry,
                            False,
                        )
            case (("mainEntity" | "mainEntityOfPage"), (dict() | list())):
                yield value, False
            case _, [dict(), dict(), *_]:
                for member in value:
                    if isinstance(member, dict) and "@type" in member:
                        yield member, True


def _types(thing: Mapping[str, Any]) -> list[str]:
    types = thing.get("@type", [])
    return [str(kind) for kind in (types if isinstance(types, list) else [types])]


def _flatten(thing: Mapping[str, Any], path: str, depth: int) -> Iterator[tuple[str, Value]]:
    for name, value in thing.items():
        if name.startswith("@"):
            continue
        here = f"{path}.{name}" if path else name
        for member in value if isinstance(value, list) else [value]:
            match member:
                case {"@type": kind, "text": str() as text} if kind == STEP:
                    yield here, Value(text=text)
                case dict() if depth:
                    yield from _flatten(member, here, depth - 1)
                    named = member.get("name") or _address(member)
                    if name in OF_ADDRESSES:
                        named = member.get("url") or member.get("contentUrl")
                    if isinstance(named, str):
                        yield here, Value(text=named)
                case bool():
                    yield here, Value(text="yes" if member else "no")
                case str() | int() | float():
                    yield here, Value(text=str(member), exact=str(member))


def _address(thing: Mapping[str, Any]) -> str | None:
    """Write a postal address in one line; of a place without a name, its address."""
    inner = thing.get("address")
    whole = inner if isinstance(inner, dict) else thing
    town = " ".join(str(whole[part]) for part in ("postalCode", "addressLocality") if whole.get(part))
    parts = [whole.get("streetAddress"), town, whole.get("addressRegion"), whole.get("addressCountry")]
    said = [part for part in parts if isinstance(part, str) and part]
    return ", ".join(said) if said else None


def microdata(root: HtmlElement) -> list[Entity]:
    """Read the things that `itemscope` and `itemprop` mark, nested ones as `offers.price`."""
    entities: list[Entity] = []
    paths: dict[HtmlElement, tuple[int, str]] = {}
    found: list[tuple[tuple[str, ...], HtmlElement, list[tuple[str, Value]]]] = []
    for element in root.iter("*"):
        parent = element.getparent()
        scope = paths.get(parent) if parent is not None else None
        names = element.get("itemprop", "").split()
        begins = "itemscope" in element.attrib
        if begins and (scope is None or not names or "mainEntity" in names):
            kinds = tuple(kind.rstrip("/").rsplit("/", 1)[-1] for kind in element.get("itemtype", "").split())
            found.append((kinds, element, []))
            paths[element] = (len(found) - 1, "")
            continue
        if scope is not None:
            owner, path = scope
            for name in names:
                here = f"{path}.{name}" if path else name
                found[owner][2].append((here, _marked_value(element)))
            paths[element] = (owner, f"{path}.{names[0]}" if path else names[0]) if begins else scope
    entities.extend(
        Entity(types=kinds, values=tuple(values), element=element) for kinds, element, values in found
    )
    return entities


def _marked_value(element: HtmlElement) -> Value:
    exact = element.get("content") or element.get(BY_ATTRIBUTE.get(element.tag, "content"))
    link = element.get("href") or element.get("src") if element.tag in BY_LINK else None
    seen = text_of(element)
    if element.tag in {"link", "img"}:
        exact = exact or link
    return Value(text=seen or exact or link or "", exact=exact, link=link, element=element)


def metas(root: HtmlElement, url: str) -> Iterator[tuple[str, Value]]:
    """Read what the head says of the page, under plain labels."""
    for meta in root.iter("meta"):
        name = (meta.get("property") or meta.get("name") or "").lower()
        content = (meta.get("content") or "").strip()
        if content and name in METAS:
            link = urljoin(url, content) if name == "og:image" else None
            yield METAS[name], Value(text=content, exact=content, link=link)
