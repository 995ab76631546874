"""Labels as they are compared, and the index of what they stand for."""

from __future__ import annotations

import re
from collections import defaultdict

from batchfish.localagent.page import words
from batchfish.localagent.page.vocabulary import CONCEPTS
from batchfish.localagent.page.words import label


def test_a_word_before_an_underscore_is_the_same_as_before_a_space() -> None:
    assert label("due_date").phrase == label("due date").phrase == "due date"
    assert label("venue_name").phrase == "venue name"


def test_every_phrase_of_the_thesaurus_is_known_as_a_label_is_spelled() -> None:
    known: defaultdict[str, set[str]] = defaultdict(set)
    alike: defaultdict[frozenset[str], set[str]] = defaultdict(set)
    for concept, phrases in CONCEPTS.items():
        for name in map(label, re.split(r"\s*,\s*", phrases)):
            known[name.phrase].add(concept)
            if len(name.stems) > 1:
                alike[name.stems].add(concept)
    assert len(known) > 40_000
    assert known == words.CONCEPTS_BY_PHRASE
    assert words._concepts_by_stems() == alike  # noqa: SLF001 - that all of it is the same, a few labels cannot show
