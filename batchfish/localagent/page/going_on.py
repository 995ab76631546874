"""A list that goes on over pages, as it is handed from the reading of one page to the reading of the next."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class GoingOn:
    """A list that goes on over pages: the property it fills, the group it is, how much there was so far."""

    name: str
    key: str
    found: int
    pages: int
