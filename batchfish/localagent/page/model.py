"""What a page says, as facts: a label, a value, and how far the place they stand in is to be trusted."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Source(StrEnum):
    """Where on a page a fact stands."""

    PAIR = "label and value"
    DATA = "structured data"
    HEADING = "heading"
    ROLE = "kind of element"
    MARK = "class name"
    META = "head of the page"
    QUANTITY = "amount in a text"


TRUST: Mapping[Source, float] = {
    Source.PAIR: 1.0,
    Source.DATA: 0.98,
    Source.HEADING: 0.95,
    Source.ROLE: 0.9,
    Source.MARK: 0.85,
    Source.META: 0.8,
    Source.QUANTITY: 0.75,
}
MARGIN = 0.5
"""What is left of the trust in a fact that stands in a menu, a footer or a list of other things."""


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

    @property
    def trust(self) -> float:
        """How far its place is to be trusted, from 0 to 1."""
        return TRUST[self.source] * (MARGIN if self.is_marginal else 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Things of one kind, each with its own facts; facts of one column share their `node`.

    `titles` are the heading and caption over the group and the names of its class or type.
    """

    records: tuple[tuple[Fact, ...], ...]
    titles: tuple[str, ...]
    where: str
    is_marginal: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A page that can be read: its facts in document order, and its groups of like things."""

    url: str
    language: str
    facts: tuple[Fact, ...]
    groups: tuple[Group, ...] = ()
    labels: tuple[str, ...] = field(default=())


@dataclass(frozen=True, kw_only=True, slots=True)
class Unreadable:
    """Why nothing can be read from a page."""

    code: str
    message: str
