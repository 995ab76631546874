"""Things that the elements of a page mark for machines: microdata and RDFa."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchfish.localagent.page.entities import Entity, Value
from batchfish.localagent.page.tree import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lxml.html import HtmlElement

BY_ATTRIBUTE: Mapping[str, str] = {"meta": "content", "time": "datetime", "data": "value", "meter": "value"}
BY_LINK = frozenset({"a", "link", "area", "img", "source", "audio", "video", "embed", "iframe"})


@dataclass(frozen=True, kw_only=True, slots=True)
class _Dialect:
    """The attributes that begin a thing, say its type, and name a property."""

    begins: str
    types: str
    names: str


DIALECTS = (
    _Dialect(begins="itemscope", types="itemtype", names="itemprop"),
    _Dialect(begins="typeof", types="typeof", names="property"),
)


def marked_data(root: HtmlElement) -> Iterator[Entity]:
    """Read the things that elements mark, nested ones as `offers.price`."""
    for dialect in DIALECTS:
        yield from _read(root, dialect)


def _read(root: HtmlElement, dialect: _Dialect) -> Iterator[Entity]:
    paths: dict[HtmlElement, tuple[int, str]] = {}
    found: list[tuple[tuple[str, ...], HtmlElement, list[tuple[str, Value]]]] = []
    for element in root.iter("*"):
        parent = element.getparent()
        scope = paths.get(parent) if parent is not None else None
        names = [_local(name) for name in element.get(dialect.names, "").split()]
        begins = dialect.begins in element.attrib
        if begins and (scope is None or not names or "mainEntity" in names):
            kinds = tuple(_local(kind) for kind in element.get(dialect.types, "").split())
            found.append((kinds, element, []))
            paths[element] = (len(found) - 1, "")
            continue
        if scope is not None:
            owner, path = scope
            for name in names:
                here = f"{path}.{name}" if path else name
                found[owner][2].append((here, _marked_value(_named(element, dialect) if begins else element)))
            paths[element] = (owner, f"{path}.{names[0]}" if path else names[0]) if begins else scope
    for kinds, element, values in found:
        if values:
            yield Entity(types=kinds, values=tuple(values), element=element)


def _named(thing: HtmlElement, dialect: _Dialect) -> HtmlElement:
    """Give the element that holds a thing's name, which stands for it; the thing's own where none does."""
    for one in thing.iterdescendants("*"):
        holder = next(up for up in one.iterancestors() if dialect.begins in up.attrib)
        if holder is thing and "name" in map(_local, one.get(dialect.names, "").split()):
            return one
    return thing


def _local(name: str) -> str:
    """Take a name out of the vocabulary that it is written with: `schema:Product` is a Product."""
    return name.rstrip("/").rsplit("/", 1)[-1].rsplit(":", 1)[-1]


def _marked_value(element: HtmlElement) -> Value:
    exact = element.get("content") or element.get(BY_ATTRIBUTE.get(element.tag, "content"))
    link = element.get("href") or element.get("src") if element.tag in BY_LINK else None
    seen = text_of(element)
    if element.tag in {"link", "img"}:
        exact = exact or link
    return Value(text=seen or exact or link or "", exact=exact, link=link, element=element)
