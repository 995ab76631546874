"""The journal's outcomes become a table: in manifest order, streamed, at any moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.table.cells import TableRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from batchfish.journal.base import Outcome


def rows_of(
    outcomes: Callable[[], Iterator[Sequence[Outcome]]], batch: str, *, failed_only: bool = False
) -> Callable[[], Iterator[Sequence[TableRow]]]:
    """Give the table's rows of a batch, each time anew; `failed_only` leaves out what succeeded."""

    def chunks() -> Iterator[Sequence[TableRow]]:
        for chunk in outcomes():
            rows = [
                _row_of(outcome, batch)
                for outcome in chunk
                if not failed_only or outcome.item.status != "succeeded"
            ]
            del chunk  # results may be large: none is held while the next are read
            yield rows
            del rows

    return chunks


def _row_of(outcome: Outcome, batch: str) -> TableRow:
    item, attempt = outcome.item, outcome.attempt
    return TableRow(
        item_id=item.id,
        batch=batch,
        row=item.row,
        url=outcome.request.url,
        status=str(item.status),
        reason=item.reason,
        result=outcome.result,
        is_whole_answer=outcome.is_whole_answer,
        inputs=outcome.request.inputs,
        run_id=attempt.run_id if attempt else None,
        run_status=attempt.run_status if attempt else None,
        attempts=item.attempts,
        steps=attempt.steps if attempt else None,
        submitted_at=attempt.created_at if attempt else None,
        started_at=attempt.started_at if attempt else None,
        finished_at=attempt.finished_at if attempt else None,
        error_code=attempt.error_code if attempt else None,
        error_message=item.message or (attempt.error_message if attempt else None),
        streaming_url=attempt.streaming_url if attempt else None,
    )
