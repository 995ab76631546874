"""What a schema asks for, as fields to look for: names without their units, kinds, bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from batchfish.localagent.page.units import measures_same, unit_in_name
from batchfish.localagent.page.vocabulary import CURRENCIES, KIND_WORDS
from batchfish.localagent.page.words import CAMEL, Label, label, senses_of, singular

if TYPE_CHECKING:
    from collections.abc import Mapping


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """One property of a schema.

    `label` is its name as a label, `spelled` the same with its unit, in case the page spells it so, `aliases`
    what else it may be called, `senses` the concepts of what it means. `fields` are an object's own
    properties, `member` is what an array holds.
    """

    name: str
    label: Label
    spelled: Label
    kind: Kind
    aliases: tuple[Label, ...] = ()
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
    return tuple(fields if not thing or any("name" in one.senses for one in fields) else _first_names(fields))


def _first_names(fields: list[Wanted]) -> list[Wanted]:
    """Let the first text that is nothing else name the things, where no field is called so."""
    for place, one in enumerate(fields):
        is_open = not one.senses and not KIND_WORDS.issuperset(one.label.phrase.split())
        if one.kind is Kind.TEXT and is_open:
            return [*fields[:place], replace(one, senses=frozenset({"name"})), *fields[place + 1 :]]
        if one.kind is Kind.TEXT:
            break
    return fields


def _wanted(name: str, schema: Mapping[str, Any], thing: str, *, is_required: bool) -> Wanted:
    schema = _plain_branch(schema)
    words = CAMEL.sub("_", name).replace("-", "_").split("_")
    kind = _kind(schema)
    ending = words[-1] if len(words) > 1 and kind in {Kind.NUMBER, Kind.INTEGER} else ""
    unit = unit_in_name(ending.lower()) if ending else None
    currency = ending.upper() if ending.upper() in CURRENCIES else None
    named = label(" ".join(words[:-1]) if unit or currency else name)
    senses = senses_of(named, label(thing))
    is_number = kind is Kind.INTEGER and NUMBER_WORDS.issuperset(named.phrase.split())
    aliases = [label(thing)] if thing and ("name" in senses or is_number) else []
    if unit and measures_same(unit, "seconds"):
        aliases.append(label(f"{named.phrase} time"))
    if kind is Kind.ARRAY and schema.get("items", {}).get("type", "string") != "object":
        aliases.append(label(singular(name)))
    return Wanted(
        name=name,
        label=named,
        spelled=label(name),
        aliases=tuple(aliases),
        senses=senses,
        kind=kind,
        unit=unit,
        currency=currency,
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


def _plain_branch(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take the first alternative of anyOf: one form is enough to fill."""
    branches = schema.get("anyOf")
    return {**schema, **branches[0]} if branches else schema


def _kind(schema: Mapping[str, Any]) -> Kind:
    kind, form = schema.get("type", "string"), schema.get("format")
    if kind == "string":
        return Kind(form) if form else Kind.TEXT
    return Kind(kind)
