"""Days, times of day and lengths of time as pages write them; names of months in the page's own language."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

import isodate

from batchfish.localagent.page.words import DATA, fold

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from batchfish.localagent.page.values.numbers import Locale

MONTH_FIRST = frozenset({"US", "PH"})
LONGEST, LAST_MONTH, PIVOT = 200, 12, 70
MACHINE = re.compile(
    r"(?<!\d)(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?(?:[.,]\d+)?\s*(Z"
    r"|[+-]\d\d:?\d\d)?)?(?![\d-])"
)
CLOCK = re.compile(
    r"(?i)(?<![\d:.])([01]?\d|2[0-3])(?:[:.h]([0-5]\d)(?::([0-5]\d))?\s*([ap]\.?m\b)?|\s*([ap]\.?m\b))"
)
IN_DIGITS = re.compile(r"(?<![\d.,])(\d{1,2})\s?([./-])\s?(\d{1,2})\s?\2\s?(\d{4}|\d\d)(?![\d%])")
_ORDINAL = r"(?:st|nd|rd|th|er|º|°)?\.?"
_RANGE = rf"(?:\s?[-–]\s?\d{{1,2}}{_ORDINAL})?"
DAY_MONTH = re.compile(
    rf"(?<!\d)(\d{{1,2}}){_ORDINAL}{_RANGE}[\s-]+(?:of\s|de\s|d’"
    rf"|d')?([^\W\d_]{{3,}})\.?,?(?:\s+de[l]?)?[\s,-]+"
    r"(\d{4}|[’']\d\d)(?!\d)"
)
MONTH_DAY = re.compile(rf"([^\W\d_]{{3,}})\.?\s+(\d{{1,2}}){_ORDINAL}{_RANGE},?\s+(\d{{4}})(?!\d)")
ISO = re.compile(r"P(?=.)(?:\d+(?:\.\d+)?[YMWD])*(?:T(?:\d+(?:\.\d+)?[HMS])+)?")
PART = re.compile(
    r"(?i)(\d+(?:[.,]\d+)?|an?\b|half an)\s*-?\s*(weeks?|days?|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?"
    r"|s|stunden?|minuten|heures?|horas?)(?![^\W\d_])\.?"
)
SPAN = re.compile(r"^\s*(?:-|–|to)\s*\d|\d\s*(?:-|–|to)\s*$")
SECONDS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
FEW = {"half an": 0.5, "a": 1.0, "an": 1.0}


def find_dates(text: str, locale: Locale) -> list[datetime]:
    """Return the days that a text names, each once; one that may be another in another country is none."""
    return list(dict.fromkeys(_find(text[:LONGEST], locale))) if any(map(str.isdigit, text[:LONGEST])) else []


def without_dates(text: str, locale: Locale) -> str:
    """Return a text with the days that it names taken out, so that other numbers are left."""
    names = month_names(locale.tongue)
    rest = IN_DIGITS.sub(" ", MACHINE.sub(" ", text))
    rest = DAY_MONTH.sub(lambda found: " " if fold(found[2]) in names else found[0], rest)
    return MONTH_DAY.sub(lambda found: " " if fold(found[1]) in names else found[0], rest)


def find_clocks(text: str) -> list[time]:
    """Return the times of day that a text names: `19:30`, `7.30 pm`, `7pm`."""
    found = []
    for match in CLOCK.finditer(text):
        half, hour = (match[4] or match[5] or "").lower(), int(match[1])
        hour = hour % 12 + (12 if half.startswith("p") else 0) if half else hour
        found.append(time(hour, int(match[2] or 0), int(match[3] or 0)))
    return found


def _find(text: str, locale: Locale) -> Iterator[datetime]:
    for match in MACHINE.finditer(text):
        try:
            yield datetime.fromisoformat(match[0].strip())
        except ValueError:
            continue
    rest = MACHINE.sub(" ", text)
    clock = next(iter(find_clocks(IN_DIGITS.sub(" ", rest))), time())
    for match in IN_DIGITS.finditer(rest):
        day_first = _is_day_first(int(match[1]), int(match[3]), match[2], locale)
        if day_first is not None:
            day, month = (match[1], match[3]) if day_first else (match[3], match[1])
            yield from _moment(match[4], int(month), day, clock)
    names = month_names(locale.tongue)
    for pattern, day_at, month_at in ((DAY_MONTH, 1, 2), (MONTH_DAY, 2, 1)):
        for match in pattern.finditer(rest):
            if named := names.get(fold(match[month_at])):
                yield from _moment(match[3].lstrip("’'"), named, match[day_at], clock)


def _is_day_first(first: int, second: int, separator: str, locale: Locale) -> bool | None:
    """Whether `first` is the day; None where either may be: English is written both ways."""
    if max(first, second) > LAST_MONTH or first == second:
        return first > LAST_MONTH or first == second
    if separator == "." or locale.tongue not in {"", "en"}:
        return True
    return None if not locale.region else locale.region not in MONTH_FIRST


def _moment(digits: str, month: int, day: str, clock: time) -> Iterator[datetime]:
    year = int(digits) + (0 if len(digits) > 2 else 1900 if int(digits) >= PIVOT else 2000)
    try:
        yield datetime.combine(date(year, month, int(day)), clock)
    except ValueError:
        return


@cache
def month_names(tongue: str) -> Mapping[str, int]:
    """Return the numbers of the months by their names in English and in a page's language, folded."""
    names: dict[str, int] = {}
    for language in dict.fromkeys([tongue if tongue.isalpha() else "en", "en"]):
        try:
            info = import_module(f"dateparser.data.date_translation_data.{language}").info
        except ImportError:
            continue
        for number, month in enumerate(DATA["months"].split(), start=1):
            names = {fold(name): number for name in (month, *info[month])} | names
    return names


def find_duration(text: str) -> timedelta | None:
    """Return the length of time that a text is: `PT1H20M`, `1 hr 20 min`; else None."""
    plain = text.strip()
    if ISO.fullmatch(plain):
        try:
            found = isodate.parse_duration(plain, as_timedelta_if_possible=True)
        except isodate.ISO8601Error:
            return None
        return found if isinstance(found, timedelta) else None
    if parts := list(PART.finditer(plain)):
        if SPAN.search(plain[parts[0].end() :]) or SPAN.search(plain[: parts[0].start()]):
            return None
        amounts = (FEW.get(one[1].lower()) or float(one[1].replace(",", ".")) for one in parts)
        units = ("h" if one[2].lower().startswith("st") else one[2][0].lower() for one in parts)
        pairs = zip(amounts, units, strict=True)
        return timedelta(seconds=sum(amount * SECONDS[unit] for amount, unit in pairs))
    return None
