"""What is left when most is matched: which fields it may still be given, and whether its label says so.

A field that may not be null is surely there. Where just one of what nothing took can be it, it is that one,
whatever it is called; where several can, it is the one whose label shares a word with the field's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.localagent.page.coerce import wants_link
from batchfish.localagent.page.similarity import similarity_of, will_do
from batchfish.localagent.page.words import concepts_of, label

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchfish.localagent.page.plan import Wanted

SCORE = 0.69
"""How sure it is of what is left: surer than a guess, less so than anything that is named."""
CLEARLY = 0.1
"""By how much one label must be more like a field's name than those of all others."""
LONGEST_NUMBER = 24
FORMED = frozenset({"price", "old price", "rating", "email", "phone", "fax", "currency", "availability"})


def is_surely_there(wanted: Wanted) -> bool:
    """Whether a thing has a value for a field, whatever the page calls it."""
    return wanted.is_required and not wanted.is_nullable and is_told_by_name(wanted)


def is_told_by_name(wanted: Wanted) -> bool:
    """Whether nothing but its name tells a field: what has a form is found by that, or is not there."""
    return wanted.senses.isdisjoint(FORMED) and not wants_link(wanted)


def is_called_else(wanted: Wanted, names: Iterable[str]) -> bool:
    """Whether what a value is called is known to mean something else than the field does."""
    senses = wanted.senses | concepts_of(wanted.label)
    known = [concepts_of(label(name)) - {"name"} for name in names]
    is_it = any(senses & concepts or will_do(concepts, senses) for concepts in known)
    return bool(senses) and any(known) and not is_it


def likeness_of(wanted: Wanted, names: Iterable[str]) -> float:
    """Say how like one of some names is to what a field is called."""
    spellings = (wanted.label, wanted.spelled, *wanted.aliases)
    return max((similarity_of(spellings, name) for name in names), default=0.0)
