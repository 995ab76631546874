"""Streets with numbers as the countries write them, and names of organisations by their legal form."""

from __future__ import annotations

import re
from functools import lru_cache

from batchfish.localagent.page.locality import YEAR_LIKE, is_country
from batchfish.localagent.page.money import find_money
from batchfish.localagent.page.postal_words import BEFORE, BEHIND, BOX, ENDINGS, LEGAL_FORM, SMALL, UNITS

_MORE = r"(?:\s?[-–/+]\s?\d{1,5}\s?[a-zA-Z]?(?!\w))*(?:\s(?:bis|ter|quater)\b)?"
NUMBER = rf"\d{{1,5}}(?:\s?[a-zA-Z](?![\w.]))?{_MORE}"
_SIGN = r"(?:(?:n[.º°o]{1,2}|nr\.?|no\.|nº|num\.?)\s?)?"
NUMBER_LAST = re.compile(
    rf"(?P<name>[^\W\d_].*?),?\s+{_SIGN}(?P<number>{NUMBER})(?P<unit>\s\S.{{0,20}})?", re.IGNORECASE
)
NUMBER_FIRST = re.compile(rf"(?P<number>{NUMBER}),?\s+(?P<name>[^\W\d_].*)", re.IGNORECASE)
NUMBER_ALONE = re.compile(rf"{_SIGN}{NUMBER}|s/n", re.IGNORECASE)
ORDINAL = re.compile(r"\d+(?:st|nd|rd|th)$", re.IGNORECASE)
UNIT_FORM = re.compile(r"\d{1,3}\s?[ºª°.](?:\s?\w{1,4}\.?)?|[a-zA-Z]\d{0,3}|#?\s?\d{1,4}[a-zA-Z]?")
LONGEST_NUMBER = 4
LONGEST, MOST_WORDS = 60, 7
LONGEST_ORGANISATION = 90
NOT_IN_STREET = re.compile(r"[:;@€$£%!?=*\"„“]|\.\s\w+\s\w+\s\w+")
SURELY, LIKELY = 2, 1


@lru_cache(maxsize=4096)
def street_sureness(text: str) -> int:
    """Say how surely a text is a street: 2 where it says so with a number, 1 with one of both, 0 if not.

    A box at a post office is as good as a street.
    """
    if len(text) > LONGEST or NOT_IN_STREET.search(text) or is_country(text) or find_money(text):
        return 0
    if BOX.fullmatch(text):
        return SURELY
    for form in (NUMBER_LAST, NUMBER_FIRST):
        if found := form.fullmatch(text):
            unit = found["unit"] if form is NUMBER_LAST else None
            if unit and not is_unit(unit):
                continue
            named = _names_street(found["name"])
            if named:
                return SURELY
            if _may_name(found["name"]) and _may_number(found["number"]):
                return LIKELY
    return LIKELY if _names_street(text) and not any(map(str.isdigit, text)) else 0


def _names_street(name: str) -> bool:
    """Whether a name holds a word that streets are called by, where its language puts it."""
    words = name.casefold().replace(",", " ").split()
    if not 0 < len(words) <= MOST_WORDS:
        return False
    if words[0] in BEFORE and len(words) > 1:
        return True
    if not _may_name(name):
        return False
    last = words[-1].rstrip(".")
    return (last in BEHIND and len(words) > 1) or any(
        word.endswith(ENDINGS) or f"{word}." in ENDINGS for word in words if len(word) > LONGEST_NUMBER - 1
    )


def _may_name(name: str) -> bool:
    """Whether words may be the name of a street: all but the small ones begin with capitals."""
    words = re.split(r"[\s-]+", name.strip(" ,"))
    return (
        len(words) <= MOST_WORDS
        and all(
            word[:1].isupper()
            or word.casefold().strip(".,") in SMALL
            or ORDINAL.match(word) is not None
            or word[1:2] in {"'", "’"}
            for word in words
            if word
        )
        and not words[0].casefold().startswith(("tel", "fax"))
    )


def _may_number(number: str) -> bool:
    return len(re.match(r"\d*", number)[0]) <= LONGEST_NUMBER and not YEAR_LIKE.fullmatch(number)  # type: ignore[index]


def is_unit(text: str) -> bool:
    """Whether a text is the floor or the door behind a street: “2º A”, “Suite 200”."""
    words = text.casefold().split()
    is_named = not UNITS.isdisjoint(words) or UNIT_FORM.fullmatch(text.strip()) is not None
    return is_named and len(words) <= LONGEST_NUMBER


def is_organisation(text: str) -> bool:
    """Whether a text is the name of an organisation that says what it is by law."""
    return len(text) <= LONGEST_ORGANISATION and ":" not in text and LEGAL_FORM.fullmatch(text) is not None
