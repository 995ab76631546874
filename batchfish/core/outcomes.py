"""Outcomes: the items of a batch with their results, from which tables are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchfish.core.results import ResultText


class Outcomes(msgspec.Struct, frozen=True):
    """Consecutive items of a batch as its table shows them, column by column.

    A table may have a million items, most of which agree in most columns: a column has one value for each of
    the `count` items, or a single value that all of them have. Each item has its status, and the run of the
    attempt that it follows. Times are epoch seconds of the server's clock. `suspicious` is what was found
    about a result beside its verdict. `reused_from` is the batch from which an item took its result: then the
    run is that one's, and the item has no attempts and no steps of its own. A result is None if the API sent
    null or nothing.
    """

    count: int
    item_id: Sequence[str]
    batch: Sequence[str]
    row: Sequence[int]
    url: Sequence[str]
    status: Sequence[str]
    reason: Sequence[str | None]
    run_id: Sequence[str | None]
    run_status: Sequence[str | None]
    attempts: Sequence[int]
    steps: Sequence[int | None]
    submitted_at: Sequence[float | None]
    started_at: Sequence[float | None]
    finished_at: Sequence[float | None]
    error_code: Sequence[str | None]
    error_message: Sequence[str | None]
    streaming_url: Sequence[str | None]
    suspicious: Sequence[str | None]
    reused_from: Sequence[str | None]
    results: Sequence[ResultText | None]
    inputs: Sequence[Mapping[str, str]]


class GoodResult(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The last good result of an item, and the batch that it comes from."""

    item_id: str
    url: str
    batch: str
    result: ResultText | None


class ResultPair(NamedTuple):
    """The last good results of one item as of two batches; None: there was none, or it was not asked for."""

    before: GoodResult | None
    after: GoodResult | None
