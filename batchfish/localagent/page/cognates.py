"""Words that two languages share, each in a spelling of its own: atmosfera and atmosphere."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from functools import lru_cache

SHORTEST, BEGINNING = 6, 3
ALIKE = 0.84
SOUNDS = (
    ("ph", "f"), ("th", "t"), ("ch", "k"), ("ck", "k"), ("qu", "k"), ("c", "k"), ("y", "i"), ("w", "v"),
    ("z", "s"), ("x", "ks"), ("j", "i"),
)  # fmt: skip
DOUBLED = re.compile(r"(.)\1")


@lru_cache(maxsize=8192)
def are_cognates(first: str, second: str) -> bool:
    """Whether two words (folded, without their endings) are likely the same in two languages."""
    if min(len(first), len(second)) < SHORTEST or first[0] != second[0]:
        return False
    one, other = _sound(first), _sound(second)
    begin_alike = one[:BEGINNING] == other[:BEGINNING]
    return one == other or (
        begin_alike and SequenceMatcher(None, one, other, autojunk=False).ratio() >= ALIKE
    )


def _sound(word: str) -> str:
    for written, sound in SOUNDS:
        word = word.replace(written, sound)
    return DOUBLED.sub(r"\1", word)
