"""The notifications of a journal: what each target was told, and what is still to be sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from batchfish.core.notifications import NotifiedState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from batchfish.journal.group import GroupCommit

MOST_TRIES = 9
"""The number of tries after which a notification is given up."""


class NewNotification(Struct, frozen=True, kw_only=True):
    """A notification to record: its event, the target's name, what it is about, and its body."""

    event: str
    target: str
    about: NotifiedState
    body: Mapping[str, Any]


class WaitingNotification(Struct, frozen=True, kw_only=True):
    """A notification that was not sent yet; `key` is the same at each try, and in no other notification."""

    pk: int
    key: str
    target: str
    body: Mapping[str, Any]
    tries: int


class Notifications:
    """The notifications of a journal, as its owner reads and writes them. Times are epoch seconds."""

    def __init__(self, group: GroupCommit) -> None:
        """Read and write with the group commit of a journal."""
        self._group = group

    def latest(self, batch: int, target: str) -> NotifiedState | None:
        """Return what the latest notification to a target about a batch was about; None: there was none."""
        rows = self._group.read(
            "SELECT state, held FROM notifications WHERE batch = ? AND target = ? ORDER BY pk DESC LIMIT 1",
            batch,
            target,
        )
        return NotifiedState(state=rows[0][0], held=frozenset(json.loads(rows[0][1]))) if rows else None

    def add(self, batch: int, new: Iterable[NewNotification], now: float) -> None:
        """Commit notifications of a batch that are to be sent."""
        with self._group.transaction():
            self.write(batch, new, now)

    def write(self, batch: int, new: Iterable[NewNotification], now: float) -> None:
        """Record notifications of a batch; they are durable with the transaction of what they are about."""
        for one in new:
            held = json.dumps(sorted(one.about.held))
            self._group.write(
                "INSERT INTO notifications (batch, event, target, state, held, body, at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (batch, one.event, one.target, one.about.state, held, json.dumps(one.body), now),
            )

    def waiting(self) -> Sequence[WaitingNotification]:
        """Return the notifications of all batches that are to be sent, oldest first."""
        rows = self._group.read(
            "SELECT n.pk, b.batch8, n.target, n.body, n.tries FROM notifications n"
            " JOIN batches b ON b.pk = n.batch WHERE n.sent_at IS NULL AND n.tries < ? ORDER BY n.pk",
            MOST_TRIES,
        )
        return [
            WaitingNotification(
                pk=pk, key=f"{batch8}-{pk}", target=target, body=json.loads(body), tries=tries
            )
            for pk, batch8, target, body, tries in rows
        ]

    def begin_try(self, pk: int) -> None:
        """Commit that a notification is about to be sent: the try counts even if this process is killed."""
        self._write_now("UPDATE notifications SET tries = tries + 1 WHERE pk = ?", pk)

    def record_sent(self, pk: int, now: float) -> None:
        """Commit that a notification was sent; it is never sent again."""
        self._write_now("UPDATE notifications SET sent_at = ?, error = NULL WHERE pk = ?", now, pk)

    def record_failure(self, pk: int, error: str) -> None:
        """Commit why a try failed."""
        self._write_now("UPDATE notifications SET error = ? WHERE pk = ?", error, pk)

    def _write_now(self, statement: str, *values: str | float) -> None:
        with self._group.transaction():
            self._group.write(statement, values)
