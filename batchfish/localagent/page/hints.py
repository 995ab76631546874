"""What a field holds: by the words that a goal says of it, by an example, else by its name."""

from __future__ import annotations

import re
from typing import Any

from batchfish.localagent.page.grammar import (
    COUNT_OF,
    COUNTING_WORDS,
    LIST_CONCEPTS,
    NUMBER_CONCEPTS,
    YEAR_WORDS,
    YES_OR_NO_STARTS,
)
from batchfish.localagent.page.words import label, senses_of

DATE = re.compile(r"\byyyy|\biso.?8601|\biso date|\bdate\b")
WHOLE = re.compile(r"\b(?:integer|int|whole number)\b")
NUMBER = re.compile(
    r"(?:^|[|,;:/(]\s*|\b(?:a|as|plain|just|only|decimal|numeric|the)\s+)number\b(?!\s+of)|\b(?:float|decimal|numeric|double)\b"
    r"|^numbers?\b"
)
YES_OR_NO = re.compile(r"\b(?:boolean|bool|true|false|yes/no|yes or no)\b")
LIST = re.compile(r"\b(?:list|array) of\b|\bstring\[\]|^(?:an? )?(?:list|array)$")
TEXT = re.compile(r"\b(?:string|str|text)\b")
PLAIN_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def of_type(kind: str, **more: str) -> dict[str, Any]:
    """Give the schema of a value of a type, which may always be null."""
    return {"type": kind, **more, "nullable": True}


def list_of(member: dict[str, Any]) -> dict[str, Any]:
    """Give the schema of a list of values, which may be null as a whole."""
    return {
        "type": "array",
        "items": {name: one for name, one in member.items() if name != "nullable"},
        "nullable": True,
    }


def kind_of(hint: str, *, is_quoted: bool = False) -> dict[str, Any] | None:
    """Give the schema of a value that a hint describes: `number`, `date`, `true/false`, or an example.

    None where it says nothing of that: “null if missing”, “…”.
    """
    words = hint.lower().strip(" <>`*")
    if LIST.search(words):
        return list_of(of_type("string"))
    if DATE.search(words) and "date-time" not in words:
        return of_type("string", format="date")
    if WHOLE.search(words):
        return of_type("integer")
    if NUMBER.search(words) or (not is_quoted and PLAIN_NUMBER.fullmatch(words)):
        return of_type("number")
    if YES_OR_NO.search(words):
        return of_type("boolean")
    if TEXT.search(words) or (is_quoted and re.search(r"\d", words)):
        return of_type("string")
    return None


def kind_by_name(name: str) -> dict[str, Any]:
    """Say what a field holds by its name: a number for prices, counts and years, else a text."""
    words, senses = label(name).phrase.split(), senses_of(label(name))
    if not words:
        return of_type("string")
    if COUNT_OF.match(name.replace("_", " ")) or words[-1] in COUNTING_WORDS:
        return of_type("integer")
    if not YEAR_WORDS.isdisjoint((words[0], words[-1])) and "per" not in words:
        return of_type("integer")
    if senses & NUMBER_CONCEPTS:
        return of_type("number")
    if senses & LIST_CONCEPTS:
        return list_of(of_type("string"))
    return of_type("boolean" if len(words) > 1 and words[0] in YES_OR_NO_STARTS else "string")
