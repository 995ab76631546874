"""The schema that a goal describes: a sketch of JSON, bullets, keys, “… with a and b”, a thing's name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchfish.localagent.page.grammar import (
    AFTER_NOUN,
    AND,
    BRACKET,
    BULLET,
    COLLECTIVE,
    COLON,
    DETERMINERS,
    EACH,
    ENDS,
    FOR_EACH,
    KEYS,
    LEADING,
    OF_EACH,
    SEVERAL,
    SINGLE,
    TOP,
    VERB,
    WITH,
    YES_OR_NO,
)
from batchfish.localagent.page.shape import find_shape, hinted
from batchfish.localagent.page.vocabulary import THING_NAMES, THINGS
from batchfish.localagent.page.words import fold, label, senses_of, singular

if TYPE_CHECKING:
    from collections.abc import Iterator

DIVIDERS = ((WITH, ""), (COLON, ""), (BRACKET, ")"))
LONGEST_FIELD = 6
LONGEST_NOUN = 3
MOST_FIELDS = 30
ONE_OF_A_KIND = frozenset({"contact", "recipe", "article"})
LISTS = frozenset({"features", "tags", "ingredients", "instructions"})
CAMEL_CASE = re.compile(r"[a-z][a-z0-9]*[A-Z]\w*")
IN_BRACKETS = re.compile(r"\(([^()]*)\)")


def schema_of(text: str, noun: str) -> dict[str, Any] | None:
    """Make a schema of a goal, where there is a way to; `noun` is what it wants."""
    before = text[: text.find(noun)] if noun else ""
    noun = _several(noun) if EACH.search(before) else noun
    schema = _schema(text, noun)
    return None if schema is None else _measured(schema)


def noun_of(text: str) -> str:
    """Give what a goal says it wants: the words after the verb, empty where they are no name."""
    rest = DETERMINERS.sub("", TOP.sub("", _after_verb(text)).strip())
    ends = [match.start() for pattern in (WITH, ENDS, AFTER_NOUN) if (match := pattern.search(rest))]
    words = rest[: min(ends, default=len(rest))].strip(" .:“”\"'").split()
    return " ".join(words[-LONGEST_NOUN:]) if len(words) <= LONGEST_FIELD else ""


def _after_verb(text: str) -> str:
    found = VERB.search(text)
    return DETERMINERS.sub("", text[found.end() :] if found else text)


def _schema(text: str, noun: str) -> dict[str, Any] | None:
    if (
        (each := FOR_EACH.search(text))
        and not BULLET.search(text)
        and (fields := list(_fields(each["fields"])))
    ):
        return _wrapped(_object(fields), _noun_of(each), is_list=True)
    if shape := find_shape(text):
        return shape if shape["type"] == "object" else _wrapped(shape["items"], noun, is_list=True)
    if bullets := BULLET.findall(text):
        return _wrapped(_object(bullets), noun, is_list=_is_list(text, noun))
    if (keys := KEYS.search(text)) and (fields := list(_fields(keys[1]))):
        return _wrapped(_object(fields), noun, is_list=_is_list(text[: keys.start()], noun))
    owned = TOP.sub("", _after_verb(text)).strip()
    if (each := OF_EACH.search(text)) and (fields := list(_fields(_after_verb(text[: each.start()])))):
        return _wrapped(_object(fields), _noun_of(each), is_list=True)
    return _fields_after_noun(text, noun) or _of_thing(text, noun) or _of_owner(owned)


def _object(fields: list[tuple[str, str]]) -> dict[str, Any]:
    properties = {_key(name): hinted(hint) for name, hint in fields[:MOST_FIELDS]}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _key(name: str) -> str:
    """Make a property name of words: one that is made already stays as it is."""
    return name if CAMEL_CASE.fullmatch(name) else "_".join(re.findall(r"\w+", name.lower()))


def _wrapped(fields: dict[str, Any], noun: str, *, is_list: bool) -> dict[str, Any]:
    if not is_list:
        return fields
    name = _key(noun) or "results"
    listed = {name: {"type": "array", "items": fields}}
    return {"type": "object", "properties": listed, "required": [name]}


def _noun_of(found: re.Match[str]) -> str:
    """Give the noun of a match in the plural, where what stands before it calls for one."""
    before = found.string[: found.start("noun")]
    return _several(found["noun"]) if EACH.search(before) else found["noun"]


def _several(noun: str) -> str:
    """Name several of a thing, by the plainest of rules."""
    last = noun.rsplit(maxsplit=1)[-1]
    if last.endswith("s"):
        return noun
    return f"{noun[:-1]}ies" if re.search(r"[^aeiou]y$", noun) else f"{noun}s"


def _is_list(text: str, noun: str) -> bool:
    """Whether several things are meant: the goal says all, each or how many, or names them in the plural."""
    last = noun.rsplit(maxsplit=1)[-1].lower() if noun else ""
    if _thing_of(noun) in ONE_OF_A_KIND and not last.endswith("s"):
        return False
    if last in COLLECTIVE:
        return True
    is_plural = last.endswith("s") and not last.endswith("ss") and last not in SINGLE
    return bool(SEVERAL.search(text) or TOP.search(text)) or is_plural


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """Give the fields that a list in words names, each with what stands in brackets after it."""
    end = ENDS.search(text)
    hints: list[str] = []

    def put_away(match: re.Match[str]) -> str:
        hints.append(match[1])
        return f" \x00{len(hints) - 1}"

    plain = IN_BRACKETS.sub(put_away, text[: end.start()] if end else text)
    for part in AND.split(plain):
        said, _, hint = part.partition("\x00")
        name = LEADING.sub("", said.strip(" .:“”\"'`")).strip(" .:“”\"'`")
        if name and len(name.split()) <= LONGEST_FIELD:
            told = hints[int(hint)] if hint.strip().isdigit() else ""
            yield name, "boolean" if YES_OR_NO.match(said) else told


def _fields_after_noun(text: str, noun: str) -> dict[str, Any] | None:
    """Read “products with name and price”, “repositories: name, stars”, “stamps (country, year)”."""
    rest = _after_verb(text)
    for divider, closing in DIVIDERS:
        cut = divider.search(rest)
        if cut and len(rest[: cut.start()].split()) <= LONGEST_FIELD:
            named = rest[cut.end() :]
            if fields := list(_fields(named.partition(closing)[0] if closing else named)):
                before = text[: len(text) - len(rest) + cut.start()]
                return _wrapped(_object(fields), noun, is_list=_is_list(before, noun))
    return None


def _of_owner(rest: str) -> dict[str, Any] | None:
    """Read “the book's title and price”, “product names and prices”, “page title”."""
    owner, mark, owned = rest.replace("’", "'").partition("'s ")
    if mark and len(owner.split()) <= LONGEST_FIELD and (fields := list(_fields(owned))):
        return _object(fields)
    fields = list(_fields(rest))
    if not fields or not all(_is_known(name) for name, _ in fields):
        return None
    words = fields[0][0].split()
    plurals = [name.split()[-1] for name, _ in fields]
    if len(words) > 1 and all(singular(word) != word and _is_known(singular(word)) for word in plurals):
        names = [(singular(word), hint) for word, (_, hint) in zip(plurals, fields, strict=True)]
        return _wrapped(_object(names), f"{' '.join(words[:-1])}s", is_list=True)
    return _object(fields)


def _is_known(name: str) -> bool:
    return bool(senses_of(label(name)) or senses_of(label(singular(name))))


def _thing_of(noun: str) -> str | None:
    plain = fold(noun)
    words = plain.split()
    for end in (plain, " ".join(words[-2:]), " ".join(words[-1:])):
        for thing, names in THING_NAMES.items():
            if end in {fold(thing), *map(fold, names)}:
                return thing
    return None


def _of_thing(text: str, noun: str) -> dict[str, Any] | None:
    """Give the usual fields of a thing that is asked for by name alone; the first of them it must have."""
    thing, is_list = _thing_of(noun), _is_list(text, noun)
    if not noun or (thing is None and (not is_list or _names_values(noun))):
        return None
    names = THINGS[thing or "other"]
    if is_list and len(names) == 1:
        listed = {_key(noun): {"type": "array", "items": {"type": "string"}}}
        return {"type": "object", "properties": listed, "required": list(listed)}
    kinds = {name: _kind_of(name) for name in names}
    fields = {"type": "object", "properties": kinds, "required": names[:1] if is_list else []}
    return _wrapped(fields, noun, is_list=is_list)


def _names_values(noun: str) -> bool:
    """Whether a noun names values of things rather than things: “product names”."""
    last = noun.rsplit(maxsplit=1)[-1]
    return singular(last) != last and "name" in senses_of(label(singular(last)))


def _kind_of(name: str) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "string"}} if name in LISTS else {"type": "string"}


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
