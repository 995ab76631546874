"""A text as a value of the kind a field wants, or nothing: a value that has to be guessed is not taken."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from batchfish.localagent.page.amounts import iso_seconds, one_amount, read_duration
from batchfish.localagent.page.dates import find_dates
from batchfish.localagent.page.mail import unveiled
from batchfish.localagent.page.model import Source
from batchfish.localagent.page.money import EMAIL, PHONE, currency_of, find_money, read_amount
from batchfish.localagent.page.plan import Kind
from batchfish.localagent.page.postal_words import REGISTER_NUMBER, VAT_ID
from batchfish.localagent.page.ranges import MOMENTS, read_end
from batchfish.localagent.page.ratings import read_rating
from batchfish.localagent.page.stock import read_stock
from batchfish.localagent.page.tree import one_line
from batchfish.localagent.page.units import convert
from batchfish.localagent.page.vocabulary import ABSENT, FREE, NO, YES
from batchfish.localagent.page.words import fold, label

if TYPE_CHECKING:
    from batchfish.localagent.page.model import Fact
    from batchfish.localagent.page.numbers import Locale
    from batchfish.localagent.page.plan import Wanted

HIGHEST_RATING = 10
LARGEST_EXACT = 2**53
BARE_AMOUNT = re.compile(r"\D{0,3}(\d[\d.,'’\u202f\xa0\u2009 ]*)\D{0,3}")
YEAR = re.compile(r"(?<!\d)(1\d{3}|20\d{2}|[1-9]\d{2})(?!\d)")
CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::\d\d)?")
BYLINE = re.compile(
    r"^(?:(?:written |posted |words |story )?by|von|par|por|di|door|av|af|autor|author)\b:?\s+(?=\S)",
    re.IGNORECASE,
)
OF_IS_BY = frozenset({"es", "fr", "pt"})
OF = re.compile(r"^de\s+(?=[^\W\d_a-zà-ÿ])")
"""In some languages a book is not by its author, but of its author."""
AFTER_BYLINE = re.compile(
    r"\s*(?:[,|·•–—]|\s-\s|\b(?:on|am|le|el|il|em|op|posted|published|updated|publié|veröffentlicht)\b)(?=.*\d).*$",
    re.IGNORECASE,
)
LONGEST_TEXT = 20_000
LONGEST_NAME = 80
DASHES = ("–", "—", "-", ":")
LONGEST_BEFORE = 12
"""A price in words may begin with as many letters; with more, the text says other things as well."""
WORDS_OF_YEARS = frozenset(
    {"year", "jahr", "anne", "ano", "anno", "jahrgang", "annata", "millesime", "vintage"}
)
YEARS = frozenset({"first published", "published", "founded", "discovered in"})
LINKS = frozenset({"website"})
NUMBERED = {"vat id": VAT_ID, "register number": REGISTER_NUMBER}


def coerce(fact: Fact, wanted: Wanted, locale: Locale) -> str | float | bool | None:
    """Give a fact's value as the field wants it; None where the text is no such value."""
    text = fact.text.strip()
    says_nothing = text.casefold() in ABSENT and not fact.exact
    if says_nothing and (wanted.is_nullable or wanted.kind is not Kind.TEXT or not re.search(r"\w", text)):
        return None  # “unknown” is what a page says where a text must be
    if wanted.is_nullable and wanted.senses & MOMENTS and not any(map(str.isdigit, text)):
        return None  # “closed”
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
            found = CLOCK.fullmatch(read_end(text, wanted) or text)
            return f"{int(found[1]):02}:{found[2]}:00" if found else None
        case Kind.DURATION:
            return read_duration(fact.exact or "", locale) or read_duration(text, locale)
    return None


def _text(fact: Fact, wanted: Wanted, locale: Locale) -> str | None:
    text = one_line(fact.text)[:LONGEST_TEXT].strip()
    senses = wanted.senses
    if wanted.choices:
        return _choice(text, wanted)
    if "email" in senses:
        found = set(EMAIL.findall(unveiled(text)))
        return found.pop() if len(found) == 1 else None
    if (end := read_end(text, wanted)) is not None:
        return end
    if senses & {"phone", "fax"}:
        numbers = PHONE.findall(text)
        return numbers[0].strip() if len(numbers) == 1 else None
    for sense, form in NUMBERED.items():
        if sense in senses and len(numbers := form.findall(text)) == 1:
            return str(numbers[0])
    if "currency" in senses:
        return _currency(text, locale)
    if senses & {"price", "old price"} and len(money := find_money(text)) == 1:
        before = text.partition(money[0].text)[0].rstrip()
        text = money[0].text if len(before) > LONGEST_BEFORE or before.endswith(DASHES) else text
    if wants_link(wanted):
        return fact.link or (text if urlsplit(text).scheme in {"http", "https"} else None)
    if wants_person(wanted):
        if locale.tongue in OF_IS_BY:
            text = OF.sub("", text)
        text = (
            AFTER_BYLINE.sub("", BYLINE.sub("", text)).strip(" ,") if len(text) < LONGEST_NAME * 2 else text
        )
        return text if re.search(r"[^\W\d_]{2}", text) else None
    return text or None


def _choice(text: str, wanted: Wanted) -> str | None:
    """Give the choice that a text means: the same words, the only one of them in it, or the same stock."""
    said = label(text).phrase
    named = {choice: label(choice).phrase for choice in wanted.choices}
    if same := next((choice for choice, words in named.items() if words == said), None):
        return same
    if len(text) > LONGEST_NAME:
        return None
    found = [choice for choice, words in named.items() if words and f" {words} " in f" {said} "]
    if not found and "availability" in wanted.senses and (answer := read_stock(text.casefold())) is not None:
        found = [choice for choice, words in named.items() if read_stock(words) is answer]
    return found[0] if len(found) == 1 else None


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
                return answer is not ("sold out" in wanted.senses)
    first = re.match(r"\W*(\w+)|[✓✔✅✗✘❌]", text)
    word = (first[1] or first[0]) if first else ""
    spellings = {word, fold(word)}
    if spellings & (YES | NO):
        return bool(spellings & YES)
    return None


def _bounded(value: float | None, wanted: Wanted) -> float | None:
    if value is None or (wanted.least is not None and value < wanted.least):
        return None
    return None if wanted.most is not None and value > wanted.most else value


def _number(fact: Fact, wanted: Wanted, locale: Locale) -> float | int | None:
    if (end := read_end(fact.text, wanted)) is not None:
        amount = read_amount(end, locale)
        return None if amount is None else _shaped(amount, wanted)
    if wanted.currency or wanted.senses & {"price", "old price"}:
        return _price(fact, wanted, locale)
    if fact.exact is not None and (exact := _plain_number(fact.exact)) is not None:
        return _shaped(exact, wanted)
    text = one_line(fact.text)
    if "rating" in wanted.senses:
        if (rating := read_rating(text)) is not None:
            return _shaped(rating, wanted)
        if fact.source is Source.MARK and text.isdecimal() and int(text) > HIGHEST_RATING:
            return None  # the class of a rating is that of its count, too
    if wants_year(wanted) and (year := _year(text, fact.exact)) is not None:
        return year
    if wanted.unit and (seconds := iso_seconds(fact.exact or text)) is not None:
        amount = convert(seconds, "seconds", wanted.unit)
    else:
        amount = one_amount(text, wanted.unit, locale)
    return None if amount is None else _shaped(amount, wanted)


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
    if text.strip(" .!").casefold() in FREE:
        return 0
    found = find_money(text)
    if wanted.currency and any(
        currency_of(money.sign, locale) not in {None, wanted.currency} for money in found
    ):
        return None
    amounts = {money.number for money in found}
    if not amounts and (bare := BARE_AMOUNT.fullmatch(text)):
        amounts = {bare[1].strip(" .,")}
    if len(amounts) != 1:
        return None
    value = read_amount(amounts.pop(), locale)
    return None if value is None else _shaped(value, wanted)


def _date(fact: Fact, wanted: Wanted, locale: Locale) -> str | None:
    for text in filter(None, (fact.exact, one_line(fact.text))):
        found = find_dates(text, locale, is_guessed=True)
        days = {moment.date() for moment in found}
        if len(days) == 1:
            return days.pop().isoformat() if wanted.kind is Kind.DATE else found[0].isoformat()
    return None
