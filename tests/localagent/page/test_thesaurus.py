"""The files of the thesaurus are written as they are read."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from batchfish.localagent.page import vocabulary

DOMAINS = sorted(Path(vocabulary.__file__).with_name("concepts").iterdir())
ENTRY = re.compile(r"(?P<concept>[a-z][a-z0-9 ]*):(?P<lines>(?:\n  \S.*)+)")


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda domain: domain.stem)
def test_a_domain_is_a_line_on_what_it_is_about_and_entries(domain: Path) -> None:
    about, *entries = domain.read_text("utf-8").removesuffix("\n").split("\n\n")
    assert re.fullmatch(r"# .+", about)
    assert [entry for entry in entries if not ENTRY.fullmatch(entry)] == []
    heads = Counter(entry.partition(":")[0] for entry in entries)
    assert [head for head, times in heads.items() if times > 1] == []


def test_phrases_are_separated_alike() -> None:
    phrases = [phrase for several in vocabulary.CONCEPTS.values() for phrase in several.split(", ")]
    assert [phrase for phrase in phrases if not re.fullmatch(r"[^\s,]+(?: [^\s,]+)*", phrase)] == []
