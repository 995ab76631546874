"""A text as a value of the kind a field wants, or nothing: a value that has to be guessed is not taken."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from batchfish.localagent.page.plan import Kind
from batchfish.localagent.page.tree import one_line
from batchfish.localagent.page.units import convert, unit_of
from batchfish.localagent.page.vocabulary import ABSENT, DECIMAL_COMMA, NO, STOCK, YES
from batchfish.localagent.page.words import fold, is_called

if TYPE_CHECKING:
    from batchfish.localagent.page.model import Fact
    from batchfish.localagent.page.plan import Wanted

NUMBER = re.compile(
    r"(?P<sign>(?<!\d)[-−–+])?(?P<digits>\d[\d.,'’\u202f\xa0\u2009 ]*\d|\d)"
    r"(?:\s*[×x*]\s*10\s*\^?\s*(?P<power>[-−]?\d+))?"
    r"\s*(?P<scale>(?:million(?:en|s)?|billion|thousand|mio|mrd|milliard(?:en|s)?|tsd)\b\.?)?"
    r"\s*(?P<unit>°\s?[CFK]\b|[%‰℃℉]|[^\W\d_]+(?:/[a-z]+|[²2](?!\d))?)?",
    re.IGNORECASE,
)
SCALES = (("thousand", 1e3), ("tsd", 1e3), ("milliard", 1e9), ("billion", 1e9), ("mrd", 1e9), ("mi", 1e6))
GROUP = 3
LEADING_WORDS = 2
LONGEST_DATE = 60
LARGEST_EXACT = 2**53
BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
HEDGES = re.compile(
    r"^(?:approx(?:imately)?\.?|about|around|circa|ca?\.|etwa|rund|env(?:iron|\.)|~|≈)\s*", re.IGNORECASE
)
MONEY = re.compile(
    r"(?:[$€£¥₹₽₩₺₫฿₴₪]|\b(?:[A-Z]{3}|kr|Rs|Fr|zł|Kč|lei)\.?)\s?[-−]?\d[\d.,'’\xa0\u202f ]*|"
    r"\d[\d.,'’\xa0\u202f ]*\s?(?:[$€£¥₹₽₩₺₫฿₴₪]|(?:[A-Z]{3}|kr|zł|Kč|Ft|lei)\b)"
)
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
PHONE = re.compile(r"[+(]?\d[\d\s()./–-]{4,}\d")
YEAR = re.compile(r"(?<!\d)(1\d{3}|20\d{2}|[1-9]\d{2})(?!\d)")
LONGEST_TEXT = 20_000


def coerce(fact: Fact, wanted: Wanted, language: str) -> str | float | bool | None:
    """Give a fact's value as the field wants it; None where the text is no such value."""
    text = fact.text.strip()
    if text.casefold() in ABSENT and not fact.exact:
        return None
    match wanted.kind:
        case Kind.TEXT:
            return _text(fact, wanted)
        case Kind.BOOLEAN:
            return _boolean(fact, wanted)
        case Kind.NUMBER | Kind.INTEGER:
            return _bounded(_number(fact, wanted, language), wanted)
        case Kind.DATE | Kind.DATE_TIME:
            return _date(fact, wanted, language)
        case Kind.TIME:
            found = re.fullmatch(r"(\d{1,2}):(\d\d)(?::\d\d)?", text)
            return f"{int(found[1]):02}:{found[2]}:00" if found else None
        case Kind.DURATION:
            return _duration(fact)
    return None


def _text(fact: Fact, wanted: Wanted) -> str | None:
    text = one_line(fact.text)[:LONGEST_TEXT]
    if wanted.choices:
        return next((choice for choice in wanted.choices if fold(choice) == fold(text)), None)
    if is_called(wanted.label, "email"):
        found = EMAIL.findall(text)
        return found[0] if len(found) == 1 else None
    if is_called(wanted.label, "phone") or is_called(wanted.label, "fax"):
        numbers = PHONE.findall(text)
        return numbers[0].strip() if len(numbers) == 1 else None
    if _wants_link(wanted):
        return fact.link or (text if urlsplit(text).scheme in {"http", "https"} else None)
    if _wants_person(wanted) and not re.search(r"[^\W\d_]{2}", text):
        return None
    return text


def _wants_link(wanted: Wanted) -> bool:
    return is_called(wanted.label, "website") or bool(
        {"url", "link", "href"} & set(wanted.label.phrase.split())
    )


def _wants_person(wanted: Wanted) -> bool:
    return is_called(wanted.label, "author") or "by" in wanted.label.phrase.split()


def _boolean(fact: Fact, wanted: Wanted) -> bool | None:
    text = one_line(fact.text).casefold()
    if is_called(wanted.label, "availability"):
        exact = (fact.exact or fact.link or "").rsplit("/", 1)[-1].casefold()
        for said in filter(None, (exact, text)):
            for phrase, answer in STOCK:
                if re.search(rf"\b{re.escape(phrase)}\b", said):
                    return answer
    first = re.match(r"\W*(\w+)|[✓✔✅✗✘❌]", text)
    word = (first[1] or first[0]) if first else ""
    if word in YES or word in NO:
        return word in YES
    return None


def _bounded(value: float | None, wanted: Wanted) -> float | None:
    if value is None or (wanted.least is not None and value < wanted.least):
        return None
    return None if wanted.most is not None and value > wanted.most else value


def _number(fact: Fact, wanted: Wanted, language: str) -> float | int | None:
    if is_called(wanted.label, "price"):
        return _price(fact, wanted, language)
    if fact.exact is not None and (exact := _plain_number(fact.exact)) is not None:
        return _shaped(exact, wanted)
    text = HEDGES.sub("", one_line(fact.text))
    if _wants_year(wanted) and (year := _year(text, fact.exact)) is not None:
        return year
    text = BRACKETED.sub(" ", text).strip() or text
    found = list(NUMBER.finditer(text))
    units = [unit_of(one["unit"] or "") for one in found]
    if wanted.unit and len(found) > 1 and all(units):  # “3,018 ft / 920 m” says it twice
        found = [one for one, unit in zip(found, units, strict=True) if unit == wanted.unit]
    elif found and len(text[: found[0].start()].split()) > LEADING_WORDS:
        return None
    if len(found) != 1:
        return None
    match = found[0]
    value = _digits(match, language)
    if value is None:
        return None
    unit = unit_of(match["unit"] or "")
    if wanted.unit and unit:
        converted = convert(value, unit, wanted.unit)
        return (
            None
            if converted is None
            else _shaped(round(converted, 6) if unit != wanted.unit else value, wanted)
        )
    return _shaped(value, wanted)


def _digits(match: re.Match[str], language: str) -> float | None:
    value = parse_number(match["digits"], language)
    if value is None:
        return None
    if match["power"]:
        value *= 10.0 ** int(match["power"].replace("−", "-"))
    if match["scale"]:
        value *= next(size for word, size in SCALES if match["scale"].lower().startswith(word))
    return -value if match["sign"] in {"-", "−"} else value


def parse_number(digits: str, language: str) -> float | None:
    """Read a number as people write it: `1,234.5`, `1.234,5`, `1 234`; the language decides `1.234`."""
    text = re.sub(r"[\s'’\u202f\xa0\u2009]", "", digits)
    separators = [letter for letter in text if letter in ".,"]
    if not separators:
        return float(text)
    last = separators[-1]
    head, _, tail = text.rpartition(last)
    if len(set(separators)) > 1:  # both are used: the last one is the decimal sign
        return float(re.sub(r"[.,]", "", head) + "." + tail) if separators.count(last) == 1 else None
    groups = re.split(r"[.,]", text)
    are_thousands = (
        1 <= len(groups[0]) <= GROUP and groups[0] != "0" and all(len(g) == GROUP for g in groups[1:])
    )
    if len(separators) > 1:
        return float("".join(groups)) if are_thousands else None
    uses_comma = _tongue(language) in DECIMAL_COMMA
    if are_thousands and (last == "," or uses_comma) and not (last == "," and uses_comma):
        return float("".join(groups))
    return float(f"{head}.{tail}")


def _tongue(language: str) -> str:
    return language.partition("-")[0].lower()


def _plain_number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[-+]?\d+(?:\.\d+)?", text.strip()) else None


def _shaped(value: float, wanted: Wanted) -> float | int | None:
    if wanted.kind is Kind.INTEGER:
        return int(value) if float(value).is_integer() else None
    return int(value) if float(value).is_integer() and abs(value) < LARGEST_EXACT else value


def _wants_year(wanted: Wanted) -> bool:
    words = set(wanted.spelled.phrase.split())
    return bool(words & {"year", "jahr", "anne", "ano", "anno"}) or any(
        is_called(wanted.label, concept)
        for concept in ("first published", "published", "founded", "discovered in")
    )


def _year(text: str, exact: str | None) -> int | None:
    years = set(YEAR.findall(exact or "")) or set(YEAR.findall(text))
    return int(years.pop()) if len(years) == 1 else None


def _price(fact: Fact, wanted: Wanted, language: str) -> float | int | None:
    if fact.exact is not None and (exact := _plain_number(fact.exact)) is not None:
        return _shaped(exact, wanted)
    text = one_line(fact.text)
    amounts = MONEY.findall(text) or re.findall(r"^\D{0,3}(\d[\d.,\xa0 ]*)\D{0,3}$", text)
    if len(amounts) != 1:
        return None
    number = re.search(r"\d[\d.,'’\xa0\u202f ]*\d|\d", amounts[0])
    value = parse_number(number[0], _price_language(number[0], language)) if number else None
    return None if value is None else _shaped(value, wanted)


def _price_language(digits: str, language: str) -> str:
    """Cents are two digits: `4,90` is a decimal comma wherever it stands."""
    return "de" if re.search(r",\d{1,2}$", digits.strip()) else language


def _date(fact: Fact, wanted: Wanted, language: str) -> str | None:
    for text in filter(None, (fact.exact, one_line(fact.text))):
        moment = _moment(text.strip(), language)
        if moment is not None:
            return moment.date().isoformat() if wanted.kind is Kind.DATE else moment.isoformat()
    return None


def _moment(text: str, language: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    if not re.search(r"\d", text) or len(text) > LONGEST_DATE:
        return None
    import dateparser

    found: datetime | None = dateparser.parse(
        text,
        languages=[_tongue(language)] if language else None,
        settings={"REQUIRE_PARTS": ["day", "month", "year"], "PARSERS": ["absolute-time"]},
    )
    return found


def _duration(fact: Fact) -> str | None:
    if fact.exact and re.fullmatch(r"P(?:\d+[YMWD])*(?:T(?:\d+[HMS])+)?", fact.exact):
        return fact.exact
    seconds = 0.0
    for match in NUMBER.finditer(fact.text):
        unit = unit_of(match["unit"] or "")
        size = convert(1, unit, "seconds") if unit else None
        if size is None:
            return None
        seconds += float(match["digits"]) * size
    if not seconds:
        return None
    hours, rest = divmod(int(seconds), 3600)
    minutes, left = divmod(rest, 60)
    return "PT" + "".join(f"{n}{letter}" for n, letter in ((hours, "H"), (minutes, "M"), (left, "S")) if n)
