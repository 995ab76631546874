"""Amounts with their units in a text: which one is meant, and how much it is in the unit asked for."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from batchfish.localagent.page.numbers import parse_number
from batchfish.localagent.page.units import convert, measures_same, unit_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchfish.localagent.page.numbers import Locale

NUMBER = re.compile(
    r"(?<!\d)(?<![^\W\d_][-–])(?P<sign>(?<!\w)[-−–+])?"
    r"(?P<digits>\d{1,3}(?:['’\u202f\xa0\u2009 ]\d{3})+(?:[.,]\d+)?(?!\d)|\d[\d.,]*\d|\d)"
    r"(?:\s*[×x*]\s*10\s*\^?\s*(?P<power>[-−]?\d+))?"
    r"\s*(?P<scale>(?:million(?:en|s)?|billion|thousand|mio|mrd|milliard(?:en|s)?|tsd|(?-i:(?<=\d)k))\b\.?)?"
    r"\s*(?P<unit>°\s?[CFK]\b|[%‰℃℉]|[^\W\d_]+(?:/[a-z]+|[²2](?!\d))?)?",
    re.IGNORECASE,
)
SCALES = (
    ("thousand", 1e3), ("tsd", 1e3), ("milliard", 1e9), ("billion", 1e9), ("mrd", 1e9), ("mi", 1e6),
    ("k", 1e3),
)  # fmt: skip
LEADING_WORDS = 2
"""A number after more words than this is one in a sentence, and may count something else."""
PLACES = 6
BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
HEDGES = re.compile(
    r"^(?:approx(?:imately)?\.?|about|around|circa|ca?\.|etwa|rund|env(?:iron|\.)|~|≈)\s*", re.IGNORECASE
)
ISO_DURATION = re.compile(r"P(?=.)(?:\d+[YMWD])*(?:T(?:\d+[HMS])+)?")
SECONDS = {"W": 604800, "D": 86400, "H": 3600, "M": 60, "S": 1}


def units_in(text: str) -> set[str]:
    """Give the units that the numbers of a text stand with."""
    return {unit for match in NUMBER.finditer(text) if (unit := unit_of(match["unit"] or ""))}


def sole_unit(text: str) -> str | None:
    """Give the unit of a text that is an amount and nothing else."""
    found = NUMBER.fullmatch(text.strip())
    return unit_of(found["unit"] or "") if found else None


def one_amount(text: str, unit: str | None, locale: Locale) -> float | None:
    """Read the one amount of a text, in `unit` where that is asked for; None where it is not one."""
    text = HEDGES.sub("", text)
    text = BRACKETED.sub(" ", text).strip() or text.strip("()[] ")
    found = list(NUMBER.finditer(text))
    units = [_unit(one, unit) for one in found]
    if unit and len(found) > 1 and all(units):
        if (total := _total(found, units, unit, locale)) is not None:
            return total
        found = [one for one, own in zip(found, units, strict=True) if own == unit]
    elif found and len(text[: found[0].start()].split()) > LEADING_WORDS:
        return None
    if len(found) != 1:
        return None
    value, own = _value(found[0], locale), _unit(found[0], unit)
    if value is None or not unit or not own or own == unit:
        return value
    converted = convert(value, own, unit)
    return None if converted is None else round(converted, PLACES)


def _unit(match: re.Match[str], wanted: str | None) -> str | None:
    """Give the unit of an amount; beside hours, an m is minutes, and KM is horsepower where that is meant."""
    unit = unit_of(match["unit"] or "")
    if match["unit"] == "KM" and wanted and measures_same(wanted, "ps"):
        return "ps"  # koń mechaniczny
    return "minutes" if unit == "m" and wanted and measures_same(wanted, "seconds") else unit


def _total(
    found: Sequence[re.Match[str]], units: Sequence[str | None], wanted: str, locale: Locale
) -> float | None:
    """Add up what is said in several units of time, the larger first, as `1 h 20 min`; else None."""
    if not measures_same(wanted, "seconds"):
        return None
    sizes = [convert(1, unit or "", wanted) for unit in units]
    values = [_value(one, locale) for one in found]
    known = [size for size in sizes if size is not None]
    amounts = [value for value in values if value is not None]
    is_falling = all(later < size for size, later in pairwise(known))
    if len(known) < len(found) or len(amounts) < len(found) or not is_falling:
        return None
    return round(sum(value * size for value, size in zip(amounts, known, strict=True)), PLACES)


def _value(match: re.Match[str], locale: Locale) -> float | None:
    value = parse_number(match["digits"], locale)
    if value is None:
        return None
    if match["power"]:
        value *= 10.0 ** int(match["power"].replace("−", "-"))
    if match["scale"]:
        value *= next(size for word, size in SCALES if match["scale"].lower().startswith(word))
    return -value if match["sign"] in {"-", "−"} else value


def iso_seconds(text: str) -> float | None:
    """Read a duration as machines write it, `PT1H20M`; None for one of months or years, or no duration."""
    if not text.startswith("P") or not ISO_DURATION.fullmatch(text):
        return None
    days, _, clock = text[1:].partition("T")
    parts = [*re.findall(r"(\d+)([YMWD])", days), *re.findall(r"(\d+)([HMS])", clock)]
    if re.search(r"[YM]", days):
        return None
    return float(sum(int(number) * SECONDS[letter] for number, letter in parts))


def read_duration(text: str, locale: Locale) -> str | None:
    """Read a duration as people or machines write it, and write it as machines do."""
    if text.startswith("P") and ISO_DURATION.fullmatch(text):
        return text
    seconds = 0.0
    for match in NUMBER.finditer(text):
        value, unit = _value(match, locale), _unit(match, "seconds")
        size = convert(1, unit, "seconds") if unit else None
        if size is None or value is None:
            return None
        seconds += value * size
    if not seconds:
        return None
    hours, rest = divmod(int(seconds), 3600)
    minutes, left = divmod(rest, 60)
    return "PT" + "".join(f"{n}{letter}" for n, letter in ((hours, "H"), (minutes, "M"), (left, "S")) if n)
