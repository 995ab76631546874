"""The parts of the postal addresses in the records of a list, as columns of their own."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from batchfish.localagent.page.contacts import addresses_in
from batchfish.localagent.page.model import Column, Facet, Source
from batchfish.localagent.page.postal import find_addresses

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from batchfish.localagent.page.facts import FactFinder
    from batchfish.localagent.page.model import Fact
    from batchfish.localagent.page.postal import Address
    from batchfish.localagent.page.regions import Record

FIRST_LINE = 2000
OFTEN = 0.5
"""A part that fewer of the records have is no column of theirs."""


def columns_of_records(records: Sequence[Record], finder: FactFinder) -> Iterator[Column]:
    """Make columns of the address that records hold, wherever in them; one that holds several has none."""
    found: dict[int, tuple[Fact, Address]] = {}
    for number, record in enumerate(records):
        addresses = list(addresses_in(record))
        if len(addresses) == 1:
            found[number] = finder.fact("", record[0], Source.ROLE, text=""), addresses[0]
    yield from _columns("", found, len(records))


def columns_of_cells(columns: Sequence[Column], size: int) -> Iterator[Column]:
    """Make columns of the addresses in the cells of a table."""
    for column in columns:
        if column.facet is Facet.TEXT:
            found = {
                number: (fact, addresses[0])
                for number, fact in column.cells.items()
                if len(addresses := list(find_addresses(fact.text.split("\n")))) == 1
            }
            yield from _columns(column.key, found, size)


def _columns(key: str, found: Mapping[int, tuple[Fact, Address]], size: int) -> Iterator[Column]:
    by_label: dict[str, dict[int, Fact]] = defaultdict(dict)
    for number, (fact, address) in found.items():
        for line, (label, text) in enumerate(address.parts(), start=FIRST_LINE):
            node = (fact.node[0], line)
            by_label[label][number] = replace(fact, text=text, node=node, exact=None, link=None, items=())
    for label, cells in by_label.items():
        if len(cells) >= OFTEN * size:
            yield Column(key=f"{key}@{label}", names=((label, Source.ROLE),), cells=cells)
