"""The words and forms of `postal.toml`, ready to be looked up."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files

_DATA = tomllib.loads(files(__package__).joinpath("postal.toml").read_text("utf-8"))


def _folded(section: str, key: str) -> frozenset[str]:
    return frozenset(word.casefold() for word in _DATA[section][key])


def _either(forms: list[str]) -> str:
    return f"(?:{'|'.join(forms)})"


def _words(words: list[str]) -> str:
    return _either([re.escape(word).replace(r"\ ", r"\s") for word in sorted(words, key=len, reverse=True)])


MARKED_WORDS = frozenset[str](_DATA["marked_words"])
SIGN = rf"(?:{_words(_DATA['country_signs'])}(?:\s?[-–]\s?|\s))"
DISTINCT = _either(_DATA["codes"]["distinct"])
PLAIN = _either(_DATA["codes"]["plain"])
AFTER_STATE = _either(_DATA["codes"]["after_state"])
CODE = re.compile(rf"(?<![^\W_])(?:{SIGN})?(?:{DISTINCT}|{PLAIN}|{AFTER_STATE})(?![^\W_])")
"""A postal code, or a number of as many digits."""
STATE = _words(_DATA["places"]["states"])
COUNTIES = _folded("places", "counties")
COUNTRIES = _folded("places", "countries")
ENDINGS = tuple(word.casefold() for word in _DATA["streets"]["endings"])
BEHIND = _folded("streets", "behind")
BEFORE = _folded("streets", "before")
UNITS = _folded("streets", "units")
SMALL = _folded("streets", "small")
_BOX = _words(_DATA["streets"]["boxes"])
BOX = re.compile(rf"{_BOX}\s?\.?\s?(?:n[.º°o]*\s?)?\d[\d\s]{{0,7}}", re.IGNORECASE)
_LEGAL = _words(_DATA["names"]["legal_forms"])
_AND_COMPANY = r"(?:\s?(?:&|et|und|\+)\s?(?:Co\.?|Cie\.?)(?:\s?(?:KG|OHG|KGaA))?)?"
LEGAL_FORM = re.compile(rf"\S.*[\s,]{_LEGAL}{_AND_COMPANY}")
"""The name of an organisation that says what it is by law."""
VAT_ID = re.compile(rf"(?<![\w-]){_either(_DATA['numbers']['vat'])}(?![\w-])")
REGISTER_NUMBER = re.compile(rf"(?<![\w-]){_either(_DATA['numbers']['register'])}(?![\w-])")
