"""Numbers as people write them, in the languages of many pages."""

from __future__ import annotations

import re
from dataclasses import dataclass

from batchfish.localagent.page.vocabulary import DECIMAL_COMMA

GROUP = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Locale:
    """How a page writes: its language tag (empty: not known), its address, whether days come before months.

    `is_day_first` is None where nothing on the page tells.
    """

    language: str = ""
    url: str = ""
    is_day_first: bool | None = None

    @property
    def tongue(self) -> str:
        """The language without its region: `pt-BR` is Portuguese."""
        return self.language.replace("_", "-").partition("-")[0].lower()

    @property
    def region(self) -> str:
        """The country of the language tag, in capitals; empty where the tag names none."""
        return self.language.replace("_", "-").rpartition("-")[2].upper() if "-" in self.language else ""

    @property
    def writes_decimal_comma(self) -> bool:
        """Whether 1,5 is one and a half."""
        return self.tongue in DECIMAL_COMMA


def parse_number(digits: str, locale: Locale) -> float | None:
    """Read a number as people write it: `1,234.5`, `1.234,5`, `1 234`; the locale decides `1.234`."""
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
    uses_comma = locale.writes_decimal_comma
    if are_thousands and (last == "," or uses_comma) and not (last == "," and uses_comma):
        return float("".join(groups))
    return float(f"{head}.{tail}")
