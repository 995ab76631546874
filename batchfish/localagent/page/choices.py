"""Choices among the records of a list that a goal asks for: filters and orders, none of which is carried out.

A list that was read without them would pass for the one that was asked for, so such a goal is refused. Only
what clearly restricts or orders the records counts: “the lowest price” is a field, “the top 5” are the first.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, Any

from batchfish.localagent.page.grammar import (
    COLON,
    DETERMINERS,
    NUMBERS,
    TOP,
    VERB,
    WITH,
    compiled,
    one_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

QUOTED = re.compile(r"“[^”]*”|\"[^\"]*\"|«[^»]*»|„[^“”]*[“”]|(?<!\w)'[^']*'(?!\w)|`[^`]*`")
"""Names, terms to search for, keys of a sketch: what is quoted is not what is asked."""
SKETCH = re.compile(r"\{[^{}]*\}")
CONDITION = compiled(rf"\b(?<!only\s){one_of('conditions')}\b[^,.;\n]*")

_DIGITS = r"(?<![\d.,])\d[\d.,]{0,14}(?<![.,])k?"
_SIGN = r"(?:r?[$€£¥]|(?:usd|eur|gbp|chf)\b)"
_AMOUNT = rf"(?:{_SIGN}\s?{_DIGITS}|{_DIGITS}\s?(?:[$€£¥%]|{one_of('amounts')}\b))"
_COUNT = rf"{_DIGITS}\s+{one_of('counted')}\b"
_ALONE = rf"{_DIGITS}(?=\s*(?:$|[.,;:\n]|(?:{one_of('with')}|{one_of('and')})\s))"
"""A number that nothing is counted with: “under 50” chooses, “under 50 words” describes."""
_COMPARED = rf"(?<!number ){one_of('compare')}\s+(?:{one_of('determiners')}\s+)?"
_BOUND = rf"{one_of('limits')}\s+"
_LOWER = rf"(?:{_SIGN}?\s?{_DIGITS}\s+\w+\s+)?"
_STATE = rf"{one_of('states')}\b(?!\s+(?:{one_of('state_fields')}|{one_of('at_present')})\b)"
_ONLY = rf"{one_of('only')}\s+(?:(?:{one_of('determiners')}|those|ones|return|show|include|list)\s+)*"
_RECENT = rf"{one_of('since')}\s+(?:the\s+(?:last|past)\s+)?\d+"
_SUPERLATIVE = rf"(?:{one_of('superlatives')}|{one_of('ordering_words')})"
_NUMBER = rf"(?:\d+|{'|'.join(NUMBERS)})"

ANYWHERE = tuple(
    compiled(pattern)
    for pattern in (
        rf"\b{_COMPARED}(?:{_AMOUNT}|{_COUNT}|{_ALONE})",
        rf"\b{_BOUND}{_LOWER}{_AMOUNT}",
        rf"\b{one_of('having')}\s+{_BOUND}{_COUNT}",
        rf"(?:{_AMOUNT}|{_COUNT}|\b{_DIGITS})\s+{one_of('or_more')}(?=\s*(?:$|[.,;:)\n])|\s+{one_of('with')}\s)",
        rf"\b{_DIGITS}\s?\+\s?{one_of('amounts')}\b",
        rf"(?<!number )(?<![-=<>])(?:[<>]=?|[≤≥])\s*(?:{_AMOUNT}|{_DIGITS})",
        rf"(?<!\bis )(?<!\bare )(?<!\balready )\b{one_of('sorting')}\s+(?!{one_of('as_it_stands')})\w+",
        rf"\b{one_of('filtering')}\s+\S+",
        rf"\b{_SUPERLATIVE}\s+(?:{one_of('values')}\s+)?first\b",
        r"\b(?:low(?:est)? to high(?:est)?|high(?:est)? to low(?:est)?)\b",
        rf"\b{_ONLY}(?:(?:\w+\s+)?{_STATE}|{one_of('open_states')}\b)",
        rf"\b{_STATE}(?:\s+\w+)?\s+{one_of('only')}\b",
        rf"\b{one_of('that_are')}\s+(?:(?:{one_of('determiners')}|currently)\s+)*{_STATE}",
        rf"\b{one_of('dated')}\s+{_RECENT}(?:\s+\w+)?",
    )
)
IN_HEAD = tuple(
    compiled(pattern)
    for pattern in (
        rf"^(?:{_NUMBER}\s+|{_ONLY})?{one_of('superlatives')}\b(?!.*\b{one_of('values')}$)",
        rf"\b{one_of('superlatives_after')}\b",
        rf"^(?!.*\b{one_of('quantities')}\b).*\b{_STATE}",
        rf"\b(?:{_NUMBER})(?:[.,]\d)?[- ]{one_of('star')}\s+(?!{one_of('star_fields')}\b)\w+",
    )
)
BEFORE_FIELDS = tuple(
    compiled(pattern)
    for pattern in (
        rf"\b{one_of('recent')}\s+(?:{_NUMBER}\s+)?{one_of('times')}\b",
        rf"\b(?:{_NUMBER}\s+)?{one_of('recent_after')}\b",
    )
)
"""What restricts the records by when they are from, wherever before the fields it stands."""
THE_ONE = compiled(rf"^(?:the\s+)?{one_of('superlatives')}\s+(?!{one_of('values')}\b)[^\W\d_]+(?!['’]s)\b")
"""Where one thing is wanted: the best of several, which are not compared here."""
HEAD_ENDS = compiled(rf"[.,;:(\n]|\s(?:of|for|from|{one_of('and')})\s")


def choice_in(goal: str, schema: Mapping[str, Any]) -> str | None:
    """Give the words by which a goal chooses among a list's records or orders them; None where it does not.

    `schema` is what is wanted; where it holds no list, only the best of several things can be meant.
    """
    text = CONDITION.sub("", SKETCH.sub(" ", QUOTED.sub(" ", goal)))
    before = _before_fields(text)
    head = before[: found.start()] if (found := HEAD_ENDS.search(before)) else before
    if not _wants_list(schema):
        found = THE_ONE.search(head)
        return found[0] if found else None
    tries = chain(
        (one.search(text) for one in ANYWHERE),
        (one.search(head) for one in IN_HEAD),
        (one.search(before) for one in BEFORE_FIELDS),
    )
    found = next(filter(None, tries), None)
    return " ".join(found[0].split()) if found else None


def _wants_list(schema: Mapping[str, Any]) -> bool:
    """Whether records are wanted: an array of objects, or nothing but an array."""
    properties: Mapping[str, Mapping[str, Any]] = schema.get("properties", {})
    arrays = [one for one in properties.values() if one.get("type") == "array"]
    return len(arrays) == len(properties) == 1 or any(
        (one.get("items") or {}).get("type") == "object" for one in arrays
    )


def _before_fields(text: str) -> str:
    """Give what is wanted, without its fields: “cheapest hats” of “List the cheapest hats with …”."""
    verb = VERB.search(text)
    rest = DETERMINERS.sub("", TOP.sub("", DETERMINERS.sub("", text[verb.end() if verb else 0 :])).strip())
    cuts = [found.start() for pattern in (WITH, COLON) if (found := pattern.search(rest))]
    return rest[: min(cuts, default=len(rest))]
