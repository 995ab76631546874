"""Labels compared: whether what a schema calls a field and what a page calls a value are the same thing."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from batchfish.localagent.page.cognates import are_cognates
from batchfish.localagent.page.vocabulary import (
    BROADER,
    CHANGING,
    CONCEPTS,
    IRREGULAR,
    KIN,
    KIND_WORDS,
    STOPWORDS,
    SUFFIXES,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

LETTERS = {"ß": "ss", "ø": "o", "æ": "a", "œ": "o", "ł": "l", "đ": "d", "’": "'", "⌀": " diameter "}
DIGRAPHS = re.compile(r"e(?<=[aou]e)(?=[^\W_])|a(?<=aa)")  # looking back from a letter is twice as fast
CAMEL = re.compile(r"(?<=[A-Za-z0-9][a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
COUNT_OF = re.compile(
    r"^(?:number|no|nr|num|n|anzahl|zahl|nombre|numero|aantal|antal|liczba|total)(?:\s+(?:of|de|des|di|der|do|von|van|av))?\s+"
)
NUMBER_SIGNS = frozenset({"#", "№", "nº", "n°"})
SEVERAL = re.compile(r"[^suio]s$")
CUT = re.compile(r"\b([^\W\d_]{2,7})\.(?!\w)")
YEAR = re.compile(r"(?:19|20)\d\d")
WORD = re.compile(r"[^\W_]+")
LONGEST_LABEL = 80
SHORTEST_STEM = 4
LONG_WORD, SHORTEST_PART = 8, 4
COMPOUND = 0.78
"""How sure it is that a word means what its last part means: many languages write two words in one."""
INFLECTED = re.compile(rf"(.{{{SHORTEST_STEM},}}?)(?:{'|'.join(SUFFIXES)})")
PART, MOST_WORDS = 0.75, 3
"""How sure it is that a label of so many words means what all but one of them do."""
HEAD = 0.7
"""How sure it is that two things are the same that are of one kind, each with another word before it."""
RELATED = 0.74
"""How sure it is that a related notion stands for the one that is wanted."""
VOWELS = ("a", "e", "i", "o")
"""On these, words of Romance languages end; by them one of a thing differs from several."""
PERIODS = frozenset({"night", "day", "week", "month", "year", "hour", "person", "guest", "seat", "user"})
"""A price per one of these is the price; one per kilogram is another."""
NO_CONCEPTS: frozenset[str] = frozenset()
_CONNECTORS = frozenset({"de", "del", "du", "di", "do", "da", "des", "of", "von", "van"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Label:
    """A label in comparable form: its words without accents, and the stems of those that weigh.

    `cut` are words that a full stop cuts short: `Temp.`, `Alt.`
    """

    phrase: str
    stems: frozenset[str]
    cut: frozenset[str] = frozenset()


def fold(text: str) -> str:
    """Write a text without case, accents and umlauts: `Fläche` and `flaeche` come out alike."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    accents = {letter: "" for letter in set(plain) if unicodedata.combining(letter)}
    for letter, written in (LETTERS | accents).items():  # for much text far faster than str.translate
        plain = plain.replace(letter, written)
    return DIGRAPHS.sub("", plain)


@lru_cache(maxsize=4096)
def label(text: str) -> Label:
    """Make a label comparable: `firstPublished`, `first_published` and `First published:` come out alike."""
    text = "number" if text.strip(" .:").casefold() in NUMBER_SIGNS else text
    plain = fold(CAMEL.sub(" ", BRACKETS.sub(" ", text[:LONGEST_LABEL])))
    words = WORD.findall(plain)
    weighty = [word for word in words if word not in STOPWORDS] or words
    cut = frozenset(CUT.findall(plain))
    return Label(phrase=" ".join(words), stems=frozenset(map(_stem, weighty)), cut=cut)


def similarity_of(names: Iterable[Label], text: str) -> float:
    """Say how surely a label of a page means one of some names, with what stands in brackets or without."""
    found = [label(text)]
    if "(" in text or "[" in text:
        found.append(label(re.sub(r"[()\[\]]", " ", text)))
    return max((similarity(name, one) for name in names for one in found), default=0.0)


def _stem(word: str) -> str:
    if word in IRREGULAR:
        return IRREGULAR[word]
    if inflected := INFLECTED.fullmatch(word):
        stem = inflected[1]
    else:
        stem = word[:-1] if len(word) == SHORTEST_STEM and SEVERAL.search(word) else word
    return stem[:-1] if stem.endswith(VOWELS) and len(stem) > SHORTEST_STEM else stem


@lru_cache(maxsize=16_384)
def similarity(wanted: Label, found: Label) -> float:
    """Say how sure it is that two labels mean the same: 1 is the same words, below 0.6 is a guess."""
    if not wanted.phrase or not found.phrase:
        return 0.0
    if wanted.phrase.replace(" ", "") == found.phrase.replace(" ", ""):
        return 1.0
    if concepts_of(wanted) & (concepts_of(found) | _concepts_of_named(found)):
        return 0.95
    if _is_named_after(wanted, found):
        return 0.92
    found = _spelled_out(found, wanted)
    if wanted.stems == found.stems:
        return 0.93
    if related := _related(wanted, found):
        return related
    return 0.0 if (wanted.stems ^ found.stems) & _CHANGING else _shared(wanted, found)


def _related(wanted: Label, found: Label) -> float:
    """Say how sure it is that labels of other words mean the same, by what is known of the words in them."""
    concepts, compound = concepts_of(wanted), _concepts_of_compound(found)
    if concepts & compound:
        return COMPOUND
    if concepts & _concepts_of_part(found):
        return PART
    if " " in wanted.phrase and _principal(wanted) & compound:
        return HEAD
    return RELATED if will_do(concepts_of(found), concepts) else 0.0


def _shared(wanted: Label, found: Label) -> float:
    """Say how sure it is that labels mean the same by the words that both have."""
    common = wanted.stems & found.stems
    if common and _without(wanted, common) & _without(found, common):
        return 0.9
    missing, extra = wanted.stems - found.stems - _KINDS, found.stems - wanted.stems - _KINDS
    return _partly(len(common - _KINDS), len(missing), len(extra))


@lru_cache(maxsize=4096)
def _concepts_of_part(name: Label) -> frozenset[str]:
    """Give the concepts of a label without the word that says of what it is: the make of a vehicle."""
    words = name.phrase.split()
    if not 1 < len(words) <= MOST_WORDS or concepts_of(name) or not _CHANGING.isdisjoint(name.stems):
        return frozenset()
    parts = ((words[:-1], words[-1]), (words[1:], words[0]))
    found = [concepts_of(label(" ".join(most))) for most, rest in parts if not concepts_of(label(rest))]
    return frozenset().union(*found)


def _principal(name: Label) -> frozenset[str]:
    """Give the concepts of the last word of a name: a subsidy price is a price."""
    return concepts_of(label(name.phrase.rpartition(" ")[2]))


def will_do(found: frozenset[str], wanted: frozenset[str]) -> bool:
    """Whether one of the concepts found may stand for one wanted where a page has nothing nearer."""
    return any(not found.isdisjoint(KIN.get(one, ())) for one in wanted)


def _without(name: Label, stems: frozenset[str]) -> frozenset[str]:
    """Give the concepts of what is left of a label without some of its words."""
    rest = " ".join(word for word in name.phrase.split() if _stem(word) not in stems)
    return concepts_of(label(rest)) if rest else frozenset()


def _partly(common: int, missing: int, extra: int) -> float:
    """Say how sure it is that labels mean the same of which a number of words are in both, or in one only."""
    if not common:
        return 0.0
    if not missing:
        return 0.9 if not extra else max(0.85 - 0.1 * extra, 0.4)
    if not extra:
        return max(0.78 - 0.12 * missing, 0.3)
    return 0.5 * common / (common + missing + extra)


def _spelled_out(found: Label, wanted: Label) -> Label:
    """Put the words of a field's name in place of those that a page cuts short, or spells in its own way."""
    whole = {_stem(cut): stem for cut in found.cut for stem in wanted.stems if stem.startswith(cut)}
    missing = frozenset() if concepts_of(found) and concepts_of(wanted) else wanted.stems - found.stems
    whole |= {
        stem: next(iter(same))
        for stem in found.stems - wanted.stems
        if len(same := {one for one in missing if are_cognates(stem, one)}) == 1
    }
    if wanted.stems & _ANNUAL:  # what a year is named with is the amount of one year
        whole |= {stem: next(iter(wanted.stems & _ANNUAL)) for stem in found.stems if YEAR.fullmatch(stem)}
    return replace(found, stems=frozenset(whole.get(stem, stem) for stem in found.stems)) if whole else found


def _is_named_after(wanted: Label, found: Label) -> bool:
    """Whether a label says the name of what is wanted: a journal title is the journal."""
    return found.phrase in {f"{wanted.phrase} name", f"{wanted.phrase} title"}


def _concepts_of_named(name: Label) -> frozenset[str]:
    """Give the concepts of what a label says the name of: an organizer's name is the organizer."""
    what, _, last = name.phrase.rpartition(" ")
    return concepts_of(label(what)) if what and last == "name" else frozenset()


@lru_cache(maxsize=4096)
def _concepts_of_compound(name: Label) -> frozenset[str]:
    """Give the concepts of the last part of a word that is put together: `Schulterhöhe` is a height."""
    word = name.phrase
    if " " in word or len(word) < LONG_WORD or concepts_of(name):
        return frozenset()
    for begin in range(SHORTEST_PART, len(word) - SHORTEST_PART + 1):
        is_other = word[:begin] in CHANGING or word[:begin].removesuffix("s") in CHANGING
        if known := _CONCEPTS_BY_PHRASE.get(word[begin:]):
            return NO_CONCEPTS if is_other else known
    return frozenset()


@lru_cache(maxsize=16_384)
def concepts_of(name: Label) -> frozenset[str]:
    """Give the concepts that a label as a whole belongs to."""
    weighty = " ".join(word for word in name.phrase.split() if word not in STOPWORDS)
    counted = COUNT_OF.sub("", name.phrase) if COUNT_OF.match(name.phrase) else ""
    spellings = (name.phrase, singular(name.phrase), weighty, counted)
    spelled = next((known for one in spellings if (known := _CONCEPTS_BY_PHRASE.get(one))), NO_CONCEPTS)
    return spelled | _concepts_by_stems().get(name.stems, NO_CONCEPTS) if len(name.stems) > 1 else spelled


def is_called(name: Label, concept: str) -> bool:
    """Whether a label belongs to a concept."""
    return concept in concepts_of(name)


def senses_of(name: Label, thing: Label | None = None) -> frozenset[str]:
    """Give the concepts that a field's name means: its own as a whole, else those of its principal word.

    A field that is called what its list is of is the name of one: `station` of `stations`. The name of an
    author is an author.
    """
    if thing is not None and thing.stems and name.stems == thing.stems and name.phrase:
        return concepts_of(name) | {"name"}
    words = name.phrase.split()
    if whole := _broadened(concepts_of(name)):
        is_of_thing = (
            thing is not None and len(words) > 1 and not thing.stems.isdisjoint(label(words[0]).stems)
        )
        return whole | {"name"} if is_of_thing and "name" in concepts_of(label(words[-1])) else whole
    if len(words) > 2 and words[-2] == "per" and words[-1] in PERIODS:  # noqa: PLR2004 - what, per, period
        return senses_of(label(" ".join(words[:-2])), thing)
    if len(words) < 2 or not _CHANGING.isdisjoint(name.stems):  # noqa: PLR2004 - one word is a whole
        return frozenset()
    principal, others = (words[0], words[1:]) if _CONNECTORS & set(words) else (words[-1], words[:-1])
    senses = concepts_of(label(principal))
    if "name" in senses:
        rest = label(" ".join(word for word in others if word not in STOPWORDS))
        if thing is None or rest.stems.isdisjoint(thing.stems):
            senses = concepts_of(rest) - {"website"} or senses
    return senses


def _broadened(concepts: frozenset[str]) -> frozenset[str]:
    """Add what the concepts are kinds of: a hammer price is a price, which a column may look like."""
    return concepts.union(BROADER[one] for one in concepts if one in BROADER)


def singular(word: str) -> str:
    """Give the name of one of several, by the plainest of rules."""
    return word.removesuffix("s") if len(word) > SHORTEST_STEM else word


def _concepts_by_phrase() -> dict[str, frozenset[str]]:
    """Index the concepts by phrase, as `label` writes it; all is folded at once, which is far faster."""
    plain = fold("\n".join(CONCEPTS.values()))
    for sign in set(plain) - {" ", ",", "\n"}:
        if not WORD.match(sign):
            plain = plain.replace(sign, " ")
    while "  " in plain:
        plain = plain.replace("  ", " ")
    index: dict[str, frozenset[str]] = {}
    for concept, phrases in zip(CONCEPTS, plain.replace(" ,", ",").split("\n"), strict=True):
        own = dict.fromkeys(phrases.strip().split(", "), frozenset({concept}))
        for shared in own.keys() & index.keys():
            own[shared] |= index[shared]
        index |= own
    return index


@cache
def _concepts_by_stems() -> dict[frozenset[str], frozenset[str]]:
    """Index the concepts by stems, once these are asked for.

    A single stem is too little: "discoverer" and "discovery" share theirs.
    """
    phrases = [phrase for phrase in _CONCEPTS_BY_PHRASE if " " in phrase]
    stems_of = {word: _stem(word) for word in {*" ".join(phrases).split()} - STOPWORDS}
    index: dict[frozenset[str], frozenset[str]] = {}
    for phrase in phrases:
        words = phrase.split(" ")
        stems = frozenset(filter(None, map(stems_of.get, words))) or frozenset(map(_stem, words))
        if len(stems) > 1:
            concepts = _CONCEPTS_BY_PHRASE[phrase]
            index[stems] = index[stems] | concepts if stems in index else concepts
    return index


_CHANGING = frozenset(_stem(fold(word)) for word in CHANGING)
_ANNUAL = frozenset(map(_stem, ("annual", "yearly")))
_KINDS = frozenset(_stem(fold(word)) for word in KIND_WORDS)
_CONCEPTS_BY_PHRASE = _concepts_by_phrase()
