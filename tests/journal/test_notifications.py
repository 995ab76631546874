"""Notifications in a journal: what was told, what waits, and how often it was tried."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from batchfish.core.notifications import NotifiedState
from batchfish.journal.notifications import MOST_TRIES, NewNotification
from batchfish.journal.sqlite import SqliteJournal
from tests.journal.building import begin, row

if TYPE_CHECKING:
    from pathlib import Path

HOOK, MAIL = "webhook $HOOK", "command mail ann"
STATE = "finished : 1 succeeded"


def notification(
    target: str = HOOK, *, state: str = "finished : 1 succeeded", held: str = ""
) -> NewNotification:
    about = NotifiedState(state=state, held=frozenset(held.split()))
    return NewNotification(event="finished", target=target, about=about, body={"batch": "books"})


@pytest.fixture
def batch(journal: SqliteJournal) -> int:
    return begin(journal, row("https://books.example/a"))


def test_what_was_told_last_is_known(journal: SqliteJournal, batch: int) -> None:
    assert journal.notifications.latest(batch, HOOK) is None
    journal.notifications.add(batch, [notification(held="1.1 2.1"), notification(MAIL)], 5.0)
    journal.notifications.add(batch, [notification(state="held")], 6.0)
    assert journal.notifications.latest(batch, HOOK) == NotifiedState("held", frozenset())
    assert journal.notifications.latest(batch, MAIL) == NotifiedState(STATE, frozenset())
    assert journal.notifications.latest(batch + 1, HOOK) is None


def test_notifications_are_durable_with_the_end_of_their_batch(
    path: Path, journal: SqliteJournal, batch: int
) -> None:
    journal.finish(batch, 0, 5.0, [notification()])
    journal.close()
    with closing(SqliteJournal(path)) as again:
        assert again.batch(batch).exit_code == 0
        assert [one.target for one in again.notifications.waiting()] == [HOOK]


def test_a_notification_waits_until_it_is_sent(journal: SqliteJournal, batch: int) -> None:
    journal.notifications.add(batch, [notification(), notification(MAIL)], 5.0)
    first, second = journal.notifications.waiting()
    assert (first.target, second.target, first.tries) == (HOOK, MAIL, 0)
    assert first.body == {"batch": "books"}
    assert first.key != second.key
    journal.notifications.begin_try(first.pk)
    journal.notifications.record_failure(first.pk, "no answer")
    again, _ = journal.notifications.waiting()
    assert (again.key, again.tries) == (first.key, 1)
    journal.notifications.begin_try(first.pk)
    journal.notifications.record_sent(first.pk, 6.0)
    assert [one.target for one in journal.notifications.waiting()] == [MAIL]


def test_a_notification_is_given_up_at_last(journal: SqliteJournal, batch: int) -> None:
    journal.notifications.add(batch, [notification()], 5.0)
    (one,) = journal.notifications.waiting()
    for _ in range(MOST_TRIES):
        assert journal.notifications.waiting()
        journal.notifications.begin_try(one.pk)
    assert journal.notifications.waiting() == []
