"""The schema that a goal describes: a sketch of JSON, lines, keys, “… with a and b”, a thing's name."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from batchfish.localagent.page.clauses import clauses_of, is_for_thought
from batchfish.localagent.page.fields import Field, fields_in, key, object_of, outlined
from batchfish.localagent.page.grammar import (
    ANNOUNCED,
    FOR_EACH,
    KEYS,
    VAGUE,
)
from batchfish.localagent.page.hints import kind_by_name
from batchfish.localagent.page.named import (
    Noun,
    is_known,
    one_of_several,
    several_of,
    thing_of,
    without_data,
)
from batchfish.localagent.page.shape import find_shape
from batchfish.localagent.page.vocabulary import THINGS
from batchfish.localagent.page.wordings import (
    after_noun,
    chooses,
    compound,
    each_noun,
    first_of,
    for_each,
    noun_of,
    of_each,
    owned,
    plain_fields,
)
from batchfish.localagent.page.words import label, senses_of

if TYPE_CHECKING:
    from collections.abc import Sequence

VALUES = frozenset({"link", "headline", "quote"})
"""Things that are a value of a page where one of them is wanted."""
FENCES = re.compile(r"```\w*|\*\*|__(?=\w)|(?<=\w)__")


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What a goal is understood to want: a schema, None where it is not; and what it calls what it wants."""

    schema: dict[str, Any] | None
    noun: str


def wish_of(text: str) -> Wish:
    """Understand a goal's words, the plainest way of saying what is wanted before the vaguer ones."""
    plain = FENCES.sub("", text.replace("’", "'"))
    shape, plain = find_shape(plain) or (None, plain)
    listed, prose = outlined(plain)
    clauses = clauses_of(prose)
    nouns = [noun_of(clause) for clause in clauses]
    each = each_noun(prose, clauses)
    noun = first_of(
        [one for one in nouns if each is None or one.name.endswith(each.name)] or [each or Noun()]
    )
    noun = replace(noun, is_several=noun.is_several or FOR_EACH.search(prose) is not None)
    if shape:
        schema: dict[str, Any] | None = _hinted(_shaped(shape, noun), dict(listed))
    elif not clauses or is_for_thought(prose) or any(map(chooses, clauses)):
        schema = None
    elif listed:
        schema = _wrapped(object_of(listed), noun)
    else:
        schema = _said(prose, clauses, noun)
    return Wish(schema=None if schema is None else _measured(schema), noun=noun.name)


def _wrapped(fields: dict[str, Any], noun: Noun) -> dict[str, Any]:
    if not noun.is_several:
        return fields
    name = key(_list_name(noun.name, fields)) or "results"
    listed = {name: {"type": "array", "items": fields}}
    return {"type": "object", "properties": listed, "required": [name]}


def _list_name(noun: str, fields: dict[str, Any]) -> str:
    """Name a list after its things: “pizza prices” with a price are pizzas, “product data” are products."""
    noun = without_data(noun)
    before, _, last = noun.rpartition(" ")
    one = one_of_several(last)
    is_field = (
        before and one != last and any(key(one) == name.split("_")[-1] for name in fields["properties"])
    )
    return several_of(before) if is_field and is_known(one) else noun


def _shaped(shape: dict[str, Any], noun: Noun) -> dict[str, Any]:
    """Give the schema of a shape: a flat one is that of one thing, or of each of those that are wanted."""
    if shape["type"] == "array":
        return _wrapped(shape["items"], Noun(name=noun.name, is_several=True))
    values = shape["properties"].values()
    kinds = ["object" if "properties" in one else one.get("items", {}).get("type", "") for one in values]
    is_flat = "" in kinds and "object" not in kinds
    return _wrapped(shape, noun) if is_flat else shape


def _hinted(schema: dict[str, Any], told: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Put in what lines of the goal say of the fields of a shape."""
    match schema:
        case {"properties": dict() as properties, **rest}:
            kinds = {name: told.get(name) or _hinted(one, told) for name, one in properties.items()}
            return {**rest, "properties": kinds}
        case {"items": items, **rest}:
            return {**rest, "items": _hinted(items, told)}
    return schema


def _said(prose: str, clauses: Sequence[str], noun: Noun) -> dict[str, Any] | None:
    """Read the fields that sentences name."""
    found = for_each(prose, noun)
    keys = None if found else KEYS.search(prose) or ANNOUNCED.search(prose)
    if keys and (fields := fields_in(keys["fields"])):
        before = first_of([noun_of(one) for one in clauses_of(prose[: keys.start()])])
        found = fields, each_noun(prose, clauses) or before
    ways = (owned, of_each, after_noun, compound)
    found = found or next((one for way in ways for clause in clauses if (one := way(clause))), None)
    if found:
        fields, things = found
        is_same = things.name.lower() in VAGUE or noun.name.endswith(f" {things.name}")
        return _wrapped(object_of(fields), noun if is_same and noun.name else things)
    plain = next((fields for clause in clauses if (fields := plain_fields(clause))), [])
    if plain and (len(plain) > 1 or _is_value(plain[0], noun)):
        return _wrapped(object_of(plain), _things(noun, plain))
    return _of_thing(noun)


def _is_value(field: Field, noun: Noun) -> bool:
    """Whether a field that stands alone is a value of the page, rather than a thing with fields."""
    return field[1]["type"] == "array" or (not noun.is_several and thing_of(noun.name) in VALUES | {None})


def _things(noun: Noun, fields: Sequence[Field]) -> Noun:
    """Give what has some fields that were named without it: what an earlier sentence wants several of."""
    names = {name.lower() for name, _ in fields}
    return noun if noun.is_several and noun.name.lower() not in names else Noun()


def _of_thing(noun: Noun) -> dict[str, Any] | None:
    """Give the usual fields of a thing that is asked for by name alone; the first of them it must have."""
    thing = thing_of(noun.name)
    if not noun.name or (thing is None and (not noun.is_several or _names_values(noun.name))):
        return None
    names = THINGS[thing or "other"]
    if noun.is_several and len(names) == 1:
        listed = {key(noun.name): {"type": "array", "items": {"type": "string"}}}
        return {"type": "object", "properties": listed, "required": list(listed)}
    kinds = {name: {**kind_by_name(name), "nullable": False} for name in names}
    fields = {"type": "object", "properties": kinds, "required": names[:1] if noun.is_several else []}
    return _wrapped(fields, noun)


def _names_values(noun: str) -> bool:
    """Whether a noun names values of things rather than things: “product names”."""
    last = noun.rsplit(maxsplit=1)[-1]
    one = one_of_several(last)
    return one != last and "name" in senses_of(label(one))


def _measured(schema: dict[str, Any]) -> dict[str, Any]:
    """Ask for ratings as numbers: a page that draws them as stars writes nothing that could be a text."""
    match schema:
        case {"properties": dict() as properties, **rest}:
            kinds = {name: _measured(_rating(name, one)) for name, one in properties.items()}
            return {**rest, "properties": kinds}
        case {"items": items, **rest}:
            return {**rest, "items": _measured(items)}
    return schema


def _rating(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    is_open = schema.get("type") == "string" and "format" not in schema
    return {**schema, "type": "number"} if is_open and "rating" in senses_of(label(name)) else schema
