"""Days and times as pages write them: in digits, with names of months in many languages, for machines."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from functools import cache, lru_cache
from importlib import import_module
from typing import TYPE_CHECKING

from batchfish.localagent.page.words import fold

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from batchfish.localagent.page.numbers import Locale

# fmt: off
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
)
TONGUES = (
    "en", "de", "fr", "es", "it", "pt", "nl", "sv", "da", "nb", "fi", "pl", "cs", "ro", "hu", "tr", "ru",
)
# fmt: on
"""Languages whose names of months are known besides that of the page."""
MONTH_FIRST = frozenset({"US", "PH"})
LONGEST = 200
LONGEST_GUESSED = 60
LAST_MONTH, LAST_DAY = 12, 31
PIVOT = 70
MACHINE = re.compile(
    r"(?<!\d)(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?(?:[.,]\d+)?"
    r"\s*(Z|[+-]\d\d:?\d\d)?)?(?![\d-])"
)
CLOCK = re.compile(r"(?<![\d:.])([01]?\d|2[0-3])[:.h]([0-5]\d)(?::([0-5]\d))?\s*([ap]\.?m\b)?", re.IGNORECASE)
YEAR_FIRST = re.compile(r"(?<!\d)(\d{4})\s?[./年년-]\s?(\d{1,2})\s?[./月월-]\s?(\d{1,2})(?!\d)")
IN_DIGITS = re.compile(r"(?<![\d.,])(\d{1,2})\s?([./-])\s?(\d{1,2})\s?\2\s?(\d{4}|\d\d)(?![\d%])")
DAY_THEN_MONTH = re.compile(
    r"(?<!\d)(\d{1,2})(?:st|nd|rd|th|er|º|°)?\.?[\s-]+(?:of\s|de\s|d’|d')?([^\W\d_]{3,})\.?,?(?:\s+de[l]?)?[\s,-]+(\d{4}|’\d\d)"
)
IN_WORDS = re.compile(r"(?=.*[^\W\d_]{3})(?=.*(?<!\d)(?:1[5-9]|20)\d\d(?!\d))")
MONTH_THEN_DAY = re.compile(r"([^\W\d_]{3,})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})(?!\d)")


def find_dates(text: str, locale: Locale, *, is_guessed: bool = False) -> list[datetime]:
    """Find the days that a text names, each once; one that may be another in another country is none.

    `is_guessed`: a text in words that no rule fits may be put to a parser that knows more, and is slow.
    """
    found = list(dict.fromkeys(_find(text[:LONGEST], locale)))
    if not found and is_guessed and len(text) <= LONGEST_GUESSED and IN_WORDS.search(text):
        guess = _guess(text, locale.tongue)
        return [] if guess is None else [guess]
    return found


def _find(text: str, locale: Locale) -> Iterator[datetime]:
    for match in MACHINE.finditer(text):
        try:
            yield datetime.fromisoformat(match[0].strip())
        except ValueError:
            continue
    rest = MACHINE.sub(" ", text)
    clock = _clock(rest)
    for match in YEAR_FIRST.finditer(rest):
        yield from _moment(int(match[1]), int(match[2]), int(match[3]), clock)
    for match in IN_DIGITS.finditer(rest):
        yield from _in_digits(match, locale, clock)
    names = _months(locale.tongue)
    for match in DAY_THEN_MONTH.finditer(rest):
        if month := names.get(fold(match[2])):
            yield from _moment(_year(match[3].lstrip("’")), month, int(match[1]), clock)
    for match in MONTH_THEN_DAY.finditer(rest):
        if month := names.get(fold(match[1])):
            yield from _moment(int(match[3]), month, int(match[2]), clock)


def _clock(text: str) -> time:
    found = list(CLOCK.finditer(IN_DIGITS.sub(" ", text)))
    if len(found) != 1:
        return time()
    hour, minute, second, half = found[0].groups()
    hours = int(hour)
    if half:
        hours = hours % 12 + (12 if half.lower().startswith("p") else 0)
    return time(hours, int(minute), int(second or 0))


def _moment(year: int, month: int, day: int, clock: time) -> Iterator[datetime]:
    try:
        yield datetime.combine(date(year, month, day), clock)
    except ValueError:
        return


def _year(digits: str) -> int:
    year = int(digits)
    if len(digits) > 2:  # noqa: PLR2004 - "26" is short for a year of these times
        return year
    return year + (1900 if year >= PIVOT else 2000)


def _in_digits(match: re.Match[str], locale: Locale, clock: time) -> Iterator[datetime]:
    first, second, year = int(match[1]), int(match[3]), _year(match[4])
    day_first = is_day_first(first, second, match[2], locale)
    if day_first is not None:
        day, month = (first, second) if day_first else (second, first)
        yield from _moment(year, month, day, clock)


def is_day_first(first: int, second: int, separator: str, locale: Locale) -> bool | None:
    """Whether `first` is the day; None where either may be: English is written both ways."""
    if first > LAST_MONTH or first == second:
        return True
    if second > LAST_MONTH:
        return False
    if locale.is_day_first is not None:
        return locale.is_day_first
    if separator == "." or (locale.tongue and locale.tongue != "en"):
        return True
    return None if not locale.region else locale.region not in MONTH_FIRST


def day_first_of(texts: Sequence[str]) -> bool | None:
    """Say which of a column of dates comes first, where a number over twelve tells."""
    for text in texts:
        for match in IN_DIGITS.finditer(text[:LONGEST]):
            first, second = int(match[1]), int(match[3])
            if LAST_MONTH < max(first, second) <= LAST_DAY:
                return first > LAST_MONTH
    return None


@cache
def _months(tongue: str) -> Mapping[str, int]:
    names: dict[str, int] = {}
    for language in dict.fromkeys([*reversed(TONGUES), *([tongue] if tongue.isalpha() else [])]):
        try:
            info = import_module(f"dateparser.data.date_translation_data.{language}").info
        except ImportError:
            continue
        for number, month in enumerate(MONTHS, start=1):
            names.update((fold(name).strip("."), number) for name in info[month])
    return names


@lru_cache(maxsize=1024)
def _guess(text: str, tongue: str) -> datetime | None:
    """Have a day found that is written in a way of its own, in a language that is known."""
    import dateparser

    settings = {"REQUIRE_PARTS": ["day", "month", "year"], "PARSERS": ["absolute-time"]}
    try:
        found: datetime | None = dateparser.parse(text, languages=[tongue or "en"], settings=settings)
    except ValueError:  # a language that it does not know
        return None
    return found
