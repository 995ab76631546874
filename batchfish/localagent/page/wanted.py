"""A schema as a list of wanted fields: names without their units, kinds, shapes, bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from batchfish.localagent.page.values.numbers import CURRENCIES, unit_of
from batchfish.localagent.page.words import CONCEPTS, DATA, concept_of, singular, spell_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


Kind = StrEnum(
    "Kind",
    {
        "TEXT": "text", "NUMBER": "number", "INTEGER": "integer", "BOOLEAN": "boolean", "DATE": "date",
        "DATE_TIME": "date-time", "TIME": "time", "DURATION": "duration", "OBJECT": "object",
        "ARRAY": "array",
    },
)  # fmt: skip
"""The kinds of values that a field may hold."""
Shape = StrEnum(
    "Shape",
    {
        "ANY": "any", "NAME": "name", "PROSE": "prose", "MONEY": "money", "DAY": "day", "RATING": "rating",
        "LENGTH_OF_TIME": "length of time", "YEAR": "year", "STOCK": "stock", "EMAIL": "email",
        "PHONE": "phone", "WEB_ADDRESS": "web address", "IMAGE": "image", "CURRENCY": "currency",
        "WORDS": "words",
    },
)  # fmt: skip
"""The shapes of a field's values, whatever their kind."""
SHAPES = {one: Shape(shape) for shape, concepts in DATA["shapes"].items() for one in concepts.split(", ")}
"""The shapes of concepts; and, below, of names that hold such a word."""
WORD_SHAPES = {
    word: Shape(shape) for shape, words in DATA["word_shapes"].items() for word in words.split(", ")
}
FORMATS = frozenset({Kind.DATE, Kind.DATE_TIME, Kind.TIME, Kind.DURATION})
NUMBERS = frozenset({Kind.NUMBER, Kind.INTEGER})
TIMES = frozenset({"min", "h", "s", "day", "week"})
TIMED = frozenset({"time", "duration", "prep", "cook", "total", "runtime", "length", "reading", "delay"})
"""With one of these, `min` at the end of a name is minutes, and not the least."""
OPEN_HOLDERS = frozenset({"address", "location", "venue", "rating", "price", "fee", "salary", "hours"})
ADDRESS_PARTS = frozenset({"street", "city", "region", "postcode", "country", "latitude", "longitude"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """One property of a schema.

    `path` leads to it from the top of its record; `names` are folded phrases that it may be called, the
    nearest first; `concept` is what they mean (empty: not known). `unit` and `currency` are what its name
    says of its values. `fields` are an object's own properties, `member` is what an array holds.
    """

    path: tuple[str, ...]
    names: tuple[str, ...]
    concept: str
    kind: Kind
    shape: Shape
    unit: str = ""
    currency: str = ""
    is_required: bool = False
    is_nullable: bool = False
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    most_items: int | None = None
    fields: tuple[Wanted, ...] = ()
    member: Wanted | None = None

    @property
    def name(self) -> str:
        """The property's own name."""
        return self.path[-1]

    @property
    def is_list_of_things(self) -> bool:
        """Whether it is an array of objects."""
        return self.member is not None and self.member.kind is Kind.OBJECT


def wanted_of(schema: Mapping[str, Any], thing: str = "") -> tuple[Wanted, ...]:
    """Return the fields of an object schema, in its order; `thing` is what one object is called, if known.

    Where no field is called a name, the first plain text names the thing: the `team` of a row of standings.
    """
    fields = list(_inner((), schema, thing))
    if not any(one.shape is Shape.NAME for one in fields):
        for place, one in enumerate(fields):
            is_first = place == 0 and one.concept in {"role", "performer", "company"}
            if one.kind is Kind.TEXT and not one.choices and (is_first or one.shape is Shape.ANY):
                fields[place] = replace(one, shape=Shape.NAME)
                break
    return tuple(fields)


def leaves(fields: Iterable[Wanted]) -> list[Wanted]:
    """Return the fields with the properties of objects in place of the objects."""
    return [leaf for one in fields for leaf in (leaves(one.fields) if one.kind is Kind.OBJECT else [one])]


def _inner(path: tuple[str, ...], schema: Mapping[str, Any], thing: str = "") -> tuple[Wanted, ...]:
    required, properties = schema.get("required", ()), schema.get("properties", {})
    order = dict.fromkeys([*schema.get("propertyOrdering", ()), *properties])

    def wanted(name: str) -> Wanted:
        return _wanted((*path, name), properties[name], is_required=name in required, thing=thing)

    return tuple(map(wanted, order))


def _wanted(
    path: tuple[str, ...], schema: Mapping[str, Any], *, is_required: bool, thing: str = ""
) -> Wanted:
    if branches := schema.get("anyOf"):  # one form is enough to fill
        schema = {**schema, **branches[0]}
    type_, form = schema.get("type", "string"), schema.get("format", "")
    kind = (
        Kind.TEXT if type_ == "string" and form not in FORMATS else Kind(form if type_ == "string" else type_)
    )
    names, unit, currency = _names(path[-1], is_number=kind in NUMBERS)
    names = _names_within(path, names) if len(path) > 1 else names
    names = ("html title",) if names[0] == "page title" else names
    concept = next(filter(None, map(concept_of, names)), "")
    if kind in NUMBERS and concept == "role":
        names, concept = (*names, "rank"), "rank"
    if kind in NUMBERS and not concept:  # the price of adults may stand under “Adults”
        rest = " ".join(word for word in names[0].split() if WORD_SHAPES.get(word) is not Shape.MONEY)
        names = (*names, rest) if rest else names
    if thing and (concept == "name" or singular(spell_name(thing)) in names):
        names, concept = (*names, singular(spell_name(thing))), "name"
    member = None
    if kind is Kind.ARRAY:
        names = tuple(dict.fromkeys([*names, *map(singular, names)]))
        items = schema.get("items") or {"type": "string"}
        member = replace(_wanted(path, items, is_required=True), names=names)
        member = replace(member, fields=wanted_of(items, path[-1])) if member.kind is Kind.OBJECT else member
    return Wanted(
        path=path,
        names=names,
        concept=concept,
        kind=kind,
        shape=_shape(concept, names, unit, is_number=kind in NUMBERS),
        unit=unit,
        currency=currency,
        is_required=is_required,
        is_nullable=bool(schema.get("nullable")),
        choices=tuple(schema.get("enum", ())),
        least=schema.get("minimum"),
        most=schema.get("maximum"),
        most_items=schema.get("maxItems"),
        fields=_inner(path, schema) if kind is Kind.OBJECT else (),
        member=member,
    )


def _names_within(path: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    """Return what a property of a property is called: the name of a `seller` is the seller."""
    holder = spell_name(path[-2])
    if concept_of(names[0]) == "name":
        return holder, f"{holder} {names[0]}"
    is_open = concept_of(holder) in OPEN_HOLDERS or holder in {"contact", "details", "info", "contacts"}
    whole = tuple(f"{holder} {name}" for name in names)
    return (*whole, *names) if is_open or concept_of(names[0]) in ADDRESS_PARTS else whole


def _names(name: str, *, is_number: bool) -> tuple[tuple[str, ...], str, str]:
    """Return what a property may be called, the unit and the currency that its name ends with."""
    phrase = spell_name(name)
    words = phrase.split()
    if not is_number or len(words) < 2:
        return (phrase,), unit_of(phrase) if is_number and len(phrase) > 3 else "", ""
    if words[-1].upper() in CURRENCIES:
        return (" ".join(words[:-1]), phrase), "", words[-1].upper()
    for count in (2, 1):
        unit = unit_of("".join(words[-count:])) if len(words) > count else ""
        is_unit = unit and (count > 1 or len(words[-1]) <= 3 or words[-1] not in CONCEPTS)
        if is_unit and (words[-1] != "min" or TIMED.intersection(words)):
            rest = " ".join(word for word in words[:-count] if word not in {"in", "per"})
            return (phrase, rest) if concept_of(phrase) else (rest, phrase), unit, ""
    return (phrase,), "", ""


def _shape(concept: str, names: tuple[str, ...], unit: str, *, is_number: bool) -> Shape:
    words = [] if concept else [word for name in names for word in name.split()]
    by_word = next((WORD_SHAPES[word] for word in words if word in WORD_SHAPES), Shape.ANY)
    shape = SHAPES.get(concept) or by_word
    if unit in TIMES:
        return Shape.LENGTH_OF_TIME
    if not is_number:
        return Shape.ANY if shape is Shape.YEAR and not concept else shape
    if shape is Shape.DAY:
        return Shape.YEAR
    return Shape.ANY if shape in {Shape.NAME, Shape.PROSE, Shape.WORDS} else shape
