"""Outcomes: the items of a batch with their results, from which the table is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.core.results import ResultText


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """One item as the table shows it: its status, and the run of the attempt that it follows.

    A Struct, because a table may have a million. `result` is None if the API sent null or nothing, and
    `suspicious` is what was found about it beside its verdict. Times are epoch seconds of the server's clock.
    `reused_from` is the batch from which the item took its result: then the run is that one's, and the item
    has no attempts and no steps of its own.
    """

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


class OutcomePair(NamedTuple):
    """The last good outcomes of one item as of two batches; None: there was none, or it was not asked for.

    `batch` of each outcome is the batch that its result comes from.
    """

    before: Outcome | None
    after: Outcome | None
