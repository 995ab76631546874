"""Numbers and amounts of money as people write them, the units behind them, the currencies of their signs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from price_parser.parser import parse_number as parse_amount

from batchfish.localagent.page.words import DATA, UNITS, fold, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SIGNS: Mapping[str, str] = DATA["currency_signs"]
COUNTRIES: Mapping[str, Mapping[str, str]] = {"DOLLAR": DATA["dollars"], "KRONE": DATA["crowns"]}
DECIMAL_COMMA, CURRENCIES = listed("decimal_comma"), listed("currencies")
SCALES = {"k": 1e3, "m": 1e6, "bn": 1e9, "b": 1e9, "million": 1e6, "billion": 1e9, "thousand": 1e3}
MEASURES = {
    one: (measure, factor) for measure, units in DATA["measures"].items() for one, factor in units.items()
}
SPACES = "'’\u202f\xa0\u2009 "
NUMBER = re.compile(
    r"(?<![\w.,])[-+−]?(?:\d{1,3}(?:['’\u202f\xa0\u2009 ]\d{3}(?!\d))+|\d+(?:[.,]\d+)*)(?:[.,]\d+)?"
)
SCALE = re.compile(r"(k|K)\b|\s?(M|bn|B|million|billion|thousand)(?![\w²³/])\.?")
UNIT = re.compile(r"\s*[-–]?\s*((?:sq(?:uare)?\.?\s?)?[a-zA-Zµμ°%²³]+(?:[²³]|\b)(?:/[a-zA-Z]+)?)")
_SIGN = "|".join(re.escape(sign) for sign in sorted(SIGNS, key=len, reverse=True))
_CODE = "|".join(sorted(CURRENCIES))
_AMOUNT = r"(?:\d{1,3}(?:['’\u202f\xa0\u2009 ]\d{3}(?!\d))+(?:[.,]\d{1,2})?|\d[\d.,]*)(?:(?<=[.,])[-–—])?"
MONEY = re.compile(
    rf"(?<![\w])(?P<before>{_SIGN}|\b(?:{_CODE}))\s?(?P<minus>[-−])?(?P<first>(?>{_AMOUNT}))"
    rf"(?P<large>\s?(?:[kKmM]|bn|million|billion)\b)?"
    rf"|(?P<second>(?<![\w.,])(?>{_AMOUNT}))\s?(?P<after>{_SIGN}|{_CODE})(?![^\W\d_])"
    rf"(?!\s?(?>\d[\d.,]*)(?!\s?(?:{_SIGN})))"  # a sign before another number belongs to that one
)
CENTS = re.compile(r"[.,]\d{1,2}$")
THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:([.,])\d{3})(?:\1\d{3})*")
FREE = re.compile(
    r"(?i)\s*(?:free(?: of charge| entry| admission| event)?|no charge|gratis|kostenlos|gratuit|gratuito"
    r"|entrée libre|eintritt frei|entrada libre|fri entré)\s*[.!]?\s*"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Locale:
    """The conventions of a page: its language tag (empty: not known) and its address."""

    language: str = ""
    url: str = ""

    @property
    def tongue(self) -> str:
        """The language without its region: `pt-BR` is Portuguese."""
        return re.split(r"[-_]", self.language)[0].lower()

    @property
    def region(self) -> str:
        """The country of the language tag, in capitals; empty where the tag names none."""
        return re.split(r"[-_]", f"{self.language}-")[1].upper()

    @property
    def decimal_sign(self) -> str:
        """The decimal sign."""
        return "," if self.tongue in DECIMAL_COMMA else "."


@dataclass(frozen=True, kw_only=True, slots=True)
class Amount:
    """One number of a text: its value, the text that says it, what stands behind it, its currency's sign."""

    value: float
    text: str
    behind: str
    sign: str = ""


def parse_number(digits: str, locale: Locale) -> float | None:
    """Return a number as people write it: `1,234.5`, `1.234,5`, `1 234`; the locale decides `1.234`."""
    text = digits.translate({ord(space): None for space in SPACES}).replace("−", "-").lstrip("+")
    separators = [letter for letter in text if letter in ".,"]
    groups = re.split(r"[.,]", text.lstrip("-"))
    are_thousands = len(groups[0]) <= 3 and groups[0] != "0" and all(len(one) == 3 for one in groups[1:])
    plain = re.sub(r"[.,]", "", text)
    try:
        if len({*separators}) > 1:  # both are used: the last one is the decimal sign
            tail = len(groups[-1])
            is_clear = separators.count(separators[-1]) == 1
            return float(f"{plain[:-tail]}.{plain[-tail:]}") if is_clear else None
        is_decimal = len(separators) == 1 and not (are_thousands and separators[0] != locale.decimal_sign)
        if is_decimal:
            return float(text.replace(",", "."))
        return float(plain) if are_thousands or not separators else None
    except ValueError:
        return None


def find_numbers(text: str, locale: Locale) -> Iterator[Amount]:
    """Yield the numbers of a text, those with `k` or `million` behind them as what they mean."""
    for match in NUMBER.finditer(text):
        value, end = parse_number(match[0], locale), match.end()
        if value is not None:
            if scale := SCALE.match(text, end):
                value, end = value * SCALES[(scale[1] or scale[2]).lower()], scale.end()
            yield Amount(value=round(value, 6), text=text[match.start() : end], behind=text[end:])


def find_money(text: str, locale: Locale) -> Iterator[Amount]:
    """Yield the amounts of money in a text; one that is only said to be free is 0."""
    if FREE.fullmatch(text):
        yield Amount(text=text.strip(), value=0.0, sign="", behind="")
        return
    for match in MONEY.finditer(text) if any(map(str.isdigit, text)) else ():
        number = (match["first"] or match["second"]).rstrip(" ,.-–—’'\xa0\u202f\u2009")
        value = _amount(number, locale)
        if value is not None:
            value *= SCALES[(match["large"] or " one").strip().lower()] if match["large"] else 1
            sign = match["before"] or match["after"]
            value = -value if match["minus"] else value
            yield Amount(text=match[0].strip(), value=value, sign=sign, behind=text[match.end() :])


def _amount(number: str, locale: Locale) -> float | None:
    """Return the number of an amount: cents are two digits, `4,90` is a decimal comma wherever it stands."""
    plain = re.sub(r"[\s'’\u202f\xa0\u2009]", "", number)
    sign = locale.decimal_sign
    if found := CENTS.search(plain):
        sign = found[0][0]
    elif THOUSANDS.fullmatch(plain):
        sign = "." if "," in plain else ","
    value = parse_amount(plain, decimal_separator=sign)
    return None if value is None else float(value)


def currency_of(sign: str, locale: Locale) -> str | None:
    """Return the ISO code of a sign; of a bare “$” or “kr” only where language or address tell whose."""
    plain = sign.strip()
    code = plain.upper() if plain.upper() in CURRENCIES else SIGNS.get(plain) or SIGNS.get(plain.lower())
    countries = COUNTRIES.get(code or "")
    if countries is None:
        return code
    host = (urlsplit(locale.url).hostname or "").rsplit(".", 1)[-1].upper()
    return countries.get(host) or countries.get(locale.region) or countries.get(locale.tongue.upper())


def unit_of(word: str) -> str:
    """Return the short form of a unit, such as `km` of `kilometres`; empty for a word that is none."""
    plain = word.strip(". ").replace("²", "2").replace("³", "3")
    return "" if plain in {"M", "T", "S", "L"} else UNITS.get(fold(plain).replace(" ", ""), "")


def unit_behind(amount: Amount) -> str:
    """Return the unit that stands behind a number, in its short form; empty where none does."""
    found = UNIT.match(amount.behind)
    return unit_of(found[1]) if found else ""


def convert(value: float, have: str, want: str) -> float | None:
    """Return a value in another unit of the same measure; None where the two measure different things."""
    if have == want:
        return value
    (measure, factor), (other, divisor) = MEASURES.get(have, ("", 1)), MEASURES.get(want, (" ", 1))
    return round(value * factor / divisor, 4) if measure == other else None
