"""A goal in words, understood as far as rules can: what is wanted, how many of it, from how many pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchfish.localagent.page import grammar
from batchfish.localagent.page.clauses import clauses_of
from batchfish.localagent.page.wishes import wish_of

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping

MOST_PAGES = 20
"""The pages of one list that are gone through at most, whatever a goal says."""
UNCLEAR = (
    "The goal names no fields that could be looked for: give an output_schema, or name them"
    " (“Extract all products with name and price”)."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What a goal asks for: a schema, at most how many records of a list, from how many pages.

    `schema` is None where the goal is not understood. `nouns` are what the list is called. `pages` is None
    where the goal says nothing of more pages than one, 0 where it wants all.
    """

    schema: Mapping[str, Any] | None
    most: int | None = None
    pages: int | None = None
    nouns: tuple[str, ...] = ()
    goal: str = ""

    def wants_more(self, found: int, pages: int) -> bool:
        """Whether another page is wanted after so many records and pages; never more than `MOST_PAGES`."""
        if self.most is not None:
            return found < self.most and pages < (self.pages or MOST_PAGES)
        return self.pages is not None and pages < (self.pages or MOST_PAGES)


def understand(goal: str, schema: Mapping[str, Any] | None) -> Asked:
    """Understand a goal; where there is a schema, it says what is wanted, and the goal the rest."""
    text = grammar.REFERENCE.sub("", goal).strip()
    wish = wish_of(text)
    return Asked(
        schema=wish.schema if schema is None else schema,
        most=_most(text),
        pages=_pages(text),
        nouns=(wish.noun,) if wish.noun else (),
        goal=text,
    )


def _most(text: str) -> int | None:
    text = grammar.PAGES.sub(" ", text)
    counts = [grammar.COUNTED.match(clause) for clause in clauses_of(text)]
    found = next(filter(None, [grammar.TOP.search(text), *counts]), None)
    return _count(found) if found else None


def _pages(text: str) -> int | None:
    if grammar.ONE_PAGE.search(text):
        return 1
    if found := grammar.PAGES.search(text):
        return _count(found)
    return 0 if grammar.ALL_PAGES.search(text) else None


def _count(found: re.Match[str]) -> int:
    word = next(filter(None, found.groups())).lower()
    return grammar.NUMBERS.get(word) or int(word)
