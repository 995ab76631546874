"""Columns as the values of fields: what each record says to a field, and whether two columns say the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchfish.localagent.page.amounts import units_in
from batchfish.localagent.page.coerce import coerce
from batchfish.localagent.page.match import read_items
from batchfish.localagent.page.plan import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.localagent.page.looks import Look
    from batchfish.localagent.page.model import Fact
    from batchfish.localagent.page.numbers import Locale
    from batchfish.localagent.page.plan import Wanted


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """A field and the column that holds it: the values by record, and how sure it is."""

    look: Look
    score: float
    values: Mapping[int, Any]


def values_of(look: Look, wanted: Wanted) -> dict[int, Any]:
    """Give the values of a column by record, as a field wants them; what cannot be read so is left out."""
    has_units = wanted.unit is not None and bool(look.units)  # then a number without one is another's
    read = {
        number: read_cell(fact, wanted, look.locale)
        for number, fact in look.column.cells.items()
        if not has_units or fact.exact or units_in(fact.text)
    }
    return {number: value for number, value in read.items() if value is not None}


def read_cell(fact: Fact, wanted: Wanted, locale: Locale) -> Any:  # noqa: ANN401 - what a schema allows
    """Give a cell's value as a field wants it, a list where that is a list."""
    if wanted.kind is Kind.ARRAY and wanted.member is not None:
        return read_items(fact, wanted.member, locale)
    return coerce(fact, wanted, locale)


def agree(first: Mapping[int, Any], second: Mapping[int, Any]) -> bool:
    """Whether two columns say the same wherever both say something."""
    return all(first[number] == value for number, value in second.items() if number in first)
