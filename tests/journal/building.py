"""Builds journals for tests: batches of small manifests, and items moved by events."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import to_builtins

from batchfish.core import identity
from batchfish.core.events import Event, Intended, RunEnded, SubmitAccepted, SubmitUnanswered
from batchfish.core.items import ItemSpec
from batchfish.core.lifecycle import Change, Circumstances, advance
from batchfish.core.rules import Limits, Rules
from batchfish.core.runs import RunSnapshot
from batchfish.core.window import AUTO
from batchfish.journal.records import NewBatch

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from batchfish.journal.ingest import Difference
    from batchfish.journal.sqlite import SqliteJournal

KEY = "key-1"
BOOT = "boot-1"

Row: TypeAlias = tuple[str, str | None, dict[str, Any]]
"""A row of a manifest: its URL, its id, and fields of ItemSpec."""


def connection_of(journal: SqliteJournal) -> sqlite3.Connection:
    """Return a journal's own connection, to look at and change what none of its methods does."""
    return journal._connection  # noqa: SLF001 - the one place where tests look behind the methods


def commit(journal: SqliteJournal) -> None:
    """Commit what was written, where no event loop runs."""
    asyncio.run(journal.commit())


def row(url: str, item_id: str | None = None, **more: object) -> Row:
    """Return one row of a manifest: its URL, its id, and fields of ItemSpec."""
    return url, item_id, more


def specs_of(rows: Sequence[Row]) -> list[ItemSpec]:
    """Return the rows as ItemSpecs, numbered as a manifest numbers them."""
    specs = []
    for number, (url, item_id, more) in enumerate(rows, start=1):
        usual: dict[str, Any] = {"row": number, "line": number + 1, "id": item_id, "goal": "Read the price"}
        specs.append(ItemSpec(url=url, **usual | more))
    return specs


def begin(
    journal: SqliteJournal,
    *rows: Row,
    name: str = "books",
    period: str | None = None,
    number: int = 1,
    chance: bytes = b"abcd",
    markers: bool = True,
) -> int:
    """Begin a batch of these rows; return its pk."""
    journal.reader.staged.load(specs_of(rows), identity.FINGERPRINT_VERSION)
    journal.reader.staged.compare(None)
    new = NewBatch(
        name=name,
        period=period,
        number=number,
        base_url="https://agent.example",
        manifest={"name": name, "rules": to_builtins(Rules(limits=Limits(concurrency=AUTO)))},
        manifest_path=f"/jobs/{name}.yaml",
        markers=markers,
    )
    return journal.begin(new, now=1_000.0, chance=chance)


def edit(journal: SqliteJournal, batch: int, *rows: Row) -> Difference:
    """Amend a batch with an edited manifest; return the difference."""
    journal.reader.staged.load(specs_of(rows), identity.FINGERPRINT_VERSION)
    difference = journal.reader.staged.compare(batch)
    journal.amend(batch, {"batchfish": 1, "name": "books"})
    return difference


@dataclass(kw_only=True)
class Driver:
    """Moves items through a journal as the stages do, one event at a time, a second apart."""

    journal: SqliteJournal
    now: float = 2_000.0
    key_id: str = KEY
    boot_id: str = BOOT
    rules: Rules = field(default_factory=Rules)

    def record(self, item: int, k: int | None, event: Event) -> Change:
        """Apply an event to an item and write the change; the caller commits."""
        self.now += 1.0
        attempt, others = self.journal.attempts(item, k)
        change = advance(
            self.journal.item(item),
            attempt,
            event,
            Circumstances(
                now=self.now,
                rules=self.rules,
                chance=lambda: 0.5,
                others=others,
            ),
        )
        reservation = event.reservation if isinstance(event, Intended) else None
        self.journal.write(change, self.now, reservation)
        return change

    def intend(self, item: int) -> int:
        """Write the item's next intent; return its k."""
        self.now += 1.0
        known = self.journal.item(item)
        k = known.k + 1
        event = Intended(
            k=k,
            marker=identity.make_marker(self.journal.batch(known.batch).batch8, known.key, k),
            key_id=self.key_id,
            body_sha256="0" * 64,
            boot_at=self.now,
            boot_id=self.boot_id,
        )
        self.record(item, None, event)
        return k

    def accept(self, item: int, run_id: str | None = None) -> str:
        """Write an intent and its acceptance; return the run id."""
        k = self.intend(item)
        run_id = run_id or f"run-{item}-{k}"
        self.record(item, k, SubmitAccepted(run_id=run_id, server_date=self.now))
        return run_id

    def lose_answer(self, item: int) -> int:
        """Write an intent whose answer was lost; return its k."""
        k = self.intend(item)
        self.record(item, k, SubmitUnanswered(message="reset", given_up_at=self.now, boot_id=self.boot_id))
        return k

    def finish(self, item: int, result: bytes | None = b'{"price": 1}', status: str = "COMPLETED") -> None:
        """Write the end of the run that the item follows."""
        k = self.journal.item(item).follows
        attempt = self.journal.attempt(item, k)
        assert attempt is not None
        run = RunSnapshot(run_id=attempt.run_id or "", status=status, result=result, finished_at=self.now)
        self.record(item, k, RunEnded(run=run))
