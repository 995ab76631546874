"""The model of candidates: fields (labelled values), records of fields, lists of records."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable


Source = StrEnum(
    "Source",
    {
        "DATA": "structured data", "PAIR": "label and value", "HEADING": "heading", "ROLE": "kind of element",
        "META": "head of the page", "SECTION": "text under a heading", "CLASS": "class name",
        "LEAD": "first words of a text", "QUANTITY": "amount in a text", "LINK": "link", "TEXT": "text",
    },
)  # fmt: skip
"""Where a field stands; and, in the same order, how far such a place is to be trusted."""
TRUST = dict(zip(Source, (1.0, 0.98, 0.95, 0.9, 0.8, 0.88, 0.85, 0.84, 0.82, 0.75, 0.7), strict=True))
LABELLED = frozenset({Source.DATA, Source.PAIR})
"""Where a label says for sure what its value is."""
MARGIN = 0.6
"""The share of trust that is left in a field of a menu, a footer or a list of other things."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One value and what it may be called.

    `labels` are folded phrases, the nearest first. `text` is what a person sees, lines as lines; `exact` the
    form for machines; `link` and `image` are addresses. `items` are the values of a list. `node` tells values
    apart: fields of one element share it. `column` names the field's place in its record, the same in every
    record of a list. `level` is 1 to 6 for headings, 7 for what looks like a name, 9 for others. `where` says
    in words where it was found; `is_whole`: it is all of an element's text. `unit` is its label's unit.
    """

    labels: tuple[str, ...]
    text: str
    source: Source
    where: str
    node: float
    exact: str | None = None
    link: str | None = None
    image: str | None = None
    items: tuple[str, ...] = ()
    column: str = ""
    level: int = 9
    is_old: bool = False
    is_marginal: bool = False
    is_whole: bool = False
    unit: str = ""

    @property
    def trust(self) -> float:
        """The trust in its place, from 0 to 1."""
        return TRUST[self.source] * (MARGIN if self.is_marginal else 1)


@dataclass(frozen=True, slots=True)
class Found:
    """A value, the part of the text that says it, and how surely: 1 where the text says nothing else."""

    value: Any
    text: str
    sureness: float = 1.0


Record: TypeAlias = tuple[Field, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordList:
    """Records of one kind; `record` reads the one of a number, so that a list can be judged by its first.

    `key` names the list in the same way on the next page; `titles` are folded phrases that say what it lists,
    the nearest first; `node` is the number of its first element (-1: structured data).
    """

    key: str
    size: int
    record: Callable[[int], Record]
    titles: tuple[str, ...]
    where: str
    source: Source
    node: int = -1
    is_marginal: bool = False
