"""A text as a value of the kind a field wants, or nothing: a value that has to be guessed is not taken."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from batchfish.localagent.page.dates import find_dates
from batchfish.localagent.page.money import EMAIL, PHONE, currency_of, find_money, read_amount
from batchfish.localagent.page.numbers import parse_number
from batchfish.localagent.page.plan import Kind
from batchfish.localagent.page.ratings import read_rating
from batchfish.localagent.page.tree import one_line
from batchfish.localagent.page.units import convert, measures_same, unit_of
from batchfish.localagent.page.vocabulary import ABSENT, NO, STOCK, YES
from batchfish.localagent.page.words import fold

if TYPE_CHECKING:
    from batchfish.localagent.page.model import Fact
    from batchfish.localagent.page.numbers import Locale
    from batchfish.localagent.page.plan import Wanted

NUMBER = re.compile(
    r"(?P<sign>(?<!\d)[-−–+])?(?P<digits>\d[\d.,'’\u202f\xa0\u2009 ]*\d|\d)"
    r"(?:\s*[×x*]\s*10\s*\^?\s*(?P<power>[-−]?\d+))?"
    r"\s*(?P<scale>(?:million(?:en|s)?|billion|thousand|mio|mrd|milliard(?:en|s)?|tsd|(?-i:(?<=\d)k))\b\.?)?"
    r"\s*(?P<unit>°\s?[CFK]\b|[%‰℃℉]|[^\W\d_]+(?:/[a-z]+|[²2](?!\d))?)?",
    re.IGNORECASE,
)
SCALES = (
    ("thousand", 1e3), ("tsd", 1e3), ("milliard", 1e9), ("billion", 1e9), ("mrd", 1e9), ("mi", 1e6), ("k",
    1e3),
)  # fmt: skip
LEADING_WORDS = 2
LARGEST_EXACT = 2**53
BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
HEDGES = re.compile(
    r"^(?:approx(?:imately)?\.?|about|around|circa|ca?\.|etwa|rund|env(?:iron|\.)|~|≈)\s*", re.IGNORECASE
)
BARE_AMOUNT = re.compile(r"\D{0,3}(\d[\d.,'’\u202f\xa0\u2009 ]*)\D{0,3}")
YEAR = re.compile(r"(?<!\d)(1\d{3}|20\d{2}|[1-9]\d{2})(?!\d)")
CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::\d\d)?")
ISO_DURATION = re.compile(r"P(?:\d+[YMWD])*(?:T(?:\d+[HMS])+)?")
BYLINE = re.compile(
    r"^(?:(?:written |posted |words |story )?by|von|par|por|di|door|av|af|autor|author)\b:?\s+(?=\S)",
    re.IGNORECASE,
)
AFTER_BYLINE = re.compile(
    r"\s*(?:[,|·•–—]|\s-\s|\b(?:on|am|le|el|il|em|op|posted|published|updated|publié|veröffentlicht)\b)(?=.*\d).*$",
    re.IGNORECASE,
)
LABEL_BEFORE = re.compile(r"^[^\W\d_][^:\n]{0,40}:\s+(?=\S)")
LONGEST_TEXT = 20_000
LONGEST_NAME = 80
WORDS_OF_YEARS = frozenset(
    {"year", "jahr", "anne", "ano", "anno", "jahrgang", "annata", "millesime", "vintage"}
)
YEARS = frozenset({"first published", "published", "founded", "discovered in"})
LINKS = frozenset({"website"})


def coerce(fact: Fact, wanted: Wanted, locale: Locale) -> str | float | bool | None:
    """Give a fact's value as the field wants it; None where the text is no such value."""
    text = fact.text.strip()
    if text.casefold() in ABSENT and not fact.exact:
        return None
    match wanted.kind:
        case Kind.TEXT:
            return _text(fact, wanted, locale)
        case Kind.BOOLEAN:
            return _boolean(fact, wanted)
        case Kind.NUMBER | Kind.INTEGER:
            return _bounded(_number(fact, wanted, locale), wanted)
        case Kind.DATE | Kind.DATE_TIME:
            return _date(fact, wanted, locale)
        case Kind.TIME:
            found = CLOCK.fullmatch(text)
            return f"{int(found[1]):02}:{found[2]}:00" if found else None
        case Kind.DURATION:
            return _duration(fact, locale)
    return None


def _text(fact: Fact, wanted: Wanted, locale: Locale) -> str | None:
    text = one_line(fact.text)[:LONGEST_TEXT].strip()
    senses = wanted.senses
    if wanted.choices:
        return next((choice for choice in wanted.choices if fold(choice) == fold(text)), None)
    if "email" in senses:
        found = set(EMAIL.findall(text))
        return found.pop() if len(found) == 1 else None
    if senses & {"phone", "fax"}:
        numbers = PHONE.findall(text)
        return numbers[0].strip() if len(numbers) == 1 else None
    if "currency" in senses:
        return _currency(text, locale)
    if wants_link(wanted):
        return fact.link or (text if urlsplit(text).scheme in {"http", "https"} else None)
    if wants_person(wanted):
        text = (
            AFTER_BYLINE.sub("", BYLINE.sub("", text)).strip(" ,") if len(text) < LONGEST_NAME * 2 else text
        )
        return text if re.search(r"[^\W\d_]{2}", text) else None
    return text or None


def wants_link(wanted: Wanted) -> bool:
    """Whether a field holds an address of the web."""
    return bool(wanted.senses & {"website", "image"}) or bool(
        {"url", "link", "href", "uri"} & set(wanted.label.phrase.split())
    )


def wants_person(wanted: Wanted) -> bool:
    """Whether a field holds who made or found something."""
    return "author" in wanted.senses or "by" in wanted.label.phrase.split()


def wants_year(wanted: Wanted) -> bool:
    """Whether a whole number is the year of something."""
    return bool(set(wanted.spelled.phrase.split()) & WORDS_OF_YEARS) or bool(wanted.senses & YEARS)


def _currency(text: str, locale: Locale) -> str | None:
    signs = {money.sign for money in find_money(text)} or {text}
    return currency_of(signs.pop(), locale) if len(signs) == 1 else None


def _boolean(fact: Fact, wanted: Wanted) -> bool | None:
    text = one_line(fact.text).casefold()
    if "availability" in wanted.senses:
        exact = (fact.exact or fact.link or "").rsplit("/", 1)[-1].casefold()
        for said in filter(None, (exact, text)):
            if (answer := read_stock(said)) is not None:
                return answer
    first = re.match(r"\W*(\w+)|[✓✔✅✗✘❌]", text)
    word = (first[1] or first[0]) if first else ""
    if word in YES or word in NO:
        return word in YES
    return None


def read_stock(text: str) -> bool | None:
    """Whether a text says that something can be had; None where it says nothing of it."""
    for phrase, answer in STOCK:
        if phrase in text and re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text):
            return answer
    return None


def _bounded(value: float | None, wanted: Wanted) -> float | None:
    if value is None or (wanted.least is not None and value < wanted.least):
        return None
    return None if wanted.most is not None and value > wanted.most else value


def _number(fact: Fact, wanted: Wanted, locale: Locale) -> float | int | None:
    if wanted.senses & {"price", "old price"}:
        return _price(fact, wanted, locale)
    if fact.exact is not None and (exact := _plain_number(fact.exact)) is not None:
        return _shaped(exact, wanted)
    text = HEDGES.sub("", one_line(fact.text))
    if "rating" in wanted.senses and (rating := read_rating(text)) is not None:
        return _shaped(rating, wanted)
    if wants_year(wanted) and (year := _year(text, fact.exact)) is not None:
        return year
    if wanted.unit and (seconds := _iso_seconds(fact.exact or text)) is not None:
        amount = convert(seconds, "seconds", wanted.unit)
        return None if amount is None else _shaped(round(amount, 6), wanted)
    text = BRACKETED.sub(" ", text).strip() or text.strip("()[] ")
    return _amount(text, wanted, locale)


def _amount(text: str, wanted: Wanted, locale: Locale) -> float | int | None:
    """Read the one amount of a text, in the unit that is asked for."""
    found = list(NUMBER.finditer(text))
    units = [_unit(one, wanted.unit) for one in found]
    if wanted.unit and len(found) > 1 and all(units):
        if (total := _total(found, units, wanted, locale)) is not None:
            return total
        found = [one for one, unit in zip(found, units, strict=True) if unit == wanted.unit]
    elif found and len(text[: found[0].start()].split()) > LEADING_WORDS:
        return None
    if len(found) != 1:
        return None
    value = _digits(found[0], locale)
    if value is None:
        return None
    unit = units[0] if len(units) == 1 else _unit(found[0], wanted.unit)
    if wanted.unit and unit and unit != wanted.unit:
        converted = convert(value, unit, wanted.unit)
        return None if converted is None else _shaped(round(converted, 6), wanted)
    return _shaped(value, wanted)


def _total(
    found: list[re.Match[str]], units: list[str | None], wanted: Wanted, locale: Locale
) -> float | int | None:
    """Add up what is said in several units from large to small: `1 h 20 min`; None where it is said twice."""
    if convert(1, units[0] or "", "seconds") is None:
        return None
    sizes = [convert(1, unit or "", wanted.unit or "") for unit in units]
    if None in sizes or any(not later or later >= (size or 0) for size, later in pairwise(sizes)):
        return None
    values = [_digits(one, locale) for one in found]
    if None in values:
        return None
    return _shaped(
        round(sum((v or 0) * (size or 0) for v, size in zip(values, sizes, strict=True)), 6), wanted
    )


def _digits(match: re.Match[str], locale: Locale) -> float | None:
    value = parse_number(match["digits"], locale)
    if value is None:
        return None
    if match["power"]:
        value *= 10.0 ** int(match["power"].replace("−", "-"))
    if match["scale"]:
        value *= next(size for word, size in SCALES if match["scale"].lower().startswith(word))
    return -value if match["sign"] in {"-", "−"} else value


def _plain_number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[-+]?\d+(?:\.\d+)?", text.strip()) else None


def _shaped(value: float, wanted: Wanted) -> float | int | None:
    if wanted.kind is Kind.INTEGER:
        return int(value) if float(value).is_integer() else None
    return int(value) if float(value).is_integer() and abs(value) < LARGEST_EXACT else value


def _year(text: str, exact: str | None) -> int | None:
    years = set(YEAR.findall(exact or "")) or set(YEAR.findall(text))
    return int(years.pop()) if len(years) == 1 else None


def _price(fact: Fact, wanted: Wanted, locale: Locale) -> float | int | None:
    if fact.exact is not None and (exact := _plain_number(fact.exact)) is not None:
        return _shaped(exact, wanted)
    text = one_line(fact.text)
    amounts = {money.number for money in find_money(text)}
    if not amounts and (bare := BARE_AMOUNT.fullmatch(text)):
        amounts = {bare[1].strip(" .,")}
    if len(amounts) != 1:
        return None
    value = read_amount(amounts.pop(), locale)
    return None if value is None else _shaped(value, wanted)


def _date(fact: Fact, wanted: Wanted, locale: Locale) -> str | None:
    for text in filter(None, (fact.exact, one_line(fact.text))):
        found = find_dates(text, locale)
        days = {moment.date() for moment in found}
        if len(days) == 1:
            return days.pop().isoformat() if wanted.kind is Kind.DATE else found[0].isoformat()
    return None


def _iso_seconds(text: str) -> float | None:
    if not text.startswith("P") or not ISO_DURATION.fullmatch(text) or text == "P":
        return None
    days, _, clock = text[1:].partition("T")
    parts = re.findall(r"(\d+)([YMWD])", days)
    if any(letter in "YM" for _, letter in parts):
        return None
    size = {"W": 604800, "D": 86400}
    seconds = sum(int(number) * size[letter] for number, letter in parts)
    return float(
        seconds
        + sum(
            int(n) * {"H": 3600, "M": 60, "S": 1}[letter] for n, letter in re.findall(r"(\d+)([HMS])", clock)
        )
    )


def _duration(fact: Fact, locale: Locale) -> str | None:
    for text in (fact.exact or "", fact.text.strip()):
        if text.startswith("P") and ISO_DURATION.fullmatch(text):
            return text
    seconds = 0.0
    for match in NUMBER.finditer(fact.text):
        value, unit = _digits(match, locale), _unit(match, "seconds")
        size = convert(1, unit, "seconds") if unit else None
        if size is None or value is None:
            return None
        seconds += value * size
    if not seconds:
        return None
    hours, rest = divmod(int(seconds), 3600)
    minutes, left = divmod(rest, 60)
    return "PT" + "".join(f"{n}{letter}" for n, letter in ((hours, "H"), (minutes, "M"), (left, "S")) if n)


def _unit(match: re.Match[str], wanted: str | None) -> str | None:
    """Give the unit of an amount; beside hours, an m is minutes."""
    unit = unit_of(match["unit"] or "")
    return "minutes" if unit == "m" and wanted and measures_same(wanted, "seconds") else unit
