"""Postal addresses as pages write them without a label: lines with a number in a street and a post code."""

from __future__ import annotations

import re
from dataclasses import dataclass

UNITED_KINGDOM = r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}"
UNITED_STATES = r"[A-Z]{2} \d{5}(?:-\d{4})?"
CONTINENT = r"(?:[A-Z]{1,2}[- ])?\d{4,5}(?: ?[A-Z]{2}\b)?(?= +[^\W\d_])"
POST_CODE = re.compile(rf"(?<![\w.-])(?:{UNITED_KINGDOM}|{UNITED_STATES}|{CONTINENT})(?![\w-])")
STREET = re.compile(
    r"(?:\d+\s?[a-zA-Z]?(?:[-–/]\d+)?\s+[^\W\d_].{2,}|[^\W\d_].{2,}\s\d+\s?[a-zA-Z]?(?:[-–/]\d+)?)"
)
LONGEST = 160
MOST_LINES = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """An address with its parts; `text` is all of it, its lines as lines."""

    text: str
    street: str
    postcode: str
    city: str


def find_address(text: str) -> Address | None:
    """Find the address that a block of text is, from the line of its street to that of its post code."""
    if len(text) > LONGEST:
        return None
    lines = [part.strip() for line in text.split("\n") for part in line.split(", ") if part.strip()]
    first = next((place for place, line in enumerate(lines) if STREET.fullmatch(line)), None)
    if first is None or len(lines) > MOST_LINES:
        return None
    for place in range(first + 1, len(lines)):
        if code := POST_CODE.search(lines[place]):
            rest = (lines[place][: code.start()] + lines[place][code.end() :]).strip(" ,")
            city = rest or lines[place - 1]
            return Address(
                text="\n".join(lines[first : place + 1]),
                street=lines[first],
                postcode=code[0].strip(),
                city=city,
            )
    return None
