"""Labels compared: whether what a schema calls a field and what a page calls a value are the same thing."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from batchfish.localagent.page.cognates import are_cognates
from batchfish.localagent.page.vocabulary import CHANGING, KIN, KIND_WORDS
from batchfish.localagent.page.words import (
    CHANGING_STEMS,
    CONCEPTS_BY_PHRASE,
    Label,
    concepts_of,
    fold,
    label,
    stem_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

YEAR = re.compile(r"(?:19|20)\d\d")
LONG_WORD, SHORTEST_PART = 8, 4
COMPOUND = 0.78
"""How sure it is that a word means what its last part means: many languages write two words in one."""
PART, MOST_WORDS = 0.75, 3
"""How sure it is that a label of so many words means what all but one of them do."""
HEAD = 0.7
"""How sure it is that two things are the same that are of one kind, each with another word before it."""
RELATED = 0.74
"""How sure it is that a related notion stands for the one that is wanted."""
SPECIFIED = 0.78
"""How sure it is where the related notion has all words of the wanted one: a date published is a date."""
ANNUAL_STEMS = frozenset(map(stem_of, ("annual", "yearly")))
KIND_STEMS = frozenset(stem_of(fold(word)) for word in KIND_WORDS)
"""Words with these stems say of what kind a value is, not which value it is."""


def similarity_of(names: Iterable[Label], text: str) -> float:
    """Say how surely a label of a page means one of some names, with what stands in brackets or without."""
    found = [label(text)]
    if "(" in text or "[" in text:
        found.append(label(re.sub(r"[()\[\]]", " ", text)))
    return max((similarity(name, one) for name in names for one in found), default=0.0)


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
    related = _related(wanted, found)
    is_changed = not (wanted.stems ^ found.stems).isdisjoint(CHANGING_STEMS)
    return related if is_changed else max(related, _shared(wanted, found))


def _is_named_after(wanted: Label, found: Label) -> bool:
    """Whether a label says the name of what is wanted: a journal title is the journal."""
    return found.phrase in {f"{wanted.phrase} name", f"{wanted.phrase} title"}


def _concepts_of_named(name: Label) -> frozenset[str]:
    """Give the concepts of what a label says the name of: an organizer's name is the organizer."""
    what, _, last = name.phrase.rpartition(" ")
    return concepts_of(label(what)) if what and last == "name" else frozenset()


def _spelled_out(found: Label, wanted: Label) -> Label:
    """Put the words of a field's name in place of those that a page cuts short, or spells in its own way."""
    whole = {stem_of(cut): stem for cut in found.cut for stem in wanted.stems if stem.startswith(cut)}
    missing = frozenset() if concepts_of(found) and concepts_of(wanted) else wanted.stems - found.stems
    whole |= {
        stem: next(iter(same))
        for stem in found.stems - wanted.stems
        if len(same := {one for one in missing if are_cognates(stem, one)}) == 1
    }
    if wanted.stems & ANNUAL_STEMS:  # what a year is named with is the amount of one year
        whole |= {
            stem: next(iter(wanted.stems & ANNUAL_STEMS)) for stem in found.stems if YEAR.fullmatch(stem)
        }
    return replace(found, stems=frozenset(whole.get(stem, stem) for stem in found.stems)) if whole else found


def _related(wanted: Label, found: Label) -> float:
    """Say how sure it is that labels of other words mean the same, by what is known of the words in them."""
    concepts, compound = concepts_of(wanted), _concepts_of_compound(found)
    if concepts & compound:
        return COMPOUND
    if concepts & _concepts_of_part(found):
        return PART
    if " " in wanted.phrase and _principal(wanted) & compound:
        return HEAD
    if not will_do(concepts_of(found), concepts):
        return 0.0
    return SPECIFIED if wanted.stems < found.stems else RELATED


@lru_cache(maxsize=4096)
def _concepts_of_compound(name: Label) -> frozenset[str]:
    """Give the concepts of the last part of a word that is put together: `Schulterhöhe` is a height."""
    word = name.phrase
    if " " in word or len(word) < LONG_WORD or concepts_of(name):
        return frozenset()
    for begin in range(SHORTEST_PART, len(word) - SHORTEST_PART + 1):
        is_other = word[:begin] in CHANGING or word[:begin].removesuffix("s") in CHANGING
        if known := CONCEPTS_BY_PHRASE.get(word[begin:]):
            return frozenset() if is_other else known
    return frozenset()


@lru_cache(maxsize=4096)
def _concepts_of_part(name: Label) -> frozenset[str]:
    """Give the concepts of a label without the word that says of what it is: the make of a vehicle."""
    words = name.phrase.split()
    if not 1 < len(words) <= MOST_WORDS or concepts_of(name) or not CHANGING_STEMS.isdisjoint(name.stems):
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


def _shared(wanted: Label, found: Label) -> float:
    """Say how sure it is that labels mean the same by the words that both have."""
    common = wanted.stems & found.stems
    if common and _without(wanted, common) & _without(found, common):
        return 0.9
    missing, extra = wanted.stems - found.stems - KIND_STEMS, found.stems - wanted.stems - KIND_STEMS
    return _partly(len(common - KIND_STEMS), len(missing), len(extra))


def _without(name: Label, stems: frozenset[str]) -> frozenset[str]:
    """Give the concepts of what is left of a label without some of its words."""
    rest = " ".join(word for word in name.phrase.split() if stem_of(word) not in stems)
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
