"""The batches of one journal: what they are called, which one goes on, and how one begins."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from batchfish.core import identity
from batchfish.journal import ingest, records

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from batchfish.journal.base import Batch

PERIODS = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}
"""How the present period is called, in UTC; the names of one kind sort in time's order."""


def period_at(kind: str | None, now: float) -> str | None:
    """Name the period that `now` (epoch seconds) lies in; None for manifests without periods."""
    return None if kind is None else datetime.fromtimestamp(now, UTC).strftime(PERIODS[kind])


def full_name(name: str, period: str | None, number: int) -> str:
    """Spell a batch's name: `name`, `name@2026-11-24`, `name.2` or `name@2026-11-24.2`."""
    return name + (f"@{period}" if period else "") + (f".{number}" if number > 1 else "")


def newest(connection: sqlite3.Connection) -> Batch | None:
    """Give the batch that was begun last."""
    row = connection.execute(f"SELECT {records.BATCH} FROM batches ORDER BY pk DESC LIMIT 1").fetchone()
    return None if row is None else records.batch_from(row)


def named(connection: sqlite3.Connection, name: str) -> Batch | None:
    """Give the batch of this full name."""
    row = connection.execute(f"SELECT {records.BATCH} FROM batches WHERE name = ?", (name,)).fetchone()
    return None if row is None else records.batch_from(row)


def latest_number(connection: sqlite3.Connection, period: str | None) -> int:
    """Give the highest number among the batches of a period; 0 where there is none."""
    (number,) = connection.execute("SELECT max(number) FROM batches WHERE period IS ?", (period,)).fetchone()
    return number or 0


@dataclass(frozen=True, kw_only=True, slots=True)
class NewBatch:
    """A batch that is to begin: what its manifest is called and says, and the API that it belongs to.

    `markers` says whether its goals carry a marker.
    """

    name: str
    period: str | None
    number: int
    base_url: str
    manifest: Mapping[str, Any]
    manifest_path: str
    markers: bool


def begin(connection: sqlite3.Connection, new: NewBatch, *, now: float, chance: bytes) -> int:
    """Insert a batch with the staged rows as its items, in one transaction; give its pk.

    `now` is in epoch seconds, `chance` are random bytes for its batch8.
    """
    full = full_name(new.name, new.period, new.number)
    connection.execute("BEGIN IMMEDIATE")
    cursor = connection.execute(
        "INSERT INTO batches (name, period, number, batch8, base_url, fingerprint_version, manifest,"
        " manifest_path, markers, begun_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            full,
            new.period,
            new.number,
            identity.make_batch8(full, chance),
            new.base_url,
            identity.FINGERPRINT_VERSION,
            json.dumps(new.manifest),
            new.manifest_path,
            "untested" if new.markers else "off",
            now,
        ),
    )
    batch = cursor.lastrowid
    assert batch is not None  # noqa: S101 - an INSERT has a row
    ingest.merge(connection, batch)
    connection.execute("COMMIT")
    return batch


def amend(connection: sqlite3.Connection, batch: int, manifest: Mapping[str, Any]) -> None:
    """Take an edited manifest into a batch that has begun, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    ingest.merge(connection, batch)
    connection.execute(
        "UPDATE batches SET manifest = ?, exit_code = NULL, ended_at = NULL WHERE pk = ?",
        (json.dumps(manifest), batch),
    )
    connection.execute("COMMIT")


def reopen(connection: sqlite3.Connection, batch: int) -> None:
    """Record that a batch that may have been finished has something to do again."""
    connection.execute("UPDATE batches SET ended_at = NULL, exit_code = NULL WHERE pk = ?", (batch,))


def finish(connection: sqlite3.Connection, batch: int, exit_code: int, now: float) -> None:
    """Record that a batch is finished, and with which exit code."""
    connection.execute("UPDATE batches SET ended_at = ?, exit_code = ? WHERE pk = ?", (now, exit_code, batch))
