"""Postal addresses as pages write them without a label: which lines are one, and which parts it has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchfish.localagent.page.lines import LABELLED
from batchfish.localagent.page.locality import Locality, Segment, find_locality
from batchfish.localagent.page.money import EMAIL, is_phone
from batchfish.localagent.page.postal_words import CODE, SIGN, SMALL
from batchfish.localagent.page.streets import (
    NUMBER_ALONE,
    SURELY,
    is_organisation,
    is_unit,
    street_sureness,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DIVIDER = re.compile(r",\s+|,(?=\d{4})|\s*[;|·•]\s+|\s[–—-]\s")
SIGNED = re.compile(rf"(?:(?<=^)|(?<=[,;|·•–—]\s))({SIGN})\s?(?=\d{{3}})")
DASHED_CODE = re.compile(r"(?<![\w-])(\d{4,5})\s[-–]\s(?=[^\W\d_])")
LONGEST_LINE = 200
MOST_BETWEEN = 3
MOST_ABOVE = 3
MOST_BELOW = 4
SHORT = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """An address with its parts, empty where it does not say them; `text` is all of it, its lines as lines.

    `first` and `last` are the numbers of its lines; that of its organisation may stand before the first.
    """

    text: str
    street: str
    postcode: str
    city: str
    region: str
    country: str
    organisation: str
    first: int
    last: int

    def parts(self) -> Iterator[tuple[str, str]]:
        """Give what it says, each under its label."""
        said = (
            ("address", self.text),
            ("street address", self.street),
            ("postal code", self.postcode),
            ("city", self.city),
            ("region", self.region),
            ("state", self.region),
            ("country", self.country),
            ("company", self.organisation),
            ("company name", self.organisation),
        )
        yield from ((label, text) for label, text in said if text)


def find_addresses(lines: Sequence[str], *, is_marked: bool = False) -> Iterator[Address]:
    """Find the addresses in lines of text, in their order.

    Only what is complete enough counts: a postal code with its city, and a street before them, unless the
    code is written as no other number is. `is_marked`: the page says that an address stands here.
    """
    segments = list(_segments(lines)) if any(map(CODE.search, lines)) else []
    begin = place = 0
    while place < len(segments):
        has_code = any(map(str.isdigit, segments[place].text))
        found = find_locality(segments, place) if has_code else None
        is_sure = is_marked or (found is not None and _leads_to_contact(lines, segments[found.last].line))
        address = _address(segments, begin, found, is_sure=is_sure) if found else None
        if found and address:
            yield address
            begin = found.last + 1
        place = max(place, found.last if found and address else place) + 1


def _segments(lines: Sequence[str]) -> Iterator[Segment]:
    for number, line in enumerate(lines):
        if len(line) > LONGEST_LINE:
            yield Segment(text="", line=number)
            continue
        labelled = LABELLED.fullmatch(line)
        said = labelled[2] if labelled else line
        text = DASHED_CODE.sub(r"\1 ", SIGNED.sub(lambda sign: f"{sign[1].strip(' -–')}-", said))
        parts = [part.strip(" ,") for part in DIVIDER.split(text)]
        yield from (Segment(text=part, line=number) for part in _joined([part for part in parts if part]))


def _joined(parts: Sequence[str]) -> Iterator[str]:
    """Put together what commas take apart within a street: its number before or after it, its floor."""
    held = ""
    for part in parts:
        if held and _belongs(held, part):
            held = f"{held}, {part}"
        else:
            if held:
                yield held
            held = part
    if held:
        yield held


def _belongs(held: str, part: str) -> bool:
    """Whether what stands behind a comma goes on with what stands before it."""
    if NUMBER_ALONE.fullmatch(held):
        return street_sureness(f"{held} {part}") >= SURELY
    if NUMBER_ALONE.fullmatch(part) or is_unit(part):
        return bool(street_sureness(held))
    return is_organisation(f"- {part}")  # nothing but a legal form


def _address(segments: Sequence[Segment], begin: int, found: Locality, *, is_sure: bool) -> Address | None:
    place = _street_before(segments, begin, found)
    if place is None and not (found.is_distinct or is_sure):
        return None
    street = "" if place is None else segments[place].text
    first = found.first if place is None else place
    organisation = _organisation(segments, begin, first)
    is_backed = is_sure or found.is_distinct or bool(found.country or organisation)
    if street and _sureness(street) < SURELY and not (is_backed or _begins_as_street(street)):
        return None
    if found.is_year_like and _sureness(street) < SURELY:
        return None
    return Address(
        text=_text(segments[first : found.last + 1]),
        street=street,
        postcode=found.code,
        city=found.city,
        region=found.region,
        country=found.country,
        organisation=organisation,
        first=segments[first].line,
        last=segments[found.last].line,
    )


def _leads_to_contact(lines: Sequence[str], last: int) -> bool:
    """Whether a telephone number or an address for mail follows a line soon."""
    following = lines[last + 1 : last + 1 + MOST_BELOW]
    return any(
        EMAIL.search(line) or is_phone(line.rpartition(": ")[2]) for line in following if len(line) <= SHORT
    )


def _begins_as_street(text: str) -> bool:
    """Whether words begin with a small one in capitals, as the names of streets do: “Am Hohen Stein”."""
    first, _, rest = text.partition(" ")
    return first.casefold() in SMALL and first[0].isupper() and bool(rest)


def _street_before(segments: Sequence[Segment], begin: int, found: Locality) -> int | None:
    """Give the segment of the street: the nearest that surely is one, else the nearest that may be one."""
    near = range(found.first - 1, max(begin, found.first - 1 - MOST_BETWEEN) - 1, -1)
    best = max(near, key=lambda place: _sureness(segments[place].text), default=None)
    if best is None or not (sureness := _sureness(segments[best].text)):
        return None
    is_next = best == found.first - 1
    stands_alone = best == begin or segments[best - 1].line != segments[best].line
    if sureness < SURELY and not (is_next and (any(map(str.isdigit, segments[best].text)) or stands_alone)):
        return None
    return best


def _sureness(text: str) -> int:
    """Say how surely a text is a street, what commas take apart in it aside."""
    head, _, tail = text.partition(", ")
    whole = f"{head} {tail}" if NUMBER_ALONE.fullmatch(head) else text
    return max(street_sureness(whole), street_sureness(head))


def _organisation(segments: Sequence[Segment], begin: int, first: int) -> str:
    """Give the name of an organisation that stands above a street."""
    above = segments[max(begin, first - MOST_ABOVE) : first]
    return next((one.text for one in above if is_organisation(one.text)), "")


def _text(segments: Sequence[Segment]) -> str:
    lines: dict[int, list[str]] = {}
    for segment in segments:
        lines.setdefault(segment.line, []).append(segment.text)
    return "\n".join(", ".join(parts) for parts in lines.values())
