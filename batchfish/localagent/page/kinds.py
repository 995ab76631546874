"""Kinds of values that their form tells: money, days, ratings; and the one of a kind in each record."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from batchfish.localagent.page.amounts import sole_unit
from batchfish.localagent.page.dates import find_dates
from batchfish.localagent.page.lines import LABELLED
from batchfish.localagent.page.model import Column, Facet, Fact
from batchfish.localagent.page.money import EMAIL, find_money, is_phone
from batchfish.localagent.page.ratings import read_rating
from batchfish.localagent.page.stock import is_stock_notice, read_stock
from batchfish.localagent.page.tree import one_line
from batchfish.localagent.page.vocabulary import SPONSORED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from batchfish.localagent.page.numbers import Locale

SHORT, SHORT_NOTE, BARE = 60, 160, 14
PER_SOMETHING = re.compile(
    r"\d[^\d/]{0,4}/\s?[^\W\d_]|\bper\s|\bpro\s(?:monat|woche|tag|nacht|kg|m²)|\bmtl\b"
)
"""A price by the month, by the kilogram, by the square metre: of two, the other is the thing's."""
PERIODS: Mapping[str, re.Pattern[str]] = {
    f"{name} price": re.compile(
        rf"(?:/|\b(?:per|pro|par|por|al|a|à|pr\.?|om) )\s*(?:{words})\b", re.IGNORECASE
    )
    for name, words in {
        "monthly": "mo|months?|monat|mois|mes|mês|mese|maand|månad|mån|måned|md|miesiąc|mies",
        "yearly": "yr|years?|jahr|an|année|año|ano|anno|jaar|år|rok",
        "weekly": "wk|week|woche|semaine|semana|settimana|vecka|uge|tydzień",
        "nightly": "nights?|nacht|nuit|noche|notte|noite|natt|nat|noc",
        "daily": "days?|tag|jour|día|dia|giorno|dag|dzień",
        "hourly": "hr|hours?|stunde|std|heure|hora|ora|uur|timme|time|godz",
    }.items()
}
IN_BRACKETS = re.compile(r"\(\s*\d[\d.,\s]*k?\s*\)", re.IGNORECASE)
YEAR = re.compile(r"(?<![\d.,/-])(?:1[5-9]\d\d|20\d\d)(?![\d.,/-])")
WHOLE: Mapping[str, re.Pattern[str]] = {
    "email": EMAIL,
    "review count": IN_BRACKETS,
    "bare price": re.compile(r"\d{1,6}[.,]\d\d"),
    "start time": re.compile(r"(?:[01]?\d|2[0-3])[:.h][0-5]\d(?:\s?(?:uhr|h|am|pm))?", re.IGNORECASE),
    "book format": re.compile(
        r"paperback|hardcover|hardback|mass market(?: paperback)?|e-?book|audiobook|kindle(?: edition)?"
        r"|board book|taschenbuch|gebunden(?:e ausgabe)?|hörbuch|broché|relié|tapa (?:dura|blanda)|brossura",
        re.IGNORECASE,
    ),
    "bare rating": re.compile(r"[0-4][.,]\d|5[.,]0"),
}
"""Kinds that a text is of as a whole."""
SURENESS: Mapping[str, float] = {
    "price": 0.74,
    **dict.fromkeys(PERIODS, 0.76),
    "old price": 0.74,
    "date": 0.72,
    "rating": 0.74,
    "email": 0.85,
    "phone": 0.8,
    "availability": 0.78,
    "review count": 0.7,
    "year": 0.7,
    "book format": 0.74,
    "bare price": 0.7,
    "bare rating": 0.7,
    "start time": 0.7,
}
"""How sure it is of a column that it is of a kind; of one of amounts, its unit is compared."""


def is_sponsored(text: str) -> bool:
    """Whether a text says that somebody paid for what it stands on."""
    return text.strip().casefold() in SPONSORED


def kinds_of(fact: Fact, locale: Locale) -> Iterator[str]:
    """Say what kinds of value a text may be, by its form alone."""
    text = one_line(fact.text)
    has_digit = any(letter.isdigit() for letter in text)
    if has_digit and len(text) <= SHORT_NOTE and len({money.number for money in find_money(text)}) == 1:
        yield "price"
        yield from (kind for kind, period in PERIODS.items() if period.search(text))
    if len(text) > SHORT:
        return
    days = find_dates(fact.exact, locale) if fact.exact and "-" in fact.exact else []
    if days or (has_digit and find_dates(text, locale)):
        yield "date"
    elif has_digit and is_phone(text):
        yield "phone"
    if read_rating(text) is not None:
        yield "rating"
    if has_digit and (unit := sole_unit(text)):
        yield f"amount in {unit}"
    yield from (kind for kind, pattern in WHOLE.items() if pattern.fullmatch(text))
    if len(set(YEAR.findall(text))) == 1:
        yield "year"
    if is_stock_notice(text):
        yield "availability"


def columns_by_kind(columns: Sequence[tuple[Column, Locale]], size: int) -> Iterator[tuple[str, Column]]:
    """Make a column of each kind that records have one value of, wherever in them it stands.

    Records that lack a part shift the places of those after it; a price may stand in either of two places.
    """
    found: dict[str, dict[int, dict[object, Fact]]] = defaultdict(lambda: defaultdict(dict))
    for column, locale in columns:
        if column.facet is not Facet.TEXT or column.key.startswith("“"):
            continue
        for number, fact in column.cells.items():
            if LABELLED.fullmatch(fact.text):
                continue
            for kind in kinds_of(fact, locale):
                if column.is_old and kind != "price":
                    continue
                name = "old price" if column.is_old else kind
                said = _said(fact, kind, locale)
                found[name][number].setdefault(said, fact)
    if (prices := found.get("price")) is not None:
        found["price"] = _of_the_thing(prices)
    for kind, by_record in found.items():
        cells = {number: one for number, several in by_record.items() if (one := _only(several, kind))}
        if len(cells) * 2 >= min(size, len(by_record)) and cells:
            yield (
                kind,
                Column(
                    key=f"@@{kind}", names=(), cells=dict(sorted(cells.items())), is_old=kind == "old price"
                ),
            )


def _of_the_thing(prices: Mapping[int, dict[object, Fact]]) -> dict[int, dict[object, Fact]]:
    """Leave out prices by the month, the kilogram, the square metre, where most records have another."""
    whole = {
        number: {said: fact for said, fact in several.items() if not PER_SOMETHING.search(fact.text)}
        for number, several in prices.items()
    }
    said = {number: several for number, several in whole.items() if several}
    return said if len(said) * 2 > len(prices) else dict(prices)


def _only(several: Mapping[object, Fact], kind: str) -> Fact | None:
    """Give the one value of a kind that a record has: of prices, the one that stands without words."""
    if len(several) == 1:
        return next(iter(several.values()))
    bare = [
        fact
        for fact in several.values()
        if kind == "price" and len(one_line(fact.text)) - len(find_money(one_line(fact.text))[0].text) <= BARE
    ]
    return bare[0] if len(bare) == 1 else None


def _said(fact: Fact, kind: str, locale: Locale) -> object:
    text = one_line(fact.text)
    match kind:
        case "price" | "monthly price" | "yearly price" | "weekly price" | "nightly price":
            return find_money(text)[0].number
        case "date":
            days = find_dates(fact.exact or "", locale) or find_dates(text, locale)
            return days[0].date()
        case "rating":
            return read_rating(text)
        case "year":
            return YEAR.findall(text)[0]
        case "availability":
            return read_stock(text.casefold())
    return text
