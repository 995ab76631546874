"""The batches of one journal: what they are called, which one goes on, and how one begins."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from batchfish.core import identity
from batchfish.journal import ingest, records
from batchfish.journal.files import transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from batchfish.journal.base import Batch

PERIODS = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}
"""How the present period is called, in UTC; the names of one kind look alike and sort in time's order."""


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


def full_name(name: str, period: str | None, number: int) -> str:
    """Spell a batch's name: `name`, `name@2026-11-24`, `name.2` or `name@2026-11-24.2`."""
    return name + (f"@{period}" if period else "") + (f".{number}" if number > 1 else "")


def newest(connection: sqlite3.Connection) -> Batch | None:
    """Give the batch that was begun last."""
    row = connection.execute(f"SELECT {records.BATCH} FROM batches ORDER BY pk DESC LIMIT 1").fetchone()
    return None if row is None else records.batch_from(row)


def latest_period(connection: sqlite3.Connection, period: str) -> str:
    """Give the latest of the periods of the same kind as this one, itself included."""
    rows = connection.execute("SELECT DISTINCT period FROM batches WHERE period IS NOT NULL")
    known: list[str] = [other for (other,) in rows]
    return max([period, *(other for other in known if _shape(other) == _shape(period))])


def _shape(period: str) -> str:
    """Tell a period's kind by how its name is written: digits are all alike."""
    return re.sub("[0-9]", "0", period)


def named(connection: sqlite3.Connection, name: str) -> Batch | None:
    """Give the batch of this full name."""
    row = connection.execute(f"SELECT {records.BATCH} FROM batches WHERE name = ?", (name,)).fetchone()
    return None if row is None else records.batch_from(row)


def latest_number(connection: sqlite3.Connection, name: str, period: str | None) -> int:
    """Give the highest number among the batches of this (short) name and period; 0 where there is none."""
    rows = connection.execute("SELECT number, name FROM batches WHERE period IS ?", (period,))
    return max((number for number, full in rows if full == full_name(name, period, number)), default=0)


def fingerprint_version(connection: sqlite3.Connection, batch: int) -> int:
    """Give the version of the fingerprints that a batch's items are known by."""
    (version,) = connection.execute(
        "SELECT fingerprint_version FROM batches WHERE pk = ?", (batch,)
    ).fetchone()
    return int(version)


def batch8s(connection: sqlite3.Connection) -> set[str]:
    """Give what the markers of this journal's batches begin with."""
    return {batch8 for (batch8,) in connection.execute("SELECT batch8 FROM batches")}


def base_urls(connection: sqlite3.Connection) -> set[str]:
    """Give the APIs that this journal's batches belong to: one, or none before the first has begun."""
    return {base_url for (base_url,) in connection.execute("SELECT DISTINCT base_url FROM batches")}


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
        ingest.merge(connection, pk)
    return int(pk)


def amend(connection: sqlite3.Connection, batch: int, manifest: Mapping[str, Any]) -> None:
    """Take an edited manifest into a batch that has begun, in one transaction."""
    with transaction(connection):
        ingest.merge(connection, batch)
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
