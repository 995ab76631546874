"""Counts of a batch's items by status, and the exit code that follows from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from batchfish.cli.exits import SIGNAL_BASE, STOPS, ExitCode
from batchfish.core.items import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.core.rules import Share
    from batchfish.journal.queries import JournalReader
    from batchfish.journal.records import Batch
    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.pipeline.context import Stop

ORDER = tuple(status.value for status in Status)


class Counts(Struct, frozen=True, kw_only=True):
    """The number of items in each status; those that the manifest no longer asks for are not counted."""

    by_status: Mapping[str, int] = field(default_factory=dict)

    def __getitem__(self, status: Status) -> int:
        return self.by_status.get(status.value, 0)

    @property
    def total(self) -> int:
        """The number of all items."""
        return sum(self.by_status.values())

    @property
    def ended(self) -> int:
        """The number of items that succeeded, failed or were cancelled."""
        return sum(self[status] for status in Status if status.is_final)

    @property
    def not_ok(self) -> int:
        """The number of items that failed, were cancelled or are held."""
        return self[Status.FAILED] + self[Status.CANCELLED] + self[Status.HELD]

    def __str__(self) -> str:
        """Return them as `118 succeeded, 2 failed`."""
        parts = [f"{self.by_status[name]} {name}" for name in ORDER if self.by_status.get(name)]
        return ", ".join(parts) or "no items"


def count(reader: JournalReader, batch: int) -> Counts:
    """Return the counts of a batch's items."""
    return Counts(by_status=reader.counts(batch))


def count_selected(journal: SqliteJournal, batch: int) -> Counts:
    """Return the counts of the items that this process has selected; without a selection, of all."""
    if not journal.has_selection:
        return count(journal.reader, batch)
    return Counts(by_status=journal.selected_counts())


def most_runs(counts: Counts, to_submit: int, attempts: int) -> int:
    """Return how many more runs can be paid for at most, if items are given this many attempts.

    A running item has made one of its attempts; an unanswered one may have made none.
    """
    open_creates = counts[Status.SUBMITTING] + counts[Status.UNANSWERED]
    return (to_submit + open_creates) * attempts + counts[Status.RUNNING] * (attempts - 1)


def code_of(batch: Batch, counts: Counts) -> int | None:
    """Return the exit code that a batch has finished with; None while items of it are left."""
    return batch.exit_code if counts.ended == counts.total else None


def finished_code(reader: JournalReader, batch: Batch, *, count_others: bool = True) -> int | None:
    """Return the exit code of a batch without items left and without open attempts; None for any other.

    `count_others` counts the open attempts of the journal's other batches, too.
    """
    if batch.exit_code is None or reader.count_open(None if count_others else batch.pk):
        return None
    return code_of(batch, count(reader, batch.pk))


def exit_code(
    counts: Counts, stop: Stop | None, allowed: Share | None, *, was_cancelled: bool = False
) -> int:
    """Return the exit code of a run that ended with these counts; `allowed` failures are still a success."""
    if stop is not None and stop.signal is not None:
        return SIGNAL_BASE + stop.signal
    if stop is not None:
        return STOPS[stop.kind]
    if was_cancelled:
        return ExitCode.CANCELLED
    if counts.ended + counts[Status.HELD] < counts.total:
        return ExitCode.INCOMPLETE
    if counts.not_ok and (allowed is None or allowed.is_passed(counts.not_ok, counts.total)):
        return ExitCode.ITEMS_NOT_OK
    return ExitCode.OK
