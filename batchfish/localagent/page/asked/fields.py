"""The fields that a goal names, as a schema: “price (number)”, “whether it is free”, `[{name, price}]`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchfish.localagent.page.values.numbers import unit_of
from batchfish.localagent.page.words import concept_of, fold, folded, singular, spell_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

AND = re.compile(r"(?i)\s*(?:,|;|\n|\+)\s*(?:and\s+|as well as\s+|plus\s+)?|\s+(?:and|plus|as well as)\s+")
HINT = re.compile(r"\(([^)]*)\)|:\s*(.+)$|\s+[-–—]\s+(.+)$")
LEADING = re.compile(
    r"(?i)^(?:(?:the|an?|its|their|his|her|is|are|each|all|both|also|current|exactly|only)\s+)+"
)
LIST_OF = re.compile(r"(?i)^(?:(?:a |the )?(?:full |complete )?(?:lists?|array) of|all(?: of)?(?: the)?)\s+")
WHETHER = re.compile(
    r"(?i)^(?:whether|if)\s+(?:(?:it|they|there|he|she|the \w+)\s+)?(?:is|are|has|have)?\s*(?:an?\s+)?"
)
COLLECTIVE, SINGLE = folded("collective"), folded("single")
AMOUNTS = frozenset(
    {"price", "old price", "low price", "high price", "monthly price", "yearly price", "nightly price", "fee",
     "unit price", "price per person", "rating", "points"}
)  # fmt: skip
TEXT, TEXTS = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
TOLD: tuple[tuple[str, Mapping[str, Any]], ...] = (
    (r"list|array", TEXTS),
    (r"true|false|boolean|bool|yes/no", {"type": "boolean"}),
    (r"integer|whole number|int", {"type": "integer"}),
    (r"number|numeric|float|decimal|\d-\d+", {"type": "number"}),
    (r"iso|yyyy.*", {"type": "string", "format": "date"}),
    (r"string|text|as shown|as displayed|url", TEXT),
)
"""The types that a hint names for a field, the strongest first."""
LONGEST_FIELD, MOST_FIELDS, MOST_WORDS = 60, 40, 7


def is_plural(noun: str) -> bool:
    """Whether a noun speaks of several things."""
    words = fold(noun).split()
    if not words or words[-1] in SINGLE or " ".join(words) in SINGLE:
        return False
    return words[-1] in COLLECTIVE or (words[-1].endswith("s") and singular(words[-1]) != words[-1])


def split_fields(text: str) -> list[str]:
    """Return the fields that a text names, each with its hint; nothing where one is no name of a field."""
    kept = re.sub(r"\([^)]*\)", lambda found: AND.sub("\x00", found[0]), text.strip().rstrip(".;"))
    parts = [part.replace("\x00", ", ").strip(" \"'`“”.") for part in AND.split(kept)]
    parts = [part for part in parts if part]
    names = [LEADING.sub("", HINT.sub("", part)).strip() for part in parts]
    are_names = all(0 < len(one) <= LONGEST_FIELD and len(one.split()) <= MOST_WORDS for one in names)
    return parts if len(parts) <= MOST_FIELDS and are_names else []


def schema_of(fields: Iterable[str], noun: str, *, is_several: bool) -> Mapping[str, Any] | None:
    """Return the schema of one record with these fields, or of a list of such under its noun."""
    properties = dict(filter(None, map(_property, fields)))
    if not properties:
        return None
    record = {"type": "object", "properties": properties}
    return list_of(record, noun) if is_several else record


def list_of(record: Mapping[str, Any], noun: str) -> dict[str, Any]:
    """Return the schema of an object that holds a list under its noun."""
    name = spell(noun) or "items"
    several = (
        name
        if is_plural(noun)
        else f"{name[:-1]}ies"
        if name.endswith("y")
        else f"{name}{'es' if name.endswith(('sh', 'ch', 'x', 's')) else 's'}"
    )
    return {"type": "object", "properties": {several if noun else name: {"type": "array", "items": record}}}


def _property(field: str) -> tuple[str, dict[str, Any]] | None:
    hints = " ".join(part for found in HINT.finditer(field) for part in found.groups() if part)
    whole = HINT.sub("", field).strip(" *\"'`“”.:")
    name = LEADING.sub("", LIST_OF.sub("", WHETHER.sub("", whole)))
    name = re.sub(r"\s+in\s+(?=\w+$)", " ", name)
    if not re.search(r"[^\W\d_]", name):
        return None
    schema = {"type": "boolean"} if WHETHER.match(whole) else type_of(name, hints)
    is_list = LIST_OF.match(whole) is not None and schema == TEXT
    return spell(name), {**(TEXTS if is_list else schema), "nullable": True}


def type_of(name: str, hints: str = "") -> dict[str, Any]:
    """Return the type of a field by what is said of it, else by its name."""
    for words, schema in TOLD:
        if re.search(rf"\b(?:{words})\b", hints, re.IGNORECASE):
            return dict(schema)
    phrase = spell_name(name)
    concept, words_of = concept_of(phrase), set(phrase.split())
    last = phrase.split(" ")[-1]
    is_measure = " " in phrase and not concept and unit_of(last) != ""
    is_price = not words_of.isdisjoint({"price", "prices"}) and "currency" not in words_of
    if concept in AMOUNTS or is_measure or is_price:
        return {"type": "number"}
    if concept in {"features", "tags", "ingredients", "instructions"}:
        return dict(TEXTS)
    is_count = phrase.startswith("number of") or "count" in words_of or concept == "review count"
    if is_count or "year" in words_of:
        return {"type": "integer"}
    return {"type": "boolean"} if phrase.startswith(("is ", "has ", "in stock")) else dict(TEXT)


def spell(name: str) -> str:
    """Return a field's name as a property: “job title” is `job_title`; one spelled so already stays."""
    plain = name.strip()
    if re.fullmatch(r"[A-Za-z_]\w*", plain):
        return plain if "_" in plain or re.search(r"[a-z][A-Z]", plain) else plain.lower()
    return fold(plain).replace(" ", "_")


TOKEN = re.compile(
    r"//[^\n]*|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'|`[^`\n]*`|<[^<>\n]{1,40}>|-?\d+(?:\.\d+)?|[A-Za-z_][\w-]*"
    r"|\[\]|[{}\[\]:|]"
)
START = re.compile(r"(?:\[\s*)?\{")
TYPES = {
    "str": "string", "text": "string", "url": "string", "string": "string", "float": "number",
    "int": "integer", "number": "number", "integer": "integer", "bool": "boolean", "boolean": "boolean",
    "true": "boolean", "false": "boolean",
}  # fmt: skip
DAY = re.compile(r"YYYY-MM-DD|\d{4}-\d\d-\d\d|^date$")
MOST_DEPTH = 6


def sketch_in(goal: str) -> tuple[Any, int] | None:
    """Return the schema that a sketch in a goal draws, and where it starts; open types are None."""
    for match in START.finditer(goal):
        parser = _Parser([one[0] for one in TOKEN.finditer(goal, match.start()) if one[0][:2] != "//"])
        try:
            schema = parser.value(0)
        except (IndexError, ValueError):
            continue
        if schema and (schema.get("properties") or schema.get("items")):
            return schema, match.start()
    return None


def finished(schema: Any, noun: str) -> Mapping[str, Any]:
    """Return a sketch's schema with an object at the top, and a type for what the sketch leaves open."""
    whole = _typed("", schema)
    has_list = any(one["type"] == "array" for one in whole.get("properties", {}).values())
    if whole["type"] == "array" or (is_plural(noun) and not has_list):
        return list_of(whole if whole["type"] == "object" else whole["items"], noun)
    return whole


def _typed(name: str, schema: Any) -> dict[str, Any]:
    match schema:
        case {"properties": below}:
            known = {key: _typed(key, one) for key, one in below.items()}
            return {"type": "object", "properties": known}
        case {"items": items}:
            return {"type": "array", "items": _typed(singular(name), items), "nullable": bool(name)}
    return {**(type_of(name) if schema is None else schema), "nullable": True}


class _Parser:
    """Reads tokens from the first on; ValueError or IndexError where they draw nothing."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens[::-1]

    def value(self, depth: int) -> dict[str, Any] | None:
        """Read a value: an object, an array, or a scalar that says its type by what it is."""
        token = self._tokens.pop()
        if depth > MOST_DEPTH or token in {"}", "]", ":"}:
            raise ValueError(token)
        read = {"{": self._object, "[": self._array}.get(token)
        schema = read(depth) if read is not None else _scalar(token)
        while self._tokens and self._tokens[-1] in {"[]", "|"}:
            if self._tokens.pop() == "[]":
                schema = {"type": "array", "items": schema}
            else:
                schema = schema or _scalar(self._tokens.pop())
        return schema

    def _object(self, depth: int) -> dict[str, Any]:
        properties: dict[str, Any] = {}
        while (token := self._tokens.pop()) != "}":
            name = token.strip("\"'`<>")
            if not re.match(r"[A-Za-z_]", name):
                raise ValueError(token)
            if self._tokens[-1] == ":":
                self._tokens.pop()
                properties[name] = self.value(depth + 1)
            else:
                is_inner = self._tokens[-1] in {"{", "["}
                properties[name] = self.value(depth + 1) if is_inner else None
            if self._tokens[-1] == "[]":
                self._tokens.pop()
                properties[name] = {"type": "array", "items": properties[name]}
        return {"type": "object", "properties": properties}

    def _array(self, depth: int) -> dict[str, Any]:
        items: list[dict[str, Any] | None] = []
        while self._tokens[-1] != "]":
            items.append(self.value(depth + 1))
        self._tokens.pop()
        return {"type": "array", "items": next(filter(None, items), None)}


def _scalar(token: str) -> dict[str, Any] | None:
    plain = token.strip("\"'`<>").strip().lower()
    first = re.split(r"\W", plain)[0]
    if DAY.search(token) or DAY.search(plain):
        return {"type": "string", "format": "date"}
    if first in TYPES:
        return {"type": TYPES[first]}
    return {"type": "number"} if token[0].isdigit() or token[0] == "-" else None
