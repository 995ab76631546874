"""How well a column fits a field: by its names, by what its values look like, by how many can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.localagent.page.coerce import coerce, wants_link, wants_year
from batchfish.localagent.page.columns import read_cell
from batchfish.localagent.page.looks import LAST_HEADING
from batchfish.localagent.page.match import SURE, score_name
from batchfish.localagent.page.model import TRUST, Facet, Source
from batchfish.localagent.page.plan import Kind
from batchfish.localagent.page.units import measures_same

if TYPE_CHECKING:
    from batchfish.localagent.page.looks import Look
    from batchfish.localagent.page.plan import Wanted

VALID = 0.5
"""A column of which less can be read as the field wants it holds something else."""
SPARSE = 0.15
COMPOSITE = 0.02
"""What is put together of parts is less sure than a part that is called the same."""
UNIT_SCORE, CHOICE_SCORE, ITEMS_SCORE, LIST_SCORE = 0.72, 0.85, 0.72, 0.75
MOST_CONFIRMED = 0.6
OTHER_MONEY = 0.03
"""Of a field whose name ends on a currency it is less sure that it is the price than of one called so."""
ALONE = 0.93
"""What is left for a column of single values where a list is wanted."""
DATES = frozenset({Kind.DATE, Kind.DATE_TIME})


def score_column(wanted: Wanted, look: Look, size: int) -> float:
    """Say how well a column fits a field: by its names, or by what its values look like."""
    column = look.column
    if column.is_constant and all(fact.text.endswith(":") for fact in look.sample):
        return 0.0  # a label
    if wants_link(wanted) != (column.facet is not Facet.TEXT) and not (
        wants_link(wanted) and wanted.kind is Kind.TEXT and any("http" in fact.text for fact in look.sample)
    ):
        return 0.0
    if column.facet is not Facet.TEXT and (column.facet is Facet.IMAGE) != ("image" in wanted.senses):
        return 0.0
    if column.is_old != ("old price" in wanted.senses):
        return 0.0
    best = max(_score_names(wanted, look), _score_look(wanted, look))
    if wanted.kind is Kind.ARRAY and not any(fact.items for fact in look.sample):
        best *= ALONE
    if best < SURE:
        return 0.0
    readable = sum(read_cell(fact, wanted, look.locale) is not None for fact in look.sample)
    if readable < VALID * len(look.sample):
        return 0.0
    best -= COMPOSITE if column.is_composite and column.level > LAST_HEADING else 0.0
    return max(SURE, best - SPARSE * (1 - min(1.0, len(column.cells) / size)))


def _score_names(wanted: Wanted, look: Look) -> float:
    is_doubtful = (
        "name" in wanted.senses and look.is_typed
    )  # a class may call a rank “title”, a label does not
    scores = (
        score_name(wanted, name) * TRUST[source]
        for name, source in look.column.names
        if not is_doubtful or source in {Source.PAIR, Source.DATA}
    )
    return max(scores, default=0.0)


def _score_look(wanted: Wanted, look: Look) -> float:
    kinds = look.kinds
    best = max((kinds.get(sense, 0.0) for sense in wanted.senses), default=0.0)
    if "text" in wanted.senses:
        best = max(best, kinds.get("description", 0.0))
    if "price" in wanted.senses:
        best = max(best, kinds.get("bare price", 0.0))
    if wanted.currency:
        best = max(best, kinds.get("price", 0.0) - OTHER_MONEY)
    if "rating" in wanted.senses:
        best = max(best, kinds.get("bare rating", 0.0))
    if wants_year(wanted):
        best = max(best, kinds.get("year", 0.0))
    if wanted.kind in DATES:
        best = max(best, kinds.get("date", 0.0))
    if wants_link(wanted) and look.column.facet is Facet.LINK:
        best = max(best, kinds.get("website", 0.0))
    if wanted.unit and any(measures_same(unit, wanted.unit) for unit in look.units) and "price" not in kinds:
        best = max(best, UNIT_SCORE)
    if (
        "duration" in wanted.senses
        and look.units
        and all(measures_same(unit, "seconds") for unit in look.units)
    ):
        best = max(best, UNIT_SCORE)
    if wanted.choices:
        right = sum(coerce(fact, wanted, look.locale) is not None for fact in look.sample)
        best = max(best, CHOICE_SCORE if right >= MOST_CONFIRMED * len(look.sample) else 0.0)
    if wanted.kind is Kind.ARRAY and any(fact.items for fact in look.sample):
        is_marked = look.column.key.rpartition("/")[2].split(".")[0] in {"ul", "ol"}
        best = max(best, LIST_SCORE if is_marked else ITEMS_SCORE)
    return best
