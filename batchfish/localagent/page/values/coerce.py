"""A field's text as a value of what is wanted, or nothing where it has none."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, time
from typing import TYPE_CHECKING, Any

import isodate

from batchfish.localagent.page.candidates.model import LABELLED, Field, Found, Source
from batchfish.localagent.page.dom.text import clean, one_line
from batchfish.localagent.page.values import numbers
from batchfish.localagent.page.values.times import find_clocks, find_dates, find_duration, without_dates
from batchfish.localagent.page.wanted import Kind, Shape, Wanted
from batchfish.localagent.page.words import fold, folded, likeness, listed, spell_name

if TYPE_CHECKING:
    from batchfish.localagent.page.values.numbers import Locale

ABSENT, IN_STOCK, OUT_OF_STOCK = listed("absent"), folded("in_stock"), folded("out_of_stock")
YES, NO = folded("yes") | {"✓", "✔", "✅"}, folded("no") | {"✗", "✘", "❌", "×"}
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
PHONE = re.compile(r"(?<![\w.])(?:\+|00|\()?\d[\d\s()./–-]{5,20}\d(?:\s?(?:ext|x)\.?\s?\d{1,5})?(?![\w])")
DAY = re.compile(r"\d{4}-\d\d-\d\d|\d\d?[./]\d\d?[./]\d{4}")
WEB_ADDRESS = re.compile(r"https?://[^\s<>\"]+")
SPLIT = re.compile(r"\s*(?:,|;|\n|\s?#|\s[|·•]\s)\s*(?:and\s|und\s|et\s|y\s)?|\s+(?:and|&)\s+")
BY = re.compile(r"(?i)^(?:(?:written |posted |recipe |review |edited |photo )?by|von|par|por|di|door|av)\s+")
PLAIN_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
OUT_OF = re.compile(r"(?i)(\d+(?:[.,]\d+)?)\s*(?:/|out of|von|sur|de)\s*(?:5|10|100)\b(?!\d)")
FILLED_STARS = re.compile(r"(★+)(½)?[☆✩]*")
PERIOD = re.compile(
    r"(?i)\s*(?:/|per|a|each)\s?(year|yr|annum|month|mo|week|day|night|hour|hr|kg|100|l|litre|g)\b"
)
PERIODS = {"monthly price": {"month", "mo"}, "yearly price": {"year", "yr"}, "nightly price": {"night"}}
PARTS = frozenset({"kg", "100", "l", "litre", "g"})
YEAR = re.compile(r"(?<![\d.,])[12]\d{3}(?!\d)")
FIRST_YEAR, LAST_YEAR, HIGHEST_RATING, LONGEST_AMOUNT = 1000, 2100, 100, 120
UNSURE, LOOSE, ONE_OF_SEVERAL = 0.8, 0.85, 0.9
LONGEST_NAME, LONGEST_WORDS, LONGEST_VALUE = 250, 120, 300
PHONE_DIGITS = range(7, 16)
LONG_TEXTS = frozenset({Shape.PROSE, Shape.ANY, Shape.EMAIL})


def coerce(field: Field, wanted: Wanted, locale: Locale) -> Found | None:  # noqa: PLR0911 - one return a kind
    """Return the value that a field has for what is wanted; None where it has none."""
    is_old_wanted = wanted.concept == "old price"
    if field.is_old is not is_old_wanted and (field.is_old or not field.labels[0]):
        return None
    if wanted.kind is Kind.ARRAY:
        return _array(field, wanted, locale)
    text = one_line(field.text)
    is_absent = not text or text.casefold() in ABSENT
    if is_absent and not (field.link or field.image or field.exact):
        return None
    if len(text) > LONGEST_VALUE and wanted.shape not in LONG_TEXTS:
        return None
    if wanted.choices:
        return _choice(text, wanted)
    match wanted.kind:
        case Kind.BOOLEAN:
            return _boolean(field, text, wanted)
        case Kind.NUMBER | Kind.INTEGER:
            return number_in(field, text, wanted, locale)
        case Kind.DATE | Kind.DATE_TIME:
            return _day(field, text, wanted, locale)
        case Kind.TIME:
            clocks = find_clocks(field.exact or text) or find_clocks(text)
            return Found(_of_several(clocks, wanted).isoformat(), text) if clocks else None
        case Kind.DURATION:
            length = find_duration(field.exact or text) or find_duration(text)
            return Found(isodate.duration_isoformat(length), text) if length else None
    if is_absent and wanted.shape not in {Shape.WEB_ADDRESS, Shape.IMAGE}:
        return None
    return _text(field, text, wanted, locale)


def _of_several(values: list[Any], wanted: Wanted) -> Any:
    return values[-1] if wanted.concept in {"end", "arrival"} else values[0]


def _array(field: Field, wanted: Wanted, locale: Locale) -> Found | None:
    """Return the values of a list: its items, or the parts of its text."""
    if wanted.member is None or wanted.member.kind in {Kind.OBJECT, Kind.ARRAY}:
        return None
    if wanted.shape in {Shape.IMAGE, Shape.WEB_ADDRESS}:
        found = coerce(field, wanted.member, locale)
        several = [one for one in field.items if WEB_ADDRESS.fullmatch(one)]
        return None if found is None else Found(several or [found.value], found.text)
    texts, sureness = list(field.items), 1.0
    if not texts:
        text = clean(field.text.replace("\n", " , "))
        parts = SPLIT.split(text) if len(text) <= LONGEST_VALUE else []
        texts, sureness = list(filter(None, parts)), LOOSE
    each = (coerce(replace(field, text=text, exact=None, items=()), wanted.member, locale) for text in texts)
    values = [found.value for found in each if found is not None]
    kept = [one for place, one in enumerate(values) if not isinstance(one, str) or one not in values[:place]]
    if not values or len(values) < len(texts) / 2:
        return None
    return Found(kept[: wanted.most_items], "\n".join(texts)[:LONGEST_VALUE], sureness)


def _choice(text: str, wanted: Wanted) -> Found | None:
    """Return the one choice that a text names, or means by its words for what is in stock."""
    said = spell_name(text) if "_" in text else fold(text)
    by_word = {spell_name(choice): choice for choice in wanted.choices}
    if said in by_word:
        return Found(by_word[said], text)
    state = _stock(text) if wanted.shape is Shape.STOCK else None
    same = [choice for word, choice in by_word.items() if state is not None and _stock(word) is state]
    words = f" {said} "
    within = [one for word, one in by_word.items() if f" {word} " in words or said == word.replace(" ", "")]
    found = same[:1] or (within if len(text) <= LONGEST_WORDS else [])
    return Found(found[0], text, 1.0 if same else ONE_OF_SEVERAL) if len(found) == 1 else None


def _stock(text: str) -> bool | None:
    said = f" {fold(text)} "
    if any(f" {word} " in said for word in OUT_OF_STOCK):
        return False
    return True if any(f" {word} " in said for word in IN_STOCK) else None


def _boolean(field: Field, text: str, wanted: Wanted) -> Found | None:
    """Return a boolean: by a word such as yes, by the stock, or by the presence of a mark."""
    said = fold(field.exact or text) or text.strip()
    is_negative = any(name.startswith(("sold out", "out of stock")) for name in wanted.names)
    is_short = len(text) <= LONGEST_WORDS
    state = None
    if is_short and (wanted.shape is Shape.STOCK or is_negative):
        state = _stock(field.exact or text) if _stock(text) is None else _stock(text)
    first = said.split(" ")[0] if is_short and field.source in LABELLED else ""
    for words, value in ((NO, False), (YES, True)):
        if state is None and (said in words or text.strip() in words or first in words):
            state = value
    if state is not None:
        return Found(state is not is_negative, text, 1.0)
    is_mark = field.source not in LABELLED and len(text) <= 40 and likeness(wanted.names[0], said) >= 0.9
    is_mark = is_mark or (wanted.concept == "remote" and said == "telecommute")
    return Found(value=True, text=text) if is_mark else None


def _day(field: Field, text: str, wanted: Wanted, locale: Locale) -> Found | None:
    for said in filter(None, (field.exact, text)):
        days = find_dates(said, locale)
        if not days:
            continue
        day: datetime = _of_several(days, wanted)
        sureness = 1.0 if len(said) <= 60 else UNSURE
        if wanted.kind is Kind.DATE:
            return Found(day.date().isoformat(), text or said, sureness)
        if day.time() != time() or find_clocks(said):
            return Found(day.isoformat(), text or said, sureness)
    return None


def _text(field: Field, text: str, wanted: Wanted, locale: Locale) -> Found | None:  # noqa: PLR0911
    has_digits, has_letters = any(map(str.isdigit, text)), any(map(str.isalpha, text))
    match wanted.shape:
        case Shape.EMAIL:
            found = EMAIL.search(text)
            return Found(found[0], found[0]) if found else None
        case Shape.PHONE:
            return _phone(field, text)
        case Shape.WEB_ADDRESS:
            shown = WEB_ADDRESS.search(text) if field.source is not Source.LINK else None
            value = shown[0] if shown else field.link
            return Found(value, value) if value and value.startswith("http") else None
        case Shape.IMAGE:
            value = field.image or (text if WEB_ADDRESS.fullmatch(text) else None)
            return Found(value, value) if value else None
        case Shape.CURRENCY:
            if re.fullmatch(r"[A-Z]{3}", text):
                return Found(text, f"currency {text}")
            amounts = numbers.find_money(text, locale)
            codes = ((numbers.currency_of(one.sign, locale), one.text) for one in amounts)
            return next((Found(code, f"currency of {amount}") for code, amount in codes if code), None)
        case Shape.MONEY:
            amount = next(numbers.find_money(text, locale), None)
            value = amount.text if amount and len(text) > 60 else text
            return Found(value, value) if amount or (has_digits and field.source in LABELLED) else None
        case Shape.DAY | Shape.LENGTH_OF_TIME | Shape.RATING | Shape.YEAR:
            if not (has_digits or field.source in LABELLED) or len(text) > LONGEST_WORDS:
                return None
            return Found(_spelled(field, text, wanted), text, 1.0 if len(text) <= 40 else UNSURE)
        case Shape.NAME:
            return Found(text, text) if len(text) <= LONGEST_NAME and has_letters else None
        case Shape.WORDS:
            plain = BY.sub("", text) if wanted.concept == "author" else text
            has_money = next(numbers.find_money(plain, locale), None) is not None
            is_other = has_money or EMAIL.search(plain) or WEB_ADDRESS.match(plain) or not has_letters
            return Found(plain, text) if not is_other and len(plain) <= LONGEST_WORDS else None
    return Found(text, text) if text else None


def _spelled(field: Field, text: str, wanted: Wanted) -> str:
    """Return a length of time that is written for machines as people write it; any other text as it is."""
    is_length = field.source is Source.DATA and wanted.shape is Shape.LENGTH_OF_TIME
    length = find_duration(text) if is_length else None
    if length is None:
        return text
    hours, minutes = divmod(int(length.total_seconds() // 60), 60)
    parts = [(hours, "hour"), (minutes, "minute")]
    return " ".join(f"{count} {name}{'s' if count > 1 else ''}" for count, name in parts if count) or text


def _phone(field: Field, text: str) -> Found | None:
    for match in PHONE.finditer(text):
        number = match[0].strip()
        if sum(map(str.isdigit, number)) in PHONE_DIGITS and not DAY.fullmatch(number):
            return Found(number, number)
    exact = field.exact or ""
    return Found(exact, exact) if field.source is Source.ROLE and exact.lstrip("+").isdigit() else None


def number_in(field: Field, text: str, wanted: Wanted, locale: Locale) -> Found | None:
    """Return the number that a field has for what is wanted, within its bounds, whole where it must be."""
    found = _number(field, text, wanted, locale)
    if found is None:
        return None
    value = found.value
    least, most = wanted.least, wanted.most
    if (least is not None and value < least) or (most is not None and value > most):
        return None
    if wanted.kind is Kind.NUMBER:
        return Found(float(value), found.text, found.sureness)
    is_whole = float(value).is_integer() or bool(wanted.unit)
    return Found(round(value), found.text, found.sureness) if is_whole else None


def _number(field: Field, text: str, wanted: Wanted, locale: Locale) -> Found | None:
    machine = (field.exact or "").strip() or text
    if wanted.shape is Shape.LENGTH_OF_TIME and wanted.unit:
        length = find_duration(machine) or find_duration(text)
        value = None if length is None else numbers.convert(length.total_seconds(), "s", wanted.unit)
        if value is not None:
            return Found(value, text)
    if PLAIN_NUMBER.fullmatch(machine) and (field.source is Source.DATA or field.exact):
        return Found(float(machine), text or machine)
    match wanted.shape:
        case Shape.MONEY:
            return _money(field, text, wanted, locale)
        case Shape.RATING:
            return _rating(text, locale)
        case Shape.YEAR:
            days = find_dates(machine, locale)
            years = [int(one) for one in YEAR.findall(text)] or [day.year for day in days[:1]]
            right = [year for year in years if FIRST_YEAR <= year <= LAST_YEAR]
            return Found(right[0], text, 1.0 if len({*right}) == 1 else UNSURE) if right else None
    return _quantity(field, text, wanted, locale)


def _money(field: Field, text: str, wanted: Wanted, locale: Locale) -> Found | None:
    found = [money for money in numbers.find_money(text, locale) if _is_wanted(money, wanted, locale)]
    values = {money.value for money in found}
    if found and wanted.concept in {"low price", "salary min", "high price", "salary max"}:
        is_low = wanted.concept in {"low price", "salary min"}
        best = (min if is_low else max)(found, key=lambda money: money.value)
        return Found(best.value, best.text)
    if found:
        is_alone = len(found[0].text) > len(text) * 0.4 or len(text) <= 40
        sureness = (1.0 if is_alone else LOOSE) * (1.0 if len(values) == 1 else ONE_OF_SEVERAL)
        is_range = len(values) > 1 and wanted.concept == "salary"
        return None if is_range else Found(found[0].value, found[0].text, sureness)
    amounts = list(numbers.find_numbers(text, locale))
    is_bare = len(amounts) == 1 and len(text) - len(amounts[0].text) <= 6 and "%" not in text
    is_labelled = field.source in {*LABELLED, Source.CLASS, Source.META} and field.labels[0]
    return Found(amounts[0].value, text, ONE_OF_SEVERAL) if is_bare and is_labelled else None


def _is_wanted(money: numbers.Amount, wanted: Wanted, locale: Locale) -> bool:
    """Whether an amount is for the period, or the measure, and in the currency that are wanted."""
    behind = PERIOD.match(money.behind)
    per, periods = behind[1].lower() if behind else "", PERIODS.get(wanted.concept)
    if per and (per not in periods if periods else per in PARTS):
        return False
    currency = numbers.currency_of(money.sign, locale) if money.sign and wanted.currency else None
    return currency in {None, wanted.currency}


def _rating(text: str, locale: Locale) -> Found | None:
    if found := OUT_OF.search(text):
        value = numbers.parse_number(found[1].replace(",", "."), locale)
        return None if value is None else Found(value, found[0])
    if found := FILLED_STARS.search(text):
        return Found(len(found[1]) + (0.5 if found[2] else 0), found[0])
    amounts = numbers.find_numbers(text, locale)
    first = next((one for one in amounts if not one.behind.lstrip().startswith("%")), None)
    if first is None or "$" in text or first.value > HIGHEST_RATING:
        return None
    return Found(first.value, first.text, 1.0 if len(text) <= len(first.text) + 24 else UNSURE)


def _quantity(field: Field, text: str, wanted: Wanted, locale: Locale) -> Found | None:
    text = without_dates(text, locale)
    amounts = list(numbers.find_numbers(text, locale)) if len(text) <= LONGEST_AMOUNT else []
    if not amounts or next(numbers.find_money(text, locale), None):
        return None
    first = amounts[0]
    if wanted.unit:
        for number in amounts:
            have = numbers.unit_behind(number)
            if have and (value := numbers.convert(number.value, have, wanted.unit)) is not None:
                return Found(value, number.text, 1.0 if have == wanted.unit else ONE_OF_SEVERAL)
        if numbers.unit_behind(first) in numbers.MEASURES:
            return None  # it measures something else
        if field.unit:
            value = numbers.convert(first.value, field.unit, wanted.unit)
            return None if value is None else Found(value, first.text)
    is_share = first.behind.lstrip().startswith("%")
    if is_share and not {"percent", "rate", "discount", "share"} & {*wanted.names[0].split()}:
        return None
    around = len(text) - len(first.text)
    sureness = 1.0 if around <= 15 else ONE_OF_SEVERAL if around <= 40 else UNSURE
    return Found(first.value, first.text, sureness * (1.0 if len(amounts) == 1 else ONE_OF_SEVERAL))
