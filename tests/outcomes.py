"""Outcomes item by item, as tests write and read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import astuple

from batchfish.core.outcomes import Outcomes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from batchfish.core.results import ResultText
    from batchfish.journal.queries import JournalReader


class Outcome(Struct, frozen=True, kw_only=True):
    """One item of Outcomes."""

    item_id: str
    batch: str
    row: int
    url: str
    status: str
    reason: str | None = None
    run_id: str | None = None
    run_status: str | None = None
    attempts: int = 0
    steps: int | None = None
    submitted_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    error_code: str | None = None
    error_message: str | None = None
    streaming_url: str | None = None
    suspicious: str | None = None
    reused_from: str | None = None
    result: ResultText | None = None
    inputs: Mapping[str, str] = {}


def in_columns(items: Iterable[Outcome]) -> Outcomes:
    """Return some items, at least one, as the journal does: equal values of a column only once."""
    rows = [astuple(item) for item in items]
    columns = map(list, zip(*rows, strict=True))
    shortened: list[Any] = [
        [*column[:1]] if column.count(column[0]) == len(column) else column for column in columns
    ]
    return Outcomes(len(rows), *shortened)


def one_by_one(outcomes: Outcomes) -> list[Outcome]:
    """Return the items of a chunk."""
    count, *columns = astuple(outcomes)
    rows = zip(*(column if len(column) == count else [column[0]] * count for column in columns), strict=True)
    return [Outcome(**dict(zip(Outcome.__struct_fields__, row, strict=True))) for row in rows]


def outcomes_of(reader: JournalReader, batch: int, *, failed_only: bool = False) -> list[Outcome]:
    """Return the outcomes of a batch."""
    sizes = reader.results.row_sizes(batch, failed_only=failed_only)
    chunks = reader.results.outcomes(batch, sizes, failed_only=failed_only)
    return [outcome for chunk in chunks for outcome in one_by_one(chunk)]
