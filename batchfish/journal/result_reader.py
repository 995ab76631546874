"""The reads of results, and of all that the table shows, even while another process owns the journal."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from batchfish.journal import files, records
from batchfish.journal.fresh_results import read_fresh, read_reused_from
from batchfish.journal.good_results import MAIN, OTHER, GoodResults, Side, attached
from batchfish.journal.outcomes import read_input_names, read_outcomes, read_sizes, result_from

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from batchfish.core.items import Item
    from batchfish.core.outcomes import Outcomes
    from batchfish.core.results import ResultText
    from batchfish.journal.fresh_results import FreshResult
    from batchfish.journal.read_connection import ReadConnection


class ResultReader:
    """Reads of results; batches and items are named by their keys in the tables.

    Each read raises StorageFailed if the file cannot be read.
    """

    def __init__(self, read: ReadConnection, path: Path) -> None:
        """Read from the journal at this path, by the connection of its reader."""
        self._read = read
        self._path = path

    def of_item(self, item: Item) -> ResultText | None:
        """Return an item's result: that of the attempt which the item follows."""
        with self._read.reading() as connection:
            owner = records.result_owner(connection)
        rows = self._read.rows(
            "SELECT s.raw, s.is_whole_answer FROM items i JOIN items o ON"
            f" o.pk = {owner} JOIN results s ON s.item = o.pk AND s.k = o.follows WHERE i.pk = ?",
            item.pk,
        )
        return result_from(*rows[0]) if rows else None

    def findings_of(self, item: int) -> Sequence[str]:
        """Return what was found about the result of an item, beside its verdict."""
        if not self._read.has_table("findings"):
            return []
        query = (
            "SELECT f.evidence FROM findings f JOIN items i ON i.pk = f.item AND i.follows = f.k"
            " WHERE f.item = ? ORDER BY f.kind"
        )
        return [evidence for (evidence,) in self._read.rows(query, item)]

    def answers(self, batch: int) -> Iterator[tuple[int, bytes]]:
        """Yield the wanted items of a batch that succeeded, with the bytes of their results."""
        return self._read.each(
            "SELECT i.pk, s.raw FROM items i JOIN results s ON s.item = i.pk AND s.k = i.follows"
            " WHERE i.batch = ? AND i.wanted = 1 AND i.status = 'succeeded' ORDER BY i.row",
            batch,
        )

    def reused_from(self, item: int) -> str | None:
        """Return the batch whose result an item has reused; None for an item with runs of its own."""
        with self._read.reading() as connection:
            return read_reused_from(connection, item)

    def input_names(self, batch: int) -> Sequence[str]:
        """Return the names of the variables of a batch's rows, in the order in which they first occur."""
        with self._read.reading() as connection:
            return read_input_names(connection, batch)

    def row_sizes(self, batch: int, *, failed_only: bool = False) -> Sequence[int]:
        """Return the bytes of the texts of each wanted item in manifest order, without reading the results.

        They are those of its result, its variables and its messages. `failed_only` selects the items that
        failed, were cancelled or are held.
        """
        with self._read.reading() as connection:
            return read_sizes(connection, batch, failed_only=failed_only)

    def outcomes(self, batch: int, sizes: Sequence[int], *, failed_only: bool = False) -> Iterator[Outcomes]:
        """Yield the outcomes of the same items, in chunks; `sizes` were read in the same snapshot."""
        with self._read.reading() as connection:
            yield from read_outcomes(connection, batch, sizes, failed_only=failed_only)

    @contextmanager
    def good(self, batch: int, before: int | None, other: Path | None = None) -> Iterator[GoodResults]:
        """Pair the last good results as of `batch` with those as of another batch, during the block.

        None: nothing was before. `other` is the journal of that batch if it is not this one.
        """
        connection = self._read.connection
        with attached(connection, other), self._read.snapshot(), files.storage_errors(other or self._path):
            earlier = None if before is None else Side(MAIN if other is None else OTHER, before)
            yield GoodResults(connection, earlier, Side(MAIN, batch))

    def fresh(
        self, batch: int | None, since: float, *, of_staged_rows: bool = False
    ) -> Iterator[Sequence[FreshResult]]:
        """Yield what `read_fresh` yields: results for the items of a batch, or for the rows of `staged`."""
        with self._read.reading() as connection:
            yield from read_fresh(connection, batch, since, of_staged_rows=of_staged_rows)
