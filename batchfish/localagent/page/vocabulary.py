"""The words of `vocabulary.toml` and of the thesaurus in `concepts/`, ready to be looked up."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_DATA = tomllib.loads(Path(__file__).with_name("vocabulary.toml").read_text("utf-8"))


def _thesaurus() -> Mapping[str, str]:
    """Read the phrases of every concept; a concept may have some in the files of several domains.

    The files say no more than TOML could: every reading process takes them in, and in TOML that takes long.
    """
    concepts: dict[str, str] = {}
    for domain in Path(__file__).with_name("concepts").iterdir():
        _about, *entries = domain.read_text("utf-8").rstrip().split("\n\n")
        for entry in entries:
            concept, _, lines = entry.partition(":\n  ")
            phrases = lines.replace("\n  ", " ")
            concepts[concept] = f"{concepts[concept]}, {phrases}" if concept in concepts else phrases
    return concepts


CONCEPTS = _thesaurus()
"""The phrases of every concept, with `, ` between them."""
KIN: Mapping[str, list[str]] = _DATA["kin"]
BROADER: Mapping[str, str] = _DATA["broader"]
IRREGULAR: Mapping[str, str] = _DATA["irregular"]
STOPWORDS = frozenset[str](_DATA["stopwords"])
KIND_WORDS = frozenset[str](_DATA["kind_words"])
THINGS_OF_FIELDS = frozenset[str](_DATA["things_of_fields"])
NEVER_NAMES = frozenset[str](_DATA["never_names"])
ALSO_THINGS = frozenset[str](_DATA["also_things"])
MEASURED = frozenset[str](_DATA["measured"])
CHANGING = frozenset[str](_DATA["changing"])
SUFFIXES = tuple[str, ...](_DATA["suffixes"])
GENERIC_HEADINGS = frozenset[str](_DATA["generic_headings"])
MARGINAL_TAGS = frozenset[str](_DATA["marginal_tags"])
MARGINAL_ROLES = frozenset[str](_DATA["marginal_roles"])
MARGINAL_WORDS = frozenset[str](_DATA["marginal_words"])
MENU_WORDS = frozenset[str](_DATA["menu_words"])
MARGINAL_HEADINGS = tuple[str, ...](_DATA["marginal_headings"])
HIDDEN_WORDS = frozenset[str](_DATA["hidden_words"])
SPOKEN_WORDS = frozenset[str](_DATA["spoken_words"])
MARK_NOISE = frozenset[str](_DATA["mark_noise"])
BADGE_WORDS = frozenset[str](_DATA["badge_words"])
OLD_TAGS = frozenset[str](_DATA["old_tags"])
OLD_WORDS = frozenset[str](_DATA["old_words"])
ABSENT = frozenset[str](_DATA["absent"])
DECIMAL_COMMA = frozenset[str](_DATA["decimal_comma"])
SPONSORED = frozenset[str](_DATA["sponsored"])
TOTALS = frozenset[str](_DATA["totals"])
FREE = frozenset[str](_DATA["free"])
YES = frozenset[str](_DATA["yes"])
NO = frozenset[str](_DATA["no"])
STOCK: tuple[tuple[str, bool], ...] = (
    *((phrase, False) for phrase in _DATA["out_of_stock"]),
    *((phrase, True) for phrase in _DATA["in_stock"]),
)
UTILITY_STARTS = tuple[str, ...](_DATA["utility_starts"])
UTILITY_WORDS = frozenset[str](_DATA["utility_words"])
RATING_WORDS = frozenset[str](_DATA["rating_words"])
NUMBER_WORDS = tuple[str, ...](_DATA["number_words"])
LOAD_MORE = frozenset[str](_DATA["load_more"])
ARROWS = frozenset[str](_DATA["arrows"])
NEXT_PAGE = frozenset[str](_DATA["next_page"])
SYMBOLS: Mapping[str, str] = _DATA["symbols"]
CURRENCIES = frozenset[str](_DATA["currencies"]["codes"])
DOLLARS: Mapping[str, str] = _DATA["dollars"]
CROWNS: Mapping[str, str] = _DATA["crowns"]
THINGS: Mapping[str, list[str]] = _DATA["things"]
THING_NAMES: Mapping[str, list[str]] = _DATA["thing_names"]
TELLING_WORDS: Mapping[str, list[str]] = _DATA["telling_words"]
PROPERTIES: Mapping[str, list[str]] = _DATA["properties"]
UNIT_CODES: Mapping[str, str] = _DATA["unit_codes"]
ICONS: Mapping[str, str] = _DATA["icons"]
