"""Things that JSON-LD speaks of: nested values by path, and what a nested thing is in one line."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from batchfish.localagent.page.entities import Entity, Value
from batchfish.localagent.page.vocabulary import UNIT_CODES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

STEP = "HowToStep"
FURTHER = "additionalProperty"
"""Where a thing says what the vocabulary has no word for, as pairs of names and values."""
OF_ADDRESSES = frozenset({"image", "logo", "thumbnail"})
AROUND = re.compile(r"<!--|-->|/\*\s*<!\[CDATA\[\s*\*/|/\*\s*\]\]>\s*\*/|<!\[CDATA\[|\]\]>")
"""What old pages put around a script to hide it from older browsers."""
DEEPEST = 6
MOST_VALUES = 2000


def linked_data(texts: list[str]) -> Iterator[Entity]:
    """Read the things that JSON-LD blocks speak of; a block that is not JSON is passed over."""
    documents = [document for text in texts if (document := _parse(text)) is not None]
    known = {one["@id"]: one for one in _named(documents)}
    for document in documents:
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
                    values = tuple(_flatten(thing, "", DEEPEST, known))[:MOST_VALUES]
                    if values:
                        yield Entity(types=tuple(_types(thing)), values=values, is_part=is_part)


def _parse(text: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    try:
        return json.loads(AROUND.sub("", text).strip().rstrip(";"), strict=False)
    except (ValueError, RecursionError):
        return None


def _named(documents: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    """Give the things at the top of documents that others may point at by their ids."""
    for document in documents:
        several = document if isinstance(document, list) else [document]
        for thing in several:
            graph = thing.get("@graph", []) if isinstance(thing, dict) else []
            for one in [thing, *(graph if isinstance(graph, list) else [graph])]:
                if isinstance(one, dict) and isinstance(one.get("@id"), str) and len(one) > 1:
                    yield one


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


def _flatten(
    thing: Mapping[str, Any], path: str, depth: int, known: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, Value]]:
    """Give what is said of a thing by path; another that it only points at is one of `known`, by id."""
    for name, value in thing.items():
        if name.startswith("@"):
            continue
        here = f"{path}.{name}" if path else name
        for member in value if isinstance(value, list) else [value]:
            match member:
                case {"@type": kind, "text": str() as text} if kind == STEP:
                    yield here, Value(text=text)
                case {"name": str() as label, "value": (str() | int() | float()) as said} if name == FURTHER:
                    yield label, Value(text=_amount(member) or str(said))
                case dict() if depth:
                    whole_thing = known.get(str(member.get("@id")), member) if len(member) == 1 else member
                    yield from _flatten(whole_thing, here, depth - 1, known)
                    if whole := _whole(name, whole_thing):
                        yield here, Value(text=whole)
                case bool():
                    yield here, Value(text="yes" if member else "no")
                case str() | int() | float():
                    yield here, Value(text=str(member), exact=str(member))


def _whole(name: str, thing: Mapping[str, Any]) -> str | None:
    """Write in one line what a nested thing is: its name, its amount with the unit, its address."""
    if name in OF_ADDRESSES:
        said = thing.get("url") or thing.get("contentUrl")
    else:
        is_number = thing.get("@type") == "PropertyValue"  # its name says whose number it is
        said = (
            (_amount(thing) if is_number else None) or thing.get("name") or _amount(thing) or _address(thing)
        )
    return said if isinstance(said, str) else None


def _amount(thing: Mapping[str, Any]) -> str | None:
    """Write an amount with its unit, or one of money with its currency, where it says them."""
    value, code = thing.get("value"), str(thing.get("unitCode", "")).rsplit("/", 1)[-1].upper()
    unit = thing.get("currency") or UNIT_CODES.get(code) or thing.get("unitText") or ""
    return f"{value} {unit}".strip() if isinstance(value, str | int | float) else None


def _address(thing: Mapping[str, Any]) -> str | None:
    """Write a postal address in one line; of a place without a name, its address."""
    inner = thing.get("address")
    whole = inner if isinstance(inner, dict) else thing
    town = " ".join(str(whole[part]) for part in ("postalCode", "addressLocality") if whole.get(part))
    parts = [whole.get("streetAddress"), town, whole.get("addressRegion"), whole.get("addressCountry")]
    said = [part for part in parts if isinstance(part, str) and part]
    return ", ".join(said) if said else None
