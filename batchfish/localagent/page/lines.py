"""Lines of text as pages write them: a label and a value, who wrote it, a number with what it counts."""

from __future__ import annotations

import re

from batchfish.localagent.page.units import unit_of
from batchfish.localagent.page.words import concepts_of, label

LONGEST_LED = 60
LABELLED = re.compile(r"\s*([^\W\d_][^:\n]{0,58}?)\s*[::]\s+(\S.*)", re.DOTALL)
SEPARATOR = re.compile(r"\s+[|·•]\s+|\n")
BYLINE = re.compile(r"(?:by|von|par|por|di|door|av)\s+(\S.{1,80})", re.IGNORECASE)
AMOUNT = re.compile(
    r"(?<![\w.,])(\d{1,3}(?:[\u202f\xa0 ]\d{3})+|\d(?:[\d.,]*\d)?k?)[ªº]?\s*([^\W\d_]{3,}(?:\s[^\W\d_]{3,})?)"
)
ENDS_LINE = re.compile(r"^(.*[^\d\s.,].*\d)$(?=\n)", re.MULTILINE)
"""A number at the end of a line that says more counts nothing of the next line: a telephone number."""
OUT_OF = re.compile(r"(\d+(?:[.,]\d+)?)\s*(?:/|\b(?:of|out of|von|sur|de|su|van|em|av|af|z)\b)\s*(\d+)")


def amounts_in(text: str) -> list[tuple[str, str]]:
    """Give the numbers of a text with what they count; the five of “4 out of 5 stars” counts nothing."""
    return AMOUNT.findall(ENDS_LINE.sub(r"\1;", OUT_OF.sub(" ", text)))


def nouns_in(noun: str) -> list[str]:
    """Give what a number may count by a noun of one or two words: customer reviews are reviews.

    A unit is nothing that is counted: twenty minutes in a text are not the minutes of anything.
    """
    return [name for name in dict.fromkeys((noun, *noun.split())) if unit_of(name) is None]


CLOCK = re.compile(
    r"(?<![\d.,:])(?:[01]?\d|2[0-3])[:.h][0-5]\d(?!\.?\d)(?:\s?(?:[ap]\.?m\.?|uhr|h)\b)?|\b(?:1[0-2]|[1-9])\s?[ap]\.?m\b",
    re.IGNORECASE,
)
DATED = re.compile(r"\d{1,2}\D{1,4}\w{3,}|\d{1,4}[-./]\d{1,2}[-./]\d{1,4}")


def clock_in(line: str) -> str:
    """Give the one time of the day that stands in a line beside a day; nothing where it is not one."""
    found = CLOCK.findall(line) if len(line) <= LONGEST_LED else []
    rest = CLOCK.sub(" ", line)
    return found[0] if len(found) == 1 and DATED.search(rest) and rest.strip() else ""


LEADING = re.compile(r"([^\W\d_][^\d£$€:]{1,30}?)\s+((?:[£$€]\s?)?\d.*)", re.DOTALL)


def led_by_label(line: str) -> tuple[str, str] | None:
    """Give the label that a short line begins with and what it says: “Serves 8”, “RRP £349”, “Built 1998”."""
    found = LEADING.fullmatch(line.strip()) if len(line) <= LONGEST_LED else None
    return (found[1], found[2]) if found and concepts_of(label(found[1])) else None
