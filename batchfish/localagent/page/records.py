"""A list of records filled from the group of a page that fits it best, or from none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchfish.localagent.page.match import Candidate, match
from batchfish.localagent.page.words import label, similarity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchfish.localagent.page.model import Group, Page
    from batchfish.localagent.page.plan import Wanted

FITS = 0.5
"""A list whose records fill less than this share of the fields, on average, is another list."""
INTRUDER = 0.5
MARGIN_COST = 0.3
TITLE_BONUS = 0.15


@dataclass(frozen=True, kw_only=True, slots=True)
class Records:
    """The records read from one group."""

    rows: tuple[dict[str, Candidate], ...]
    where: str
    score: float


def read_records(page: Page, name: str, fields: Sequence[Wanted]) -> Records | None:
    """Read the group whose records fill the most of the fields; None where none fits."""
    read = [records for group in page.groups if (records := _read(group, name, fields, page.language))]
    return max(read, key=lambda records: records.score, default=None)


def _read(group: Group, name: str, fields: Sequence[Wanted], language: str) -> Records | None:
    rows = [match(fields, facts, language).found for facts in group.records]
    fullest = max(len(row) for row in rows) if rows else 0
    rows = [row for row in rows if row and len(row) >= fullest * INTRUDER]
    if not rows:
        return None
    coverage = sum(len(row) for row in rows) / (len(rows) * len(fields))
    if coverage < FITS:
        return None
    sureness = sum(found.score for row in rows for found in row.values()) / sum(len(row) for row in rows)
    is_named = any(similarity(label(name), label(title)) > INTRUDER for title in group.titles)
    score = (
        coverage * sureness
        + TITLE_BONUS * is_named
        - MARGIN_COST * group.is_marginal
        + 0.01 * min(len(rows), 20)
    )
    return Records(rows=tuple(rows), where=f"{len(rows)} records from {group.where}", score=score)
