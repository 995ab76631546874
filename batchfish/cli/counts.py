"""What is to be said of a batch in numbers: by status, and the exit code that follows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchfish.cli.exits import SIGNAL_BASE, STOPS, ExitCode
from batchfish.core.items import Status
from batchfish.journal import queries

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from batchfish.core.rules import Share
    from batchfish.journal.base import Batch
    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.pipeline.context import Stop

ORDER = tuple(status.value for status in Status)


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """How many wanted items are in which status."""

    by_status: Mapping[str, int] = field(default_factory=dict)

    def __getitem__(self, status: Status) -> int:
        """Count one status."""
        return self.by_status.get(status.value, 0)

    @property
    def total(self) -> int:
        """Count all."""
        return sum(self.by_status.values())

    @property
    def ended(self) -> int:
        """Count those whose fate is decided."""
        return sum(self[status] for status in Status if status.is_final)

    @property
    def not_ok(self) -> int:
        """Count those that ended, or wait for a person, without success."""
        return self[Status.FAILED] + self[Status.CANCELLED] + self[Status.HELD]

    def __str__(self) -> str:
        """Spell them for people: `118 succeeded, 2 failed`."""
        parts = [f"{self.by_status[name]} {name}" for name in ORDER if self.by_status.get(name)]
        return ", ".join(parts) or "no items"


def count(connection: sqlite3.Connection, batch: int) -> Counts:
    """Read the counts that the journal keeps."""
    return Counts(by_status=queries.counts(connection, batch))


def code_of(batch: Batch, counts: Counts) -> int | None:
    """Return the exit code that a batch has finished with; None while items of it are left."""
    return batch.exit_code if counts.ended == counts.total else None


def count_selected(journal: SqliteJournal, batch: int) -> Counts:
    """Count the items that this process is about: those it has selected, or else all."""
    if not journal.has_selection:
        return count(journal.connection, batch)
    return Counts(by_status=queries.selected_counts(journal.connection))


def exit_code(
    counts: Counts, stop: Stop | None, allowed: Share | None, *, was_cancelled: bool = False
) -> int:
    """Tell what the run's end means for whoever started it."""
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
