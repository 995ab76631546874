"""All the data of a kind of thing: structured data as it stands, or the fields that such a thing has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchfish.localagent.page.asked.fields import list_of
from batchfish.localagent.page.candidates.structured import as_list, steps_of
from batchfish.localagent.page.goal import kinds_of
from batchfish.localagent.page.record import is_about
from batchfish.localagent.page.words import DATA, spell_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batchfish.localagent.page.candidates.structured import Entity
    from batchfish.localagent.page.dom.document import Document
    from batchfish.localagent.page.goal import Asked
    from batchfish.localagent.page.wanted import Wanted

SAME_KIND = {word: kind for kind, words in DATA["kind_same"].items() for word in words.split()}
NEVER_NUMBERS = re.compile(
    r"name|phone|mobile|fax|postcode|isbn|gtin|sku|code|version|register number|vat id"
)
BARE = re.compile(r"-?(?:0|[1-9]\d{0,8})(?:\.\d{1,6})?")
DEEPEST = 6


def structured_data(document: Document, asked: Asked) -> tuple[dict[str, Any], str] | None:
    """Return the entities of the kind that a goal names, cleaned, with the words for where they stood.

    One entity is the result itself; several are a list under the goal's noun. None where there is none.
    """
    kinds = kinds_of(asked.kind)
    found = [one for entity in document.entities for one in _of_kind(entity, kinds, 0)]
    own = [one for one in found if is_about(one, document)]
    found = own if len(own) == 1 else found
    if not found:
        return None
    where = f"structured data, {' '.join(found[0]['@type'])}"
    cleaned = [_cleaned(one, 0) for one in found][: asked.most]
    (name,) = list_of({}, asked.nouns[0] if asked.nouns else asked.kind)["properties"]
    return cleaned[0] if len(found) == 1 else {name: cleaned}, where


def _of_kind(entity: Entity, kinds: Sequence[str], depth: int) -> Iterator[Entity]:
    is_kind = any(spell_name(one).split(" ")[-1] in kinds for one in entity["@type"])
    if is_kind and len(entity) > 2 and not {"WebPage", "ItemPage"} & {*entity["@type"]}:
        yield entity
        return
    for one in (one for value in entity.values() for one in as_list(value) if isinstance(one, dict)):
        yield from _of_kind(one, kinds, depth + 1) if depth < DEEPEST else ()


def _cleaned(value: Any, depth: int) -> Any:
    """Return an entity as plain data: its types as one word, its steps as texts, nothing empty."""
    if isinstance(value, list):
        return [_cleaned(one, depth) for one in value]
    if not isinstance(value, dict):
        return value
    kinds = value.get("@type", [])
    result: dict[str, Any] = {"type": kinds[0] if len(kinds) == 1 else kinds} if kinds else {}
    for name, below in value.items() if depth < DEEPEST else ():
        if name != "@type":
            result[name] = steps_of(value) if name == "recipeInstructions" else _cleaned(below, depth + 1)
    return result


def schema_of_kind(asked: Asked) -> dict[str, Any] | None:
    """Return the fields that a thing of a known kind has; None where the kind is not known."""
    kind = asked.kind.split(" ")[-1]
    fields = DATA["kind_fields"].get(SAME_KIND.get(kind, kind), "").split()
    properties: dict[str, Any] = {}
    for name, _, form in (field.partition(":") for field in fields):
        texts = {"type": "array", "items": {"type": "string"}}
        properties[name] = texts if form == "list" else {"type": form or "string"}
    return {"type": "object", "properties": properties, "required": list(properties)[:2]} if fields else None


def without_nulls(value: Any) -> Any:
    """Return a result without what was not found."""
    if isinstance(value, dict):
        return {name: without_nulls(below) for name, below in value.items() if below is not None}
    return [without_nulls(one) for one in value] if isinstance(value, list) else value


def with_numbers(result: dict[str, Any], fields: Sequence[Wanted]) -> dict[str, Any]:
    """Return a result with numbers for texts that are bare numbers, in a list where all of a name are."""
    for one in fields:
        is_list = one.member is not None and one.is_list_of_things
        rows = result.get(one.name) or [] if is_list else [result]
        for field in one.member.fields if is_list and one.member is not None else [one]:
            said = [row[field.name] for row in rows if row.get(field.name) is not None]
            are_bare = all(isinstance(text, str) and BARE.fullmatch(text) for text in said)
            for row in rows if are_bare and said and not NEVER_NUMBERS.fullmatch(field.concept) else ():
                text = row.get(field.name)
                row[field.name] = None if text is None else float(text) if "." in text else int(text)
    return result
