"""What a schema asks for, as fields to look for: names without their units, kinds, bounds."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from batchfish.localagent.page.ranges import LOWER, UPPER
from batchfish.localagent.page.units import measures_same, split_unit
from batchfish.localagent.page.vocabulary import CURRENCIES, KIND_WORDS, NEVER_NAMES, THINGS_OF_FIELDS
from batchfish.localagent.page.words import CAMEL, PERIODS, Label, concepts_of, label, senses_of, singular

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


NUMBER_WORDS = frozenset({"number", "no", "nr", "num", "nummer", "numero"})
"""A thing's number may stand after what it is: “Episode 12”."""


class Kind(StrEnum):
    """What a field holds."""

    TEXT = "text"
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    DATE = "date"
    DATE_TIME = "date-time"
    TIME = "time"
    DURATION = "duration"
    OBJECT = "object"
    ARRAY = "array"


MONEY_WORDS = frozenset({"price", "cost", "fee", "rate", "fare", "charge"})
"""A price for some is found under what they are called: the price of adults under “Adults”."""
TIMED = frozenset({"time", "duration", "prep", "cook", "total", "runtime", "length", "delay", "reading"})
"""With one of these, `min` at the end of a name is minutes, and not the least."""
WORDS_OF_YEARS = frozenset({"year", "jahr", "annee", "ano", "anno"})
PER_PERIOD = re.compile(r"(.+) per (\w+)")
COUNT_OF_SOME = re.compile(r"(\w+) (?:size|capacity)")
"""How many there are or may be of some: a crew size is a number of crew."""
SORTING = frozenset({"section", "type"})
FORMATS = frozenset({Kind.DATE, Kind.DATE_TIME, Kind.TIME, Kind.DURATION})


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """One property of a schema.

    `label` is its name as a label, `spelled` the same with its unit, in case the page spells it so, `aliases`
    what else it may be called, `fallbacks` what will do where nothing is called so, `senses` the concepts of
    what it means, `bound` the end of a range that it is (empty: none). `fields` are an object's own
    properties, `member` is what an array holds.
    """

    name: str
    label: Label
    spelled: Label
    kind: Kind
    aliases: tuple[Label, ...] = ()
    fallbacks: tuple[Label, ...] = ()
    senses: frozenset[str] = frozenset()
    unit: str | None = None
    currency: str | None = None
    is_nullable: bool = False
    is_required: bool = False
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    fewest_items: int = 0
    most_items: int | None = None
    bound: str = ""
    fields: tuple[Wanted, ...] = ()
    member: Wanted | None = None


def plan(schema: Mapping[str, Any], thing: str = "") -> tuple[Wanted, ...]:
    """Give the fields that an object schema asks for, in its order; `thing` is what the object is called.

    The name of a thing may stand under what it is: the column “Mountain” of a list of mountains holds names.
    """
    required = schema.get("required", ())
    properties: Mapping[str, Mapping[str, Any]] = schema.get("properties", {})
    order = schema.get("propertyOrdering", ())
    names = [*order, *(name for name in properties if name not in order)]
    fields = [_wanted(name, properties[name], thing, is_required=name in required) for name in names]
    if any(one.senses & {"city", "postcode"} for one in fields):
        fields = [_as_street(one) for one in fields]
    if any("name" in one.senses for one in fields):
        return tuple(fields)
    return tuple(_first_names(fields) if thing else _first_is_title(fields))


def _as_street(wanted: Wanted) -> Wanted:
    """Take an address for the street, where the city is asked for apart from it."""
    if wanted.label.phrase != "address" or wanted.kind is not Kind.TEXT:
        return wanted
    street, address = label("street address"), (label("address"),)
    return replace(wanted, label=street, spelled=street, fallbacks=address, senses=frozenset({"street"}))


def _first_is_title(fields: list[Wanted]) -> list[Wanted]:
    """Let the title of a page do for the first text that is wanted of it, where none is called a name.

    A `package` is known by its name, as is a `species`.
    """
    first = fields[0] if fields else None
    if first is None or first.kind is not Kind.TEXT:
        return fields
    if first.label.phrase not in THINGS_OF_FIELDS:
        return fields
    return [replace(first, fallbacks=(*first.fallbacks, label("title"))), *fields[1:]]


def _first_names(fields: list[Wanted]) -> list[Wanted]:
    """Let the first text that is nothing else name the things, where no field is called so.

    What sorts things names them only where nothing else does: the category of a ticket.
    """
    sorting = None
    for place, one in enumerate(fields):
        if one.kind is not Kind.TEXT:
            continue
        says_what = bool(one.senses) or not KIND_WORDS.issuperset(one.label.phrase.split())
        if says_what and not one.senses.isdisjoint(SORTING):
            sorting = place if sorting is None else sorting
        elif says_what and one.senses.isdisjoint(NEVER_NAMES):
            return _with_name(fields, place)
        else:
            break
    return fields if sorting is None else _with_name(fields, sorting)


def _with_name(fields: list[Wanted], place: int) -> list[Wanted]:
    one = fields[place]
    return [*fields[:place], replace(one, senses=one.senses | {"name"}), *fields[place + 1 :]]


def _wanted(name: str, schema: Mapping[str, Any], thing: str, *, is_required: bool) -> Wanted:
    schema = _plain_branch(schema)
    words = CAMEL.sub("_", name).replace("-", "_").split("_")
    kind = _kind(schema)
    is_amount = kind in {Kind.NUMBER, Kind.INTEGER}
    is_least = words[-1] == "min" and TIMED.isdisjoint(words)
    unit, plain = split_unit(words) if is_amount and not is_least else (None, words)
    currency = words[-1].upper() if is_amount and words[-1].upper() in CURRENCIES else None
    named = label(" ".join(words[:-1] if currency and len(words) > 1 else plain))
    senses = senses_of(named, label(thing))
    is_number = kind is Kind.INTEGER and NUMBER_WORDS.issuperset(named.phrase.split())
    aliases = [label(thing)] if thing and ("name" in senses or is_number) else []
    if kind is Kind.INTEGER and (counted := COUNT_OF_SOME.fullmatch(named.phrase)):
        aliases.append(label(counted[1]))
    own = _without_thing(named, thing)
    if own and not concepts_of(named):
        aliases.append(own)
    if unit and measures_same(unit, "seconds"):
        aliases.append(label(f"{named.phrase} time"))
    if "sold out" in senses:
        senses |= {"availability"}
        aliases.append(label("availability"))
    if (base := PER_PERIOD.fullmatch(named.phrase)) and base[2] in PERIODS:
        aliases.append(label(base[1]))
    if kind is Kind.ARRAY and schema.get("items", {}).get("type", "string") != "object":
        aliases.append(label(singular(name)))
    return Wanted(
        name=name,
        label=named,
        spelled=label(name),
        aliases=tuple(aliases),
        fallbacks=(*_fallbacks(named, unit, senses), *([own] if own and concepts_of(named) else [])),
        senses=senses,
        kind=kind,
        unit=unit,
        currency=currency,
        bound=_bound(named) if is_amount else "",
        is_nullable=bool(schema.get("nullable")),
        is_required=is_required,
        choices=tuple(schema.get("enum", ())),
        least=schema.get("minimum"),
        most=schema.get("maximum"),
        fewest_items=schema.get("minItems", 0),
        most_items=schema.get("maxItems"),
        fields=plan(schema, name) if kind is Kind.OBJECT else (),
        member=_wanted(name, schema.get("items") or {"type": "string"}, "", is_required=True)
        if kind is Kind.ARRAY
        else None,
    )


def _bound(name: Label) -> str:
    """Say whether a name means the lower or the upper end of a range: `salary_min`, `price_to`."""
    words = set(name.phrase.split())
    return "lower" if words & LOWER else "upper" if words & UPPER else ""


def _fallbacks(name: Label, unit: str | None, senses: frozenset[str]) -> Iterator[Label]:
    """Give what will do where nothing is called so: the largest of a measure, the date of a year, a name."""
    if unit:
        yield label(f"maximum {name.phrase}")
    if name.phrase in WORDS_OF_YEARS:
        yield label("date")
    if _bound(name) and " " in name.phrase:
        yield label(" ".join(word for word in name.phrase.split() if word not in LOWER | UPPER))
    if "name" in senses and " " in name.phrase:
        yield label("name")
    words = name.phrase.split()
    if len(words) > 1 and MONEY_WORDS & {words[0], words[-1]}:
        rest = words[1:] if words[0] in MONEY_WORDS else words[:-1]
        yield label(" ".join(rest))


def _without_thing(name: Label, thing: str) -> Label | None:
    """Give the name of a field without the thing that it belongs to: of `lake_type` of a lake, the type."""
    words = name.phrase.split()
    things = {*label(thing).phrase.split(), *label(singular(thing)).phrase.split(), *THINGS_OF_FIELDS}
    rest = [word for word in words if word not in things]
    return label(" ".join(rest)) if 0 < len(rest) < len(words) else None


def _plain_branch(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take the first alternative of anyOf: one form is enough to fill."""
    branches = schema.get("anyOf")
    return {**schema, **branches[0]} if branches else schema


def _kind(schema: Mapping[str, Any]) -> Kind:
    kind, form = schema.get("type", "string"), schema.get("format")
    if kind == "string":
        return Kind(form) if form in FORMATS else Kind.TEXT
    return Kind(kind)
