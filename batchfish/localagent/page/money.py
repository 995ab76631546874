"""Amounts of money as pages write them: which part of a text is one, how much it is, in which currency."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from price_parser.parser import parse_number

from batchfish.localagent.page.vocabulary import CROWNS, CURRENCIES, DOLLARS, SYMBOLS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchfish.localagent.page.numbers import Locale

_SIGN = "|".join(re.escape(sign) for sign in sorted(SYMBOLS, key=len, reverse=True))
_CODE = rf"(?:{'|'.join(sorted(CURRENCIES))})"
_AMOUNT = r"(?:\d{1,3}(?:['’\u202f\xa0\u2009 ]\d{3}(?!\d))+(?:[.,]\d{1,2})?|\d[\d.,]*)(?:(?<=[.,])[-–—])?"
_LARGE = r"(?!\s?(?:[kKmMbB](?!\.\w)|bn|tsd|[Mm]io|[Mm]rd|[mM]illion\w*|[bB]illion\w*|[mM]illiard\w*)\b)"
MONEY = re.compile(
    rf"(?<![\w])(?P<before>{_SIGN}|\b{_CODE})\s?(?P<minus>[-−])?(?P<first>(?>{_AMOUNT})){_LARGE}"
    rf"|(?P<second>(?<![\w.,])(?>{_AMOUNT}))\s?(?P<after>{_SIGN}|{_CODE})(?![^\W\d_])"
    # A sign before another number belongs to that one, unless it has its own behind it.
    rf"(?!\s?(?>\d[\d.,]*)(?!\s?(?:{_SIGN})))"
)
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
PHONE = re.compile(r"[+(]?\d[\d\s()./–-]{4,}\d")
PHONE_LINE = re.compile(
    r"(?:(?:tel|phone|ph|fon|telefon|telefono|teléfono|téléphone|tél|call|t)\b\.?:?\s*)?([+(]?\d[\d\s()./–-]{6,}\d)",
    re.IGNORECASE,
)
DAY = re.compile(r"\d{4}-\d\d-\d\d(?!\d)")
FEWEST_DIGITS = 7
CENTS = re.compile(r"[.,]\d{1,2}$")
THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:([.,])\d{3})(?:\1\d{3})*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Money:
    """One amount of money: the text that says it, its number as written, its sign or code."""

    text: str
    number: str
    sign: str


def find_money(text: str) -> list[Money]:
    """Find the amounts of money in a text."""
    return list(_find(text)) if any(letter.isdigit() for letter in text) else []


def _find(text: str) -> Iterator[Money]:
    for match in MONEY.finditer(text):
        number = (match["first"] or match["second"]).rstrip(" ,.-–—’'\xa0\u202f\u2009")
        sign = match["before"] or match["after"]
        yield Money(text=match[0].strip(), number=(match["minus"] or "") + number, sign=sign)


def read_amount(number: str, locale: Locale) -> float | None:
    """Read the number of an amount: cents are two digits, `4,90` is a decimal comma wherever it stands."""
    plain = re.sub(r"[\s'’\u202f\xa0\u2009]", "", number.lstrip("-−"))
    if found := CENTS.search(plain):
        sign = found[0][0]
    elif THOUSANDS.fullmatch(plain):
        sign = "." if "," in plain else ","
    else:
        sign = "," if locale.writes_decimal_comma else "."
    value = parse_number(plain, decimal_separator=sign)
    if value is None:
        return None
    return -float(value) if number[:1] in {"-", "−"} else float(value)


def currency_of(sign: str, locale: Locale) -> str | None:
    """Give the ISO code of a sign; of a bare “$” or “kr” only where language or address tell whose it is."""
    plain = sign.strip()
    if plain.upper() in CURRENCIES:
        return plain.upper()
    host = (urlsplit(locale.url).hostname or "").rsplit(".", 1)[-1]
    match plain.rstrip("."):
        case "$":
            return DOLLARS.get(host.upper()) or DOLLARS.get(locale.region)
        case "kr" | "kronor" | "kroner":
            return CROWNS.get(host.upper()) or CROWNS.get(locale.region) or CROWNS.get(locale.tongue.upper())
    return SYMBOLS.get(plain) or None


def is_phone(line: str) -> bool:
    """Whether a line is a telephone number and nothing else, but for a word that says so."""
    found = None if DAY.match(line.strip()) else PHONE_LINE.fullmatch(line.strip())
    digits = "" if found is None else "".join(filter(str.isdigit, found[1]))
    return len(digits) >= FEWEST_DIGITS
