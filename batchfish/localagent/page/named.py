"""What several things are called and one of them, and whether a goal means several."""

from __future__ import annotations

import re
from dataclasses import dataclass

from batchfish.localagent.page.grammar import (
    AFTER_NOUN,
    COLLECTIVE,
    CONTAINER,
    COUNTED,
    DATA_WORDS,
    DETERMINERS,
    ENDS,
    FORMS,
    PLURALS,
    SEVERAL,
    SINGLE,
    TOP,
    WITH,
)
from batchfish.localagent.page.vocabulary import ALSO_THINGS, THING_NAMES
from batchfish.localagent.page.words import fold, label, senses_of

LONGEST_PHRASE, LONGEST_NOUN = 6, 3
ONE_OF_A_KIND = frozenset({"contact", "recipe", "article"})
ALWAYS_ONE = "contact"
"""All contact data are those of one."""
MARKS = " .:“”\"'`*!?"
SINGULARS = {many: one for one, many in PLURALS.items()}
HISSING = re.compile(r"(?:s|x|z|ch|sh)$")
CONSONANT_Y = re.compile(r"[^aeiou]y$")
SPANISH_OR_PORTUGUESE = re.compile(r"[^aeiouáéíóúãõs]$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Noun:
    """What is wanted, in the words of the goal, and whether several of it are."""

    name: str = ""
    is_several: bool = False


def several_of(noun: str, each: str = "each") -> str:
    """Name several of a thing, by the plainest of rules; `each` is the word that stands before one."""
    before, _, last = noun.rpartition(" ")
    return f"{before} {_plural(last, each.lower())}".strip()


def _plural(word: str, each: str) -> str:
    if word.lower() in PLURALS or word.lower() in SINGULARS:
        return PLURALS.get(word.lower(), word)
    if each.endswith("cada"):
        return f"{word}es" if SPANISH_OR_PORTUGUESE.search(word) else f"{word.removesuffix('s')}s"
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word
    if each.endswith("chaque"):
        return word if word.endswith(("s", "x", "z")) else f"{word}s"
    if HISSING.search(word):
        return f"{word}es"
    return f"{word[:-1]}ies" if CONSONANT_Y.search(word) else f"{word}s"


def one_of_several(name: str) -> str:
    """Name one of several; what is no plural stays as it is."""
    before, _, last = name.rpartition(" ")
    plain = last.lower()
    if plain in SINGLE or last.endswith(("ss", "us", "is")) or not last.endswith("s"):
        one = SINGULARS.get(plain, last)
    elif last.endswith("ies"):
        one = f"{last[:-3]}y"
    else:
        one = last[:-2] if re.search(r"(?:ss|x|ch|sh)es$", last) else last[:-1]
    return f"{before} {one}".strip()


def is_known(name: str) -> bool:
    """Whether the vocabulary knows a field's name, or that of one of several."""
    return bool(senses_of(label(name)) or senses_of(label(one_of_several(name))))


def is_thing(name: str) -> bool:
    """Whether a word that the vocabulary knows names things as well as values of things: “team”, “match”."""
    return not senses_of(label(name)).isdisjoint(ALSO_THINGS)


def thing_of(noun: str) -> str | None:
    """Give the thing of the vocabulary that a noun names."""
    words = fold(noun).split()
    for end in (" ".join(words), " ".join(words[-2:]), " ".join(words[-1:])):
        for thing, names in THING_NAMES.items():
            if end in {fold(thing), *map(fold, names)}:
                return thing
    return None


def is_plural(noun: str) -> bool:
    """Whether a noun names several things by itself, as far as its last word tells."""
    last = noun.rsplit(maxsplit=1)[-1].lower() if noun else ""
    if thing_of(noun) in ONE_OF_A_KIND and not last.endswith("s"):
        return False
    if last in COLLECTIVE or last in SINGULARS:
        return True
    return last not in SINGLE and last.endswith("s") and not last.endswith(("ss", "us", "is"))


def is_several(before: str, noun: str) -> bool:
    """Whether a goal means several: it says all, each or how many before a noun, or its plural."""
    if thing_of(noun) == ALWAYS_ONE and not noun.lower().endswith("s"):
        return False
    says = (
        re.search(r"\d", before)
        or SEVERAL.search(before)
        or TOP.search(before)
        or COUNTED.search(before)
        or CONTAINER.search(before)
    )
    return bool(says) or is_plural(noun)


def head_of(clause: str) -> tuple[str, str]:
    """Give what an order says before the noun of what it wants, and that noun; it is empty if it is none."""
    start = 0
    while match := next(
        filter(None, (one.match(clause[start:]) for one in (COUNTED, DETERMINERS, CONTAINER, TOP))), None
    ):
        if not match[0]:
            break
        start += match.end()
        start += len(clause[start:]) - len(clause[start:].lstrip())
    rest = clause[start:]
    ends = [match.start() for one in (WITH, ENDS, AFTER_NOUN) if (match := one.search(rest))]
    words = rest[: min(ends, default=len(rest))].strip(MARKS).split()
    noun = " ".join(words[-LONGEST_NOUN:]).partition("'s ")[0]
    if (
        not words
        or len(words) > LONGEST_PHRASE
        or noun.lower() in FORMS
        or words[-1].lower() in FORMS - DATA_WORDS
    ):
        return clause[:start], ""
    return clause[:start], noun


def without_data(noun: str) -> str:
    """Give the name of the things whose data are meant: “product data” are products."""
    words = noun.split()
    return several_of(" ".join(words[:-1])) if len(words) > 1 and words[-1].lower() in DATA_WORDS else noun
