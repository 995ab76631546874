"""The batches of one journal: what they are called, which one goes on, and how one begins."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchfish.core import identity
from batchfish.core.rules import PERIODS
from batchfish.journal import ingest
from batchfish.journal.base import NewBatch as NewBatch  # noqa: PLC0414
from batchfish.journal.base import full_name as full_name  # noqa: PLC0414
from batchfish.journal.files import transaction
from batchfish.journal.queries import JournalReader

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from batchfish.journal.base import Batch

_STEPS = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=1),
}


def period_at(kind: str | None, now: float) -> str | None:
    """Name the period that `now` (epoch seconds) lies in; None for manifests without periods."""
    return None if kind is None else datetime.fromtimestamp(now, UTC).strftime(PERIODS[kind])


def periods_before(kind: str | None, now: float, most: int = 400) -> Sequence[str]:
    """Name the present period and those before it, the latest first, `most` of them; none without periods."""
    if kind is None:
        return []
    names: list[str] = []
    moment = datetime.fromtimestamp(now, UTC)
    while len(names) < most:
        names.append(moment.strftime(PERIODS[kind]))
        # A month ends on the day before its first, whatever its length.
        moment = moment.replace(day=1) if kind == "month" else moment
        moment -= _STEPS[kind]
    return names


def newest(connection: sqlite3.Connection) -> Batch | None:
    """Return `JournalReader.newest_batch()`."""
    return JournalReader(connection, Path()).newest_batch()


def latest_period(connection: sqlite3.Connection, period: str) -> str:
    """Return `JournalReader.latest_period(period)`."""
    return JournalReader(connection, Path()).latest_period(period)


def named(connection: sqlite3.Connection, name: str) -> Batch | None:
    """Return `JournalReader.batch_named(name)`."""
    return JournalReader(connection, Path()).batch_named(name)


def latest_number(connection: sqlite3.Connection, name: str, period: str | None) -> int:
    """Return `JournalReader.latest_number(name, period)`."""
    return JournalReader(connection, Path()).latest_number(name, period)


def fingerprint_version(connection: sqlite3.Connection, batch: int) -> int:
    """Return `JournalReader.fingerprint_version(batch)`."""
    return JournalReader(connection, Path()).fingerprint_version(batch)


def base_urls(connection: sqlite3.Connection) -> set[str]:
    """Return `JournalReader.base_urls()`."""
    return JournalReader(connection, Path()).base_urls()


def begin(connection: sqlite3.Connection, new: NewBatch, *, now: float, chance: bytes) -> int:
    """Insert a batch with the staged rows as its items, in one transaction; give its pk.

    `now` is in epoch seconds, `chance` are random bytes for its batch8.
    """
    full = full_name(new.name, new.period, new.number)
    row = {
        "name": full,
        "period": new.period,
        "number": new.number,
        "batch8": identity.make_batch8(full_name(new.name, new.period, 1), chance),
        "base_url": new.base_url,
        "fingerprint_version": identity.FINGERPRINT_VERSION,
        "manifest": json.dumps(new.manifest),
        "manifest_path": new.manifest_path,
        "markers": "untested" if new.markers else "off",
        "begun_at": now,
    }
    with transaction(connection):
        (pk,) = connection.execute(
            f"INSERT INTO batches ({', '.join(row)}) VALUES (:{', :'.join(row)}) RETURNING pk", row
        ).fetchone()
        ingest.StagedRows(connection).merge(pk, connection.execute)
    return int(pk)


def amend(connection: sqlite3.Connection, batch: int, manifest: Mapping[str, Any]) -> None:
    """Take an edited manifest into a batch that has begun, in one transaction."""
    with transaction(connection):
        ingest.StagedRows(connection).merge(batch, connection.execute)
        connection.execute(
            "UPDATE batches SET manifest = ?, exit_code = NULL, ended_at = NULL WHERE pk = ?",
            (json.dumps(manifest), batch),
        )


def relocate(connection: sqlite3.Connection, batch: int, manifest_path: str) -> None:
    """Record where the manifest of a batch lies now: its table goes beside it."""
    connection.execute("UPDATE batches SET manifest_path = ? WHERE pk = ?", (manifest_path, batch))


def finish(connection: sqlite3.Connection, batch: int, exit_code: int, now: float) -> None:
    """Record that a batch is finished, and with which exit code."""
    connection.execute("UPDATE batches SET ended_at = ?, exit_code = ? WHERE pk = ?", (now, exit_code, batch))
