"""The fields that a goal names: in a sentence, in lines of a list, in a table; and what each one holds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchfish.localagent.page.grammar import (
    AND,
    AS_A,
    BULLET,
    FIELD_HEADS,
    HINT_HEADS,
    IN_MEASURE,
    ITEM,
    LEADING,
    LISTS_OF,
    MONEY_WORDS,
    ORDER,
    OWNED_BY,
    PARTICLES,
    ROW,
    STOPS,
    YES_OR_NO,
)
from batchfish.localagent.page.hints import kind_by_name, kind_of, list_of, of_type
from batchfish.localagent.page.named import MARKS, one_of_several
from batchfish.localagent.page.units import unit_in_name, unit_of
from batchfish.localagent.page.vocabulary import CURRENCIES

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST_FIELD = 6
MOST_FIELDS = 30
CAMEL_CASE = re.compile(r"[a-z][a-z0-9]*[A-Z]\w*")
IN_BRACKETS = re.compile(r"\(([^()]*)\)")

Field = tuple[str, dict[str, Any]]
"""The name of a field as a goal says it, and the schema of its values."""


def key(name: str) -> str:
    """Make a property name of words: one that is made already stays as it is."""
    return name if CAMEL_CASE.fullmatch(name) else "_".join(re.findall(r"\w+", name.lower()))


def object_of(fields: Iterable[Field]) -> dict[str, Any]:
    """Make the schema of an object of its fields; each must be there, though it may be null."""
    properties = {key(name): kind for name, kind in list(fields)[:MOST_FIELDS]}
    return {"type": "object", "properties": properties, "required": list(properties)}


def field(said: str, hint: str = "") -> Field | None:
    """Read one field as a goal names it, with what it says of it; None where that is no name."""
    kind = kind_of(hint) or (of_type("number") if _unit(hint) else None)
    if told := AS_A.search(said):
        kind = kind or kind_of(told["hint"])
        said = said[: told.start()] if kind else said
    name = said.strip(MARKS)
    if YES_OR_NO.match(name):
        kind = kind or of_type("boolean")
    elif lists := LISTS_OF.match(name):
        name, kind = name[lists.end() :], kind or list_of(of_type("string"))
    name = LEADING.sub("", name).strip(MARKS)
    if (measured := IN_MEASURE.fullmatch(name)) and (unit := _unit(measured["measure"])) is not None:
        name = f"{measured['what']} {unit}".strip()
        kind = kind or of_type("number")
    if not re.search(r"[^\W\d]", name) or len(name.split()) > LONGEST_FIELD:
        return None
    return name, kind or kind_by_name(name)


def _unit(measure: str) -> str | None:
    """Give the word for a unit as a property name ends on it, empty for one that needs none."""
    words = measure.lower().split()
    if measure.lower() in MONEY_WORDS:
        return ""
    if len(words) == 1 and measure.upper() in CURRENCIES:
        return words[0]
    if len(words) == 1 and (unit_in_name(words[0]) or unit_of(words[0])):
        return words[0].replace("²", "2").replace("³", "3")
    return None


def fields_in(text: str, *, of_several: bool = False, of_one: bool = False) -> list[Field]:
    """Give the fields that a list in words names, each with what stands in brackets after it.

    `of_several`: the things that have them are several, so “names” are a name of each. `of_one`: the last
    may say what has them all.
    """
    hints: list[str] = []

    def put_away(match: re.Match[str]) -> str:
        hints.append(match[1])
        return f" \x00{len(hints) - 1}"

    plain = IN_BRACKETS.sub(put_away, text)
    plain = PARTICLES.sub("", plain[: end.start()] if (end := STOPS.search(plain)) else plain)
    parts = AND.split(plain.strip(" ,;"))
    found = []
    for number, part in enumerate(parts):
        said, _, hint = part.partition("\x00")
        said = OWNED_BY.sub("", said) if of_one and number == len(parts) - 1 else said
        told = hints[int(hint)] if hint.strip().isdigit() else ""
        if said.strip():
            found.append((said.strip(), told))
    if of_several and all(one_of_several(said) != said for said, _ in found):
        found = [(one_of_several(said), told) for said, told in found]
    return [one for said, told in found if (one := field(said, told))]


def outlined(text: str) -> tuple[list[Field], str]:
    """Give the fields that lines of a list or a table name, and the text without those lines."""
    rows = [[cell.strip(MARKS) for cell in match[1].split("|")] for match in ROW.finditer(text)]
    if fields := _tabled(rows):
        return fields, ROW.sub("", text)
    found: list[Field] = []

    def take(match: re.Match[str]) -> str:
        if (order := ORDER.match(match["name"].strip(MARKS))) and _is_order(order, match):
            return match[0]
        hint = (match["hint"] or "").strip(" :()-–—")
        if one := field(match["name"], hint):
            found.append(one)
            return ""
        return match[0]

    rest = BULLET.sub(take, text)
    return (found, ITEM.sub("", rest)) if found else ([], ITEM.sub("", text))


def _is_order(order: re.Match[str], line: re.Match[str]) -> bool:
    """Whether a line of a list tells what to do: “Click on Login”, not “open positions”."""
    rest = line["name"].strip(MARKS)[order.end() :]
    return bool(rest) and (
        order["read"] is not None or order["act"] is not None or rest.split()[0] in {"the", "a", "on", "in"}
    )


def _tabled(rows: list[list[str]]) -> list[Field]:
    """Read a table: its head names the fields, or its first column does where the head says so."""
    lines = [row for row in rows if not all(re.fullmatch(r":?-*:?", cell) for cell in row)]
    if not lines:
        return []
    head = [cell.lower() for cell in lines[0]]
    if head[0] in FIELD_HEADS or not HINT_HEADS.isdisjoint(head[1:]):
        return [one for row in lines[1:] if (one := field(row[0], ", ".join(row[1:])))]
    return [one for cell in lines[0] if (one := field(cell))] if len(head) > 1 else []
