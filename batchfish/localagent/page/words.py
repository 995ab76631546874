"""Labels made comparable: their words, the stems of these, and the concepts that they stand for."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache

from batchfish.localagent.page.vocabulary import BROADER, CHANGING, CONCEPTS, IRREGULAR, STOPWORDS, SUFFIXES

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
WORD = re.compile(r"[^\W_]+")
LONGEST_LABEL = 80
SHORTEST_STEM = 4
INFLECTED = re.compile(rf"(.{{{SHORTEST_STEM},}}?)(?:{'|'.join(SUFFIXES)})")
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
    return Label(phrase=" ".join(words), stems=frozenset(map(stem_of, weighty)), cut=cut)


def stem_of(word: str) -> str:
    """Give what a folded word shares with its other forms: of several, of the other gender, of its verb."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    if inflected := INFLECTED.fullmatch(word):
        stem = inflected[1]
    else:
        stem = word[:-1] if len(word) == SHORTEST_STEM and SEVERAL.search(word) else word
    return stem[:-1] if stem.endswith(VOWELS) and len(stem) > SHORTEST_STEM else stem


@lru_cache(maxsize=16_384)
def concepts_of(name: Label) -> frozenset[str]:
    """Give the concepts that a label as a whole belongs to."""
    weighty = " ".join(word for word in name.phrase.split() if word not in STOPWORDS)
    counted = COUNT_OF.sub("", name.phrase) if COUNT_OF.match(name.phrase) else ""
    spellings = (name.phrase, singular(name.phrase), weighty, counted)
    spelled = next((known for one in spellings if (known := CONCEPTS_BY_PHRASE.get(one))), NO_CONCEPTS)
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
    if len(words) < 2 or not CHANGING_STEMS.isdisjoint(name.stems):  # noqa: PLR2004 - one word is a whole
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
    phrases = [phrase for phrase in CONCEPTS_BY_PHRASE if " " in phrase]
    weighty = {word: stem_of(word) for word in {*" ".join(phrases).split()} - STOPWORDS}
    index: dict[frozenset[str], frozenset[str]] = {}
    for phrase in phrases:
        words = phrase.split(" ")
        stems = frozenset(filter(None, map(weighty.get, words))) or frozenset(map(stem_of, words))
        if len(stems) > 1:
            concepts = CONCEPTS_BY_PHRASE[phrase]
            index[stems] = index[stems] | concepts if stems in index else concepts
    return index


CHANGING_STEMS = frozenset(stem_of(fold(word)) for word in CHANGING)
"""A label with one of these says something else than the label without it."""
CONCEPTS_BY_PHRASE = _concepts_by_phrase()
