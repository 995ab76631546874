"""A shape of JSON as people sketch it in a goal, `[{name, price: number}]`, as a schema."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = re.compile(
    r"\s*(?:(?P<mark>[{}\[\],:])|\"(?P<double>[^\"\n]*)\"|'(?P<single>[^'\n]*)'|(?P<bare>[^\s{}\[\],:\"'][^{}\[\],:\"'\n]*))"
)
FIELD = re.compile(r"[A-Za-z_À-ÿ][\w À-ÿ-]{0,60}")
DEEPEST = 8


class NoShape(Exception):
    """A text that begins like a shape of JSON and goes on as something else."""


def find_shape(text: str) -> dict[str, Any] | None:
    """Find the first shape in a text as a schema, an array or an object; None where there is none."""
    for begin in re.finditer(r"[\[{]", text):
        tokens = _tokens(text[begin.start() :])
        try:
            found = _value(tokens, next(tokens, ("", "")), DEEPEST)
        except NoShape:
            continue
        if found.get("properties") or found.get("items", {}).get("properties"):
            return found
    return None


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    place = 0
    while match := TOKEN.match(text, place):
        kind = match.lastgroup or ""
        yield ("mark" if kind == "mark" else kind), match[kind].strip()
        place = match.end()


def _value(tokens: Iterator[tuple[str, str]], token: tuple[str, str], depth: int) -> dict[str, Any]:
    if not depth:
        raise NoShape
    match token:
        case "mark", "{":
            return _object(tokens, depth)
        case "mark", "[":
            return _array(tokens, depth)
        case "mark" | "", _:
            raise NoShape
        case kind, text:
            return hinted(text, is_quoted=kind != "bare")


def _array(tokens: Iterator[tuple[str, str]], depth: int) -> dict[str, Any]:
    first = next(tokens, ("", ""))
    if first == ("mark", "]"):
        return {"type": "array", "items": {"type": "string"}}
    items = _value(tokens, first, depth - 1)
    for token in tokens:
        if token == ("mark", "]"):
            return {"type": "array", "items": items}
        if token[0] == "mark" and token[1] in "}:":
            break
    raise NoShape


def _object(tokens: Iterator[tuple[str, str]], depth: int) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for token in tokens:
        match token:
            case "mark", "}":
                return {"type": "object", "properties": properties, "required": list(properties)}
            case "mark", ",":
                continue
            case (("double" | "single" | "bare"), name) if name.strip(". …") == "":
                continue  # “…” says that there is more like it
            case (("double" | "single" | "bare"), name) if FIELD.fullmatch(name):
                following = next(tokens, ("", ""))
                if following == ("mark", ":"):
                    properties[name] = _value(tokens, next(tokens, ("", "")), depth - 1)
                else:
                    properties[name] = hinted("")
                    if following == ("mark", "}"):
                        return {"type": "object", "properties": properties, "required": list(properties)}
                    if following != ("mark", ","):
                        break
            case _:
                break
    raise NoShape


def hinted(hint: str, *, is_quoted: bool = False) -> dict[str, Any]:
    """Give the schema of a value that a hint describes: `number`, `date`, `true/false`, or an example."""
    words = hint.lower()
    if re.search(r"\byyyy|\biso.?8601|\biso date|\bdate\b", words) and "date-time" not in words:
        return {"type": "string", "format": "date", "nullable": True}
    if re.search(r"\b(?:integer|int|whole number)\b", words):
        return {"type": "integer", "nullable": True}
    if re.search(r"\b(?:number|float|decimal|numeric|double)\b", words) or (
        not is_quoted and re.fullmatch(r"\d+(?:\.\d+)?", words)
    ):
        return {"type": "number", "nullable": True}
    if re.search(r"\b(?:boolean|bool|true|false|yes/no)\b", words):
        return {"type": "boolean", "nullable": True}
    if re.search(r"\b(?:list|array) of\b|\bstring\[\]", words):
        return {"type": "array", "items": {"type": "string"}, "nullable": True}
    return {"type": "string", "nullable": True}
