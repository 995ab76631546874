"""A shape of JSON as people sketch it in a goal, `[{name, price: number}]`, as a schema."""

from __future__ import annotations

import re
from typing import Any

from batchfish.localagent.page.hints import kind_by_name, kind_of, list_of, of_type

TOKEN = re.compile(
    r"[^\S\n]*(?:(?P<mark>[{}\[\],:;\n])|\"(?P<double>[^\"\n]*)\"|'(?P<single>[^'\n]*)'"
    r"|(?P<bare>(?!//)(?:[^\s{}\[\],:;\"']|/(?!/))(?:[^{}\[\],:;\"'\n/]|/(?!/))*))"
)
REMARK = re.compile(r"(?<![:\w])//[^\n]*")
FIELD = re.compile(r"[A-Za-z_À-ÿ][\w À-ÿ-]{0,60}\??")
LIST_TYPE = re.compile(r"(?:Array|List|list)\s*[<\[(]\s*$")
DEEPEST = 8
SEPARATORS = frozenset({",", ";", "\n"})


class NoShape(Exception):
    """A text that begins like a shape of JSON and goes on as something else."""


def find_shape(text: str) -> tuple[dict[str, Any], str] | None:
    """Find the first shape in a text: its schema, an array or an object, and the rest of the text."""
    plain = REMARK.sub("", text)
    for begin in re.finditer(r"[\[{]", plain):
        tokens = _Tokens(plain, begin.start())
        try:
            found = tokens.value("", DEEPEST)
        except NoShape:
            continue
        if found.get("properties") or found.get("items", {}).get("properties"):
            before = plain[: begin.start()]
            is_list = found["type"] == "object" and LIST_TYPE.search(before)
            return list_of(found) if is_list else found, f"{before} {plain[tokens.place :]}"
    return None


class _Tokens:
    """The parts of a text from a place on, read one after the other."""

    def __init__(self, text: str, place: int) -> None:
        self._text = text
        self.place = place

    def _next(self) -> tuple[str, str]:
        match = TOKEN.match(self._text, self.place)
        if match is None:
            return "", ""
        self.place = match.end()
        kind = match.lastgroup or ""
        return kind, match[kind].strip(" ") if kind != "mark" else match[kind]

    def _takes(self, *marks: str) -> bool:
        """Whether these marks follow; then they are gone by, and the lines that end before them."""
        place = self.place
        for mark in marks:
            while (token := self._next()) == ("mark", "\n"):
                pass
            if token != ("mark", mark):
                self.place = place
                return False
        return True

    def value(self, name: str, depth: int) -> dict[str, Any]:
        """Read a value: an object, an array, a hint or an example; `name` is the field that holds it."""
        if not depth:
            raise NoShape
        while (token := self._next()) == ("mark", "\n"):
            pass
        match token:
            case "mark", "{":
                found = self._object(depth)
            case "mark", "[":
                found = self._array(name, depth)
            case "mark" | "", _:
                raise NoShape
            case kind, text:
                found = kind_of(text, is_quoted=kind != "bare") or kind_by_name(name)
        return list_of(found) if self._takes("[", "]") else found

    def _array(self, name: str, depth: int) -> dict[str, Any]:
        if self._takes("]"):
            return list_of(of_type("string"))
        items = self.value(name, depth - 1)
        while (token := self._next()) != ("mark", "]"):
            if token[0] == "" or (token[0] == "mark" and token[1] in "}:"):
                raise NoShape
        return list_of(items)

    def _object(self, depth: int) -> dict[str, Any]:
        properties: dict[str, Any] = {}
        while (token := self._next()) != ("mark", "}"):
            match token:
                case "mark", mark if mark in SEPARATORS:
                    continue
                case (("double" | "single" | "bare"), said) if said.strip(". …") == "":
                    continue  # “…” says that there is more like it
                case (("double" | "single" | "bare"), said) if FIELD.fullmatch(said):
                    name = said.removesuffix("?")
                    if self._takes(":"):
                        properties[name] = self.value(name, depth - 1)
                    else:
                        properties[name] = kind_by_name(name)
                case _:
                    raise NoShape
        return {"type": "object", "properties": properties, "required": list(properties)}
