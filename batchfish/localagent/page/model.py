"""What a page says, as facts: a label, a value, and how far the place they stand in is to be trusted."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from batchfish.localagent.page.pagination import More
from batchfish.localagent.page.parties import Parties

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.localagent.page.numbers import Locale


class Source(StrEnum):
    """Where on a page a fact stands."""

    PAIR = "label and value"
    DATA = "structured data"
    HEADING = "heading"
    ROLE = "kind of element"
    MARK = "class name"
    META = "head of the page"
    SECTION = "text under a heading"
    QUANTITY = "amount in a text"
    LINK = "link"
    LOOK = "what it looks like"


TRUST: Mapping[Source, float] = {
    Source.PAIR: 1.0,
    Source.DATA: 0.98,
    Source.HEADING: 0.95,
    Source.ROLE: 0.9,
    Source.MARK: 0.85,
    Source.META: 0.8,
    Source.SECTION: 0.9,
    Source.QUANTITY: 0.75,
    Source.LINK: 0.9,
    Source.LOOK: 0.72,
}
MARGIN, ASIDE = 0.5, 0.88
"""What is left of the trust in a fact that stands in a menu, a footer or a list of other things; and in one
that stands outside of what holds the page's title."""
LINK_ANYWHERE = 0.8
"""Where a link leads, its words say wherever it stands."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """One value of a page under one of its labels.

    `text` is what a person sees (lines as lines), `exact` the form that the page holds for machines, `link`
    where it leads. `items` are the values of a fact that is a list. `node` tells values apart: the facts of
    one element, or of one line of it, share it. `where` says in words where it was found.
    """

    label: str
    text: str
    source: Source
    node: tuple[int, int]
    where: str
    exact: str | None = None
    link: str | None = None
    items: tuple[str, ...] = ()
    is_marginal: bool = False
    is_aside: bool = False

    @property
    def trust(self) -> float:
        """How far its place is to be trusted, from 0 to 1."""
        place = MARGIN if self.is_marginal else ASIDE if self.is_aside else 1
        if self.source is Source.LINK:
            place = max(place, LINK_ANYWHERE)
        return TRUST[self.source] * place


class Facet(StrEnum):
    """What of an element a column holds: its text, where it leads, or the image that it shows."""

    TEXT = "text"
    LINK = "link"
    IMAGE = "image"


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """What the records of a group say in one place.

    `key` names the place in the same way on the next page of a list. `names` are what it may be called, each
    with where that name comes from. `cells` go by the number of the record. `level` is how much it looks like
    a title: 1 to 6 for headings, 7 for a link, 8 for strong text, 9 for any other.
    `is_composite`: its text is put together of elements side by side, and is no value by itself.
    `is_above`: it holds what stands over several records each, the heading of their section.
    """

    key: str
    names: tuple[tuple[str, Source], ...]
    cells: Mapping[int, Fact]
    facet: Facet = Facet.TEXT
    level: int = 9
    is_old: bool = False
    is_constant: bool = False
    is_composite: bool = False
    is_above: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Things of one kind, as a sheet: `size` records, and columns that hold what they say.

    `titles` are what stands over it, the nearest heading first, `marks` the words of its classes; `where`
    says in words where it was found, and `key` names it in the same way on the next page of a list. `spans`
    are the numbers of the first and the last element of each record, where they are known. `is_joined`: it is
    put together of several lists, which are one only where what stands over each of them is asked for, too.
    """

    key: str
    size: int
    columns: tuple[Column, ...]
    titles: tuple[str, ...]
    marks: tuple[str, ...]
    where: str
    is_table: bool = False
    is_marginal: bool = False
    is_joined: bool = False
    spans: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """What a page says of itself, and the number of the element that says it."""

    text: str
    element: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A page that can be read: its facts in document order, and its groups of like things.

    `nothing_found` is where it says that what was looked for is not there; None where it does not. `parties`
    say whose contact data stands where.
    """

    locale: Locale
    facts: tuple[Fact, ...]
    groups: tuple[Group, ...] = ()
    more: More = field(default_factory=More)
    source: str = field(default="", repr=False)
    labels: tuple[str, ...] = field(default=())
    nothing_found: Notice | None = None
    parties: Parties = field(default_factory=Parties)


@dataclass(frozen=True, kw_only=True, slots=True)
class Unreadable:
    """Why nothing can be read from a page."""

    code: str
    message: str
