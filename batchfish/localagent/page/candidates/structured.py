"""Structured data: JSON-LD and microdata as plain objects, and the fields and lists that they hold."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from html import unescape
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urljoin

from batchfish.localagent.page.candidates.model import Field, Record, RecordList, Source
from batchfish.localagent.page.dom.text import clean, text_of
from batchfish.localagent.page.words import listed, spell_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lxml.html import HtmlElement

Path: TypeAlias = "tuple[str, ...]"
Entity: TypeAlias = dict[str, Any]
"""A thing by its schema.org properties; `@type` holds its types without their address."""

AUXILIARY, HOLDING = listed("auxiliary_types"), listed("holding_types")
OPEN = listed("open_properties")
"""Properties whose own properties are the thing's: the price of the offer is the product's."""
SCHEMA = re.compile(r"(?i)^(?:https?:)?//(?:www\.)?schema\.org/|^schema:")
TAG = re.compile(r"<[^>]+>")
BREAK = re.compile(r"(?i)<\s*(?:br|/p|/li|/div)\s*/?>")
WRAPPING = re.compile(
    r"^\s*(?:<!--|(?://|/\*)?\s*<!\[CDATA\[\s*(?:\*/)?)|(?:-->|(?://|/\*)?\s*\]\]>\s*(?:\*/)?|;)\s*$"
)
TRAILING_COMMA = re.compile(r",\s*(?=[\]}])")
ADDRESS = ("streetAddress", "addressLocality", "addressRegion", "postalCode", "addressCountry")
SAYING = ("text", "value", "name", "ratingValue", "url", "contentUrl", "price", "minValue")
STEPS = frozenset({"recipeInstructions", "step"})
DEEPEST = 8


def read_entities(tree: HtmlElement, url: str) -> tuple[Entity, ...]:
    """Return the things that a page describes for machines, in their order; broken blocks are left out."""
    scripts = [one.text or "" for one in tree.iter("script") if "ld+json" in one.get("type", "").lower()]
    found = [entity for script in scripts for entity in _top(_load(script), 0)]
    by_id = {one["@id"]: one for one in found if isinstance(one.get("@id"), str) and len(one) > 2}
    whole = [_resolved(one, by_id, 0) for one in found]
    scopes = (one for one in tree.iter("*") if "itemtype" in one.attrib and "itemprop" not in one.attrib)
    whole += [_microdata(scope, url, 0) for scope in scopes]
    return tuple(one for one in whole if one and len(one) > 1)


def _load(text: str) -> Any:
    plain = WRAPPING.sub("", WRAPPING.sub("", text))
    for attempt in (plain, TRAILING_COMMA.sub("", plain)):
        try:
            return json.loads(attempt, strict=False)
        except (ValueError, RecursionError):
            continue
    return None


def _top(data: Any, depth: int) -> Iterator[Entity]:
    if isinstance(data, list):
        for one in data if depth < DEEPEST else ():
            yield from _top(one, depth + 1)
    elif isinstance(data, dict):
        yield from _top(data.get("@graph"), depth + 1)
        if "@type" in data:
            yield data


def _resolved(value: Any, by_id: Mapping[str, Entity], depth: int) -> Any:
    """Return a value with references followed, texts cleaned, types without their address, nothing empty."""
    if depth > DEEPEST:
        return None
    if isinstance(value, list):
        return [one for one in (_resolved(item, by_id, depth + 1) for item in value) if one not in (None, "")]
    if isinstance(value, dict):
        if "@value" in value:
            return _resolved(value["@value"], by_id, depth + 1)
        if depth and len(value) <= 2 and set(value) <= {"@id", "@type"}:
            value = by_id.get(value.get("@id", ""), value)
        own = {SCHEMA.sub("", name): one for name, one in value.items() if name[:1] != "@"}
        known = {name: _resolved(one, by_id, depth + 1) for name, one in own.items()}
        types = _types(value.get("@type"))
        return {"@type": types} | {name: one for name, one in known.items() if one not in (None, "", [])}
    return _plain(value) if isinstance(value, str) else value


def _plain(text: str) -> str:
    """Return a text without the mark-up and entities that some sites leave in their data."""
    text = TAG.sub(" ", BREAK.sub("\n", unescape(text))) if "&" in text or "<" in text else text
    return SCHEMA.sub("", "\n".join(filter(None, map(clean, text.split("\n")))))


def _types(value: Any) -> list[str]:
    return [SCHEMA.sub("", name).rstrip("/") for name in as_list(value) if isinstance(name, str)]


def _microdata(scope: HtmlElement, url: str, depth: int) -> Entity:
    entity: Entity = {"@type": _types(scope.get("itemtype", "").split())}
    stack = list(reversed(scope)) if depth < DEEPEST else []
    while stack:
        node = stack.pop()
        is_scope = "itemscope" in node.attrib
        for name in node.get("itemprop", "").split():
            value = _microdata(node, url, depth + 1) if is_scope else _property(node, url)
            value = text_of(node) if is_scope and len(value) == 1 else value
            if value:
                entity[name] = [*as_list(entity[name]), value] if name in entity else value
        stack.extend(() if is_scope else [child for child in reversed(node) if isinstance(child.tag, str)])
    return entity


def _property(node: HtmlElement, url: str) -> str:
    if content := node.get("content") or node.get("datetime"):
        return _plain(content)
    if node.tag == "link" or (node.tag == "a" and node.get("itemprop") in {"url", "sameAs", "image"}):
        return SCHEMA.sub("", urljoin(url, node.get("href", "")) if node.get("href") else "")
    return (
        urljoin(url, node.get("src", ""))
        if node.tag in {"img", "source", "video", "audio"}
        else text_of(node)
    )


def is_auxiliary(entity: Entity) -> bool:
    """Whether an entity describes the site or the page, not what the page is about."""
    return bool(entity["@type"]) and AUXILIARY.issuperset(entity["@type"])


def fields_of_entity(entity: Entity, number: int) -> Record:
    """Return what an entity says as fields; `number` tells it apart from other entities of the page."""
    where = f"structured data, {', '.join(entity['@type']) or 'thing'}"
    return tuple(_fields(entity, (), where, count(-1000 * (number + 1)), is_open=True))


def _fields(
    entity: Entity, path: Path, where: str, nodes: Iterator[int], *, is_open: bool
) -> Iterator[Field]:
    kinds = [spell_name(one) for one in entity["@type"]]
    for name, value in entity.items() if len(path) < DEEPEST else ():
        if name == "@type":
            continue
        label, whole = spell_name(name), spell_name(" ".join([*path, name]))
        own = [label, whole, *(kinds if name in {"name", "headline", "title"} else [])]
        things = [one for one in as_list(value) if isinstance(one, dict)]
        texts = steps_of(entity) if name in STEPS else [*filter(None, map(spell, as_list(value)))]
        texts = ["; ".join(texts)] if name == "openingHoursSpecification" else texts
        link = things[0].get("url") or things[0].get("contentUrl") if things else (texts or [""])[0]
        if texts or things:
            yield Field(
                labels=tuple(dict.fromkeys(own if is_open else [whole])),
                text=texts[0] if texts else "",
                exact=texts[0] if texts else None,
                link=link if isinstance(link, str) and link.startswith("http") else None,
                items=tuple(texts) if isinstance(value, list) or name in STEPS else (),
                source=Source.DATA,
                where=f"{where}: {'.'.join([*path, name])}",
                node=next(nodes),
                column=f"data:{'.'.join([*path, name])}",
            )
        if things and (name in OPEN or len(things) == 1) and name not in STEPS:
            yield from _fields(things[0], (*path, name), where, nodes, is_open=is_open and name in OPEN)


def spell(value: Any) -> str:
    """Return a value of structured data as a person would write it; empty where it says nothing by itself."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, dict):
        return str(value) if isinstance(value, str | int | float) else ""
    if any(part in value for part in ADDRESS):
        return ", ".join(filter(None, (spell(value.get(part)) for part in ADDRESS)))
    if "opens" in value and "closes" in value:
        days = ", ".join(map(spell, as_list(value.get("dayOfWeek", []))))
        return f"{days} {value['opens']}–{value['closes']}".strip()
    named = spell(value.get("name"))
    return named or next(filter(None, (spell(value.get(part)) for part in SAYING)), "")


def as_list(value: Any) -> list[Any]:
    """Return a value as a list: itself where it is one."""
    return value if isinstance(value, list) else [value]


def steps_of(entity: Entity) -> list[str]:
    """Return the single steps of a recipe, those of its sections in a row."""
    stack = as_list(entity.get("recipeInstructions", entity.get("step", [])))[::-1]
    found: list[str] = []
    while stack:
        one = stack.pop()
        if isinstance(one, dict) and "itemListElement" in one:
            stack.extend(as_list(one["itemListElement"])[::-1])
        else:
            text = spell(one.get("text") or one) if isinstance(one, dict) else spell(one)
            found.extend(filter(None, text.split("\n")))
    return found


def lists_of_entities(entities: Sequence[Entity]) -> Iterator[RecordList]:
    """Yield the lists that structured data holds: of things side by side, and those within a thing."""
    groups: dict[str, list[Entity]] = defaultdict(list)
    for entity in entities:
        if not is_auxiliary(entity) and not HOLDING.intersection(entity["@type"]):
            groups[spell_name(entity["@type"][0] if entity["@type"] else "").split(" ")[-1]].append(entity)
    for kind, group in groups.items():
        yield _record_list(group, kind, (kind,))
    if len(groups) > 1:
        yield _record_list([one for group in groups.values() for one in group], "all", tuple(groups))
    for entity in entities:
        yield from _lists_within(entity, "", 0)


def _lists_within(entity: Entity, path: str, depth: int) -> Iterator[RecordList]:
    for name, value in entity.items() if depth <= DEEPEST // 2 else ():
        things = [one for one in as_list(value) if isinstance(one, dict)]
        is_list = isinstance(value, list) or name in {"itemListElement", "mainEntity", "review"}
        if things and is_list and "BreadcrumbList" not in entity["@type"]:
            items = [one["item"] if isinstance(one.get("item"), dict) else one for one in things]
            kinds = [spell_name(kind).split(" ")[-1] for kind in items[0]["@type"]]
            titles = (spell_name(name), *kinds, spell_name(spell(entity.get("name"))))
            yield _record_list(items, f"{path}{name}", titles)
        for one in things[:3]:
            yield from _lists_within(one, f"{path}{name}.", depth + 1)


def _record_list(things: Sequence[Entity], key: str, titles: tuple[str, ...]) -> RecordList:
    return RecordList(
        key=f"data:{key}",
        size=len(things),
        record=lambda number: fields_of_entity(things[number], number),
        titles=titles,
        where=f"structured data, {key}",
        source=Source.DATA,
    )
