"""The changes of a batch since another one: between the last good results of their items."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from batchfish.cli.output import schemas_of
from batchfish.core.diff import Kind
from batchfish.core.rules import rules_from
from batchfish.journal.queries import open_reader
from batchfish.table.changes import ChangeReader
from batchfish.table.columns import plan_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from batchfish.core.rules import ColumnComparison
    from batchfish.journal.good_results import GoodResults
    from batchfish.journal.queries import JournalReader
    from batchfish.journal.records import Batch
    from batchfish.table.changes import ChangeRow
    from batchfish.table.columns import ColumnPlan


class Earlier(Struct, frozen=True, kw_only=True):
    """The batch that another one is compared with; `journal` is its journal, None for the same one."""

    batch: Batch
    journal: Path | None = None


class ChangeCounts(Struct, frozen=True, kw_only=True):
    """Counts of items, and of the cells and records that changed within `changed` items.

    `added` items have a good result for the first time, `removed` ones had one and are no longer asked for.
    Items that failed or have not ended are compared by the good result of an earlier batch (`carried`), or
    not at all if there is none (`without`).
    """

    added: int = 0
    removed: int = 0
    changed: int = 0
    unchanged: int = 0
    cells: int = 0
    records: int = 0
    carried: int = 0
    without: int = 0

    @property
    def total(self) -> int:
        """The number of items that were added, were removed or changed."""
        return self.added + self.removed + self.changed


class Changes:
    """The changes of one batch, which are read once; `counts` are complete when `rows` has ended."""

    def __init__(
        self, good: GoodResults, plan: ColumnPlan, comparisons: Mapping[str, ColumnComparison]
    ) -> None:
        """Compare paired results by the columns of a plan."""
        self.plan = plan
        self._good = good
        self._reader = ChangeReader(plan, comparisons)
        pairs = good.count()
        self.counts = ChangeCounts(
            added=pairs.added,
            removed=pairs.removed,
            unchanged=pairs.compared,
            carried=pairs.carried,
            without=pairs.without,
        )

    def rows(self) -> Iterator[ChangeRow]:
        """Yield the rows in the order of the batch's manifest, those of removed items last."""
        changed = cells = records = 0
        for pairs in self._good.differing():
            for pair in pairs:
                rows = self._reader.read(pair)
                if rows and None not in pair:
                    changed += 1
                    cells += sum(row.change is Kind.CHANGED for row in rows)
                    records += sum(row.change is not Kind.CHANGED for row in rows)
                yield from rows
        unchanged = self.counts.unchanged - changed
        self.counts = replace(self.counts, changed=changed, unchanged=unchanged, cells=cells, records=records)


@contextmanager
def comparing(
    reader: JournalReader,
    batch: Batch,
    earlier: Earlier | None,
    comparisons: Mapping[str, ColumnComparison] | None = None,
) -> Iterator[Changes]:
    """Compare a batch with an earlier one (None: with nothing) during the block, as of its beginning.

    `comparisons` override those of the batch's manifest. The reader must not be one that writes.
    """
    rules = rules_from(batch.manifest)
    schemas = schemas_of(reader, batch)
    journal = None
    if earlier is not None:
        journal = earlier.journal
        with open_reader(journal or reader.path) as other:
            schemas += [schema for schema in schemas_of(other, earlier.batch) if schema not in schemas]
    plan = plan_columns(schemas, (), rules.output)
    with reader.results.good(batch.pk, None if earlier is None else earlier.batch.pk, journal) as good:
        yield Changes(good, plan, {**rules.compare, **(comparisons or {})})


def changes_since(reader: JournalReader, batch: Batch) -> ChangeCounts | None:
    """Count what changed in a batch since the one before in its journal; None for the first batch."""
    before = reader.batch_before(batch.pk)
    if before is None:
        return None
    with comparing(reader, batch, Earlier(batch=before)) as changes:
        for _ in changes.rows():
            pass
        return changes.counts
