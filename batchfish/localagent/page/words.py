"""The vocabulary in `words.toml`: concepts, their English names, units; and the likeness of two labels."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

DATA: Mapping[str, Any] = tomllib.loads(Path(__file__).with_name("words.toml").read_text("utf-8"))
WORD = re.compile(r"[^\W_]+")
CLASS_WORD = re.compile(r"[a-z]+")
CAMEL = re.compile(r"(?<=[a-z\d])(?=[A-Z])")
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3})")
NO_ACCENTS = str.maketrans({"ß": "ss", "ø": "o", "æ": "ae", "ł": "l", "đ": "d"})
ENDINGS = ("ations", "ation", "ings", "ing", "ions", "ion", "ed", "ers", "er", "es", "s", "e")


@lru_cache(maxsize=20_000)
def fold(text: str) -> str:
    """Return a text in small letters without accents and punctuation, words apart by one space."""
    text = THOUSANDS.sub("", text)
    plain = unicodedata.normalize("NFKD", text.casefold().translate(NO_ACCENTS))
    return " ".join(WORD.findall("".join(one for one in plain if not unicodedata.combining(one))))


def spell_name(name: str) -> str:
    """Return the name of a property as words: `datePublished` is “date published”."""
    return fold(CAMEL.sub(" ", name).replace("_", " ").replace("-", " "))


@lru_cache(maxsize=20_000)
def class_words(names: str) -> frozenset[str]:
    """Return the words of class names: `book-author__name` has three."""
    return frozenset(CLASS_WORD.findall(CAMEL.sub(" ", names).lower()))


def listed(name: str) -> frozenset[str]:
    """Return a list of `words.toml` as it is written there."""
    return frozenset(filter(None, map(str.strip, DATA["lists"][name].split(","))))


def folded(name: str) -> frozenset[str]:
    """Return a list of `words.toml`, each word folded."""
    return frozenset(map(fold, listed(name)))


CONCEPTS = {fold(one): name for name, words in DATA["concepts"].items() for one in (name, *words.split(", "))}
KIN = {concept: frozenset(words.split(", ")) for concept, words in DATA["kin"].items()}
UNITS = {
    fold(one).replace(" ", ""): unit for unit, said in DATA["units"].items() for one in (unit, *said.split())
}
STOP, THINGS, CHANGING = folded("stop"), folded("things"), folded("changing")
SAME, SAME_CONCEPT, SAME_STEMS, OF_A_THING = 1.0, 0.95, 0.94, 0.88
PART_OF, NEAR, PART_OF_LONG = 0.72, 0.7, 0.55


def concept_of(phrase: str) -> str:
    """Return the concept that a folded phrase names, also in the plural; empty where it names none."""
    found: str | None = CONCEPTS.get(phrase) or CONCEPTS.get(singular(phrase))
    return found or CONCEPTS.get(" ".join(word for word in phrase.split() if word not in STOP), "")


def singular(phrase: str) -> str:
    """Return a phrase with its last word in the singular."""
    if phrase.endswith("ies") and len(phrase) > 4:
        return f"{phrase[:-3]}y"
    if phrase.endswith(("sses", "shes", "ches", "xes")):
        return phrase[:-2]
    return phrase[:-1] if phrase.endswith("s") and not phrase.endswith(("ss", "us", "is")) else phrase


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """Return a word without the ending that makes it plural or another form of the same."""
    ending = next((one for one in ENDINGS if word.endswith(one) and len(word) - len(one) >= 4), "")
    return word.removesuffix(ending)


@lru_cache(maxsize=20_000)
def stems_of(phrase: str) -> frozenset[str]:
    """Return the stems of a phrase's words, without those that weigh nothing."""
    words = phrase.split()
    return frozenset(stem(word) for word in words if word not in STOP) or frozenset(map(stem, words))


@lru_cache(maxsize=100_000)
def likeness(wanted: str, label: str) -> float:
    """Return how much a label says what is wanted, from 0 to 1; both are folded phrases."""
    if not wanted or not label:
        return 0.0
    if wanted == label:
        return SAME
    mine, theirs = concept_of(wanted), concept_of(label)
    if mine and mine == theirs:
        return SAME_CONCEPT
    left, right = stems_of(wanted), stems_of(label)
    if left == right:
        return SAME_STEMS
    if mine and theirs:
        return NEAR if theirs in KIN.get(mine, ()) else 0.0
    if any(word in CHANGING for word in {*wanted.split()} ^ {*label.split()}):
        return 0.0
    for phrase, other in ((wanted, label), (label, wanted)):
        rest = " ".join(one for one in phrase.split() if one not in THINGS and singular(one) not in THINGS)
        is_same = stems_of(rest) == stems_of(other) or "" != concept_of(rest) == concept_of(other)
        if rest and rest != phrase and is_same:
            return OF_A_THING
    if left < right or right < left:
        return PART_OF if abs(len(left) - len(right)) == 1 else PART_OF_LONG
    if mine and _ends_as(mine, label):
        return NEAR
    return 0.5 * len(left & right) / len(left | right)


def _ends_as(concept: str, label: str) -> bool:
    """Whether the last word of a label names a concept, or the first one of movement: “departs Skerrow”."""
    words = label.split()
    if not 1 < len(words) <= 4 or not CHANGING.isdisjoint(words[:-1]):
        return False
    is_first = concept in {"departure", "arrival"} and concept_of(words[0]) == concept
    return is_first or concept_of(words[-1]) == concept
