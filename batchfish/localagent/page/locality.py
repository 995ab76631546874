"""The line of an address that names a place: a postal code with its city, state, country."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchfish.localagent.page.postal_words import (
    AFTER_STATE,
    COUNTIES,
    COUNTRIES,
    DISTINCT,
    PLAIN,
    SIGN,
    SMALL,
    STATE,
)
from batchfish.localagent.page.units import unit_of
from batchfish.localagent.page.vocabulary import CURRENCIES

if TYPE_CHECKING:
    from collections.abc import Sequence

CODE_FIRST = re.compile(rf"(?P<sign>{SIGN})?(?P<code>{DISTINCT}|{PLAIN})[,.]?\s+(?:[-–]\s+)?(?P<city>\D.*)")
CODE_LAST = re.compile(rf"(?:(?P<city>\D.*?(?<=\w)(?:\s\d\d?)?)[,.]?\s+)?(?P<code>{DISTINCT})")
STATE_LAST = re.compile(
    rf"(?:(?P<city>[^\W\d_].*?)[,.]?\s+)?\(?(?P<state>{STATE})\)?[,.]?\s+(?P<code>{AFTER_STATE})"
)
CODE_ALONE = re.compile(rf"(?P<sign>{SIGN})?(?P<code>{DISTINCT}|{PLAIN})")
PROVINCE = re.compile(r"(.+?)\s(?:\(([A-Z]{2})\)|([A-Z]{2}))")
"""A city in Italy with the two letters of its province behind it."""
DELIVERY = re.compile(r"(?:\s(?:CEDEX|Cedex)(?:\s\d{1,2})?|\s\d{1,2}(?:er|e|ème)?|\s[A-ZØ])$")
CAPITAL = re.compile(r"(?:['’(]?s[-\s])?['’(]?(?:[ldLD]['’])?[^\W\d_]")
NOT_IN_CITY = re.compile(r"[:;@€$£%!?=+*\d\"„“]|\.\s\w{3}|\.$")
YEAR_LIKE = re.compile(r"(?:1[89]|20)\d\d")
LONGEST_CITY, MOST_WORDS = 40, 5
NAMES_OF_COUNTIES = re.compile(r"(?:Co\.?|County)\s[A-Z]\w+|\w+shire")


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A part of a line between commas, and the number of the line that it stands in."""

    text: str
    line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Locality:
    """A postal code with its city; `first` and `last` are the segments that say so.

    `is_distinct`: nothing but a postal code is written like this one. `is_year_like`: so are years.
    """

    code: str
    city: str
    first: int
    last: int
    region: str = ""
    country: str = ""
    is_distinct: bool = False
    is_year_like: bool = False


def find_locality(segments: Sequence[Segment], place: int) -> Locality | None:
    """Read the postal code and the city that a segment holds, the city perhaps in the one beside it."""
    text = segments[place].text
    first = last = place
    region = ""
    if found := STATE_LAST.fullmatch(text):
        city, region, is_distinct = found["city"] or "", found["state"], True
    elif (found := CODE_FIRST.fullmatch(text)) and is_city(found["city"]):
        city, is_distinct = found["city"], _is_distinct(found)
    elif (found := CODE_LAST.fullmatch(text)) and (not found["city"] or is_city(found["city"])):
        city, is_distinct = found["city"] or "", True
    elif (found := CODE_ALONE.fullmatch(text)) and _is_beside(segments, place, place + 1):
        city, is_distinct, last = segments[place + 1].text, _is_distinct(found), place + 1
    else:
        return None
    if is_county(city):
        city, region = "", city
    if not city and first and is_county(segments[first - 1].text):
        first, region = first - 1, segments[first - 1].text
    if not city and first and is_city(segments[first - 1].text):
        first, city = first - 1, segments[first - 1].text
    if province := PROVINCE.fullmatch(city):
        city, region = province[1], province[2] or province[3]
    if not is_city(city):
        return None
    code = found["code"]
    country = ""
    if last + 1 < len(segments) and is_country(segments[last + 1].text):
        country, last = segments[last + 1].text, last + 1
    return Locality(
        code=code,
        city=city,
        first=first,
        last=last,
        region=region,
        country=country,
        is_distinct=is_distinct,
        is_year_like=not is_distinct and YEAR_LIKE.fullmatch(code) is not None,
    )


def _is_distinct(found: re.Match[str]) -> bool:
    return bool(found["sign"]) or re.fullmatch(DISTINCT, found["code"]) is not None


def _is_beside(segments: Sequence[Segment], place: int, other: int) -> bool:
    """Whether a city stands right behind a code, in the same line."""
    return (
        other < len(segments)
        and segments[other].line == segments[place].line
        and is_city(segments[other].text)
    )


def is_city(text: str) -> bool:
    """Whether a text may be the name of a city: some words that begin with capitals, and nothing else."""
    plain = DELIVERY.sub("", text)
    words = plain.split()
    if not 0 < len(words) <= MOST_WORDS or len(text) > LONGEST_CITY or NOT_IN_CITY.search(plain):
        return False
    if is_country(plain) or plain.upper() in CURRENCIES or unit_of(words[0].casefold()):
        return False
    return all(_is_named(word) for word in words) and _is_named(words[0], first=True)


def _is_named(word: str, *, first: bool = False) -> bool:
    start = CAPITAL.match(word)
    is_capital = start is not None and any(letter.isupper() for letter in word[: start.end()])
    if first:
        return is_capital or word[:2].casefold() in {"'s", "’s", "s-"}
    return is_capital or not word[0].isalpha() or word.casefold().strip("().,") in SMALL


def is_county(text: str) -> bool:
    """Whether a text is the name of a county."""
    return text.casefold() in COUNTIES or NAMES_OF_COUNTIES.fullmatch(text) is not None


def is_country(text: str) -> bool:
    """Whether a text is the name of a country."""
    return text.strip(" .").casefold() in COUNTRIES
