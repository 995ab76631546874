"""What the properties of structured data may be called: schema.org's paths, as people name what they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.localagent.page.entities import NAMES
from batchfish.localagent.page.vocabulary import PROPERTIES
from batchfish.localagent.page.words import CAMEL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Parts of a thing whose properties are the thing's own, for those who ask.
TRANSPARENT = frozenset({
    "offers", "aggregateRating", "address", "geo", "contactPoint", "priceSpecification", "nutrition",
    "mainEntity", "reviewRating", "baseSalary", "value", "location", "jobLocation", "itemOffered",
})  # fmt: skip


def names_of(path: str, types: Sequence[str] = ()) -> list[str]:
    """Give the names of a property of a thing of some types, the plainest first.

    `offers.price` is the price of the thing itself; the name of a recipe is a recipe name.
    """
    return list(dict.fromkeys(_names(path, types)))


def _names(path: str, types: Sequence[str]) -> Iterator[str]:
    steps = path.split(".")
    yield " ".join(steps)
    if len(steps) > 1 and steps[-1] != "name" and TRANSPARENT.issuperset(steps[:-1]):
        yield steps[-1]
    for start in range(len(steps)):
        yield from PROPERTIES.get(".".join(steps[start:]), ())
    if path in NAMES:
        for kind in types:
            words = CAMEL.sub(" ", kind).lower()
            for thing in (words, words.split()[0]):
                yield from (f"{thing} name", f"{thing} title")
