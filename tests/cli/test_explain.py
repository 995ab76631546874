"""The story that `explain` prints of an item, one test for each state and each usual history."""

from __future__ import annotations

import re
import shlex
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from batchfish.cli.exits import ExitCode
from batchfish.core import identity
from batchfish.core.budget import RUNS_BEFORE_PERCENTILE, Reservation
from batchfish.core.events import (
    Adopted,
    CancelRequested,
    CannotTell,
    DeadlinePassed,
    Event,
    Intended,
    ProvenAbsent,
    RetryRequested,
    Reused,
    RunEnded,
    RunLost,
    RunMisnamed,
    SubmitAccepted,
    SubmitDeferred,
    SubmitRejected,
    SubmitUnanswered,
)
from batchfish.core.rules import rules_from
from batchfish.core.runs import RunError, RunSnapshot, Verdict
from batchfish.journal.lock import OwnerLock
from batchfish.journal.records import NewBatch
from batchfish.journal.sqlite import SqliteJournal
from batchfish.manifest.load import load_manifest
from tests.journal.building import Driver, commit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.cli.conftest import Command

NOW = 1_790_000_000.0
START = NOW - 3600.0

pytestmark = pytest.mark.usefixtures("fixed_clock")


@pytest.fixture
def fixed_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command believe that it is NOW, an hour after the batch began."""
    monkeypatch.setattr("batchfish.cli.commands.explain.time.time", lambda: NOW)


@dataclass(kw_only=True)
class Tale:
    """A journal with an item, i1, which a test moves, and what `explain` then prints of it; `other` is i2."""

    command: Command
    journal: SqliteJournal
    driver: Driver
    batch: int
    item: int
    other: int

    def record(self, event: Event, k: int | None = None) -> None:
        self.driver.record(self.item, k, event)

    def followed(self, event: Event) -> None:
        """Record an event about the attempt that the item follows."""
        self.record(event, self.journal.item(self.item).follows)

    def intend(self, reservation: Reservation | None = None) -> int:
        """Write an intent, whose run may cost as much as is reserved."""
        item = self.journal.item(self.item)
        k, now = item.k + 1, self.driver.now
        marker = identity.make_marker(self.journal.batch(self.batch).batch8, item.key, k)
        self.record(
            Intended(
                k=k,
                marker=marker,
                key_id="key",
                body_sha256="0" * 64,
                boot_at=now,
                boot_id="boot",
                reservation=reservation,
            )
        )
        return k

    def accept(self, reservation: Reservation | None = None) -> None:
        k = self.intend(reservation)
        self.record(SubmitAccepted(run_id=f"run-{k}", server_date=self.driver.now), k)

    def end(
        self,
        status: str = "COMPLETED",
        *,
        verdict: Verdict | None = None,
        error: RunError | None = None,
        steps: int | None = 4,
        k: int | None = None,
    ) -> None:
        """Write the end of a run that was started at once, and ended 30 seconds later."""
        started, k = self.driver.now, k or self.journal.item(self.item).follows
        self.driver.now += 30.0
        run = RunSnapshot(
            run_id=f"run-{k}",
            status=status,
            started_at=started,
            finished_at=self.driver.now,
            steps=steps,
            error=error,
            result=b'{"price": 1}' if status == "COMPLETED" else None,
        )
        self.record(RunEnded(run=run, verdict=verdict or Verdict()), k)

    def lines(self) -> Sequence[str]:
        """Return what `explain` prints, with each time as T; the JSON tells the same story."""
        commit(self.journal)
        out = self.command("explain", "i1").out
        document: dict[str, Any] = self.command("explain", "i1", "--json").summary
        lines = [re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "T", line.strip()) for line in out.splitlines()]
        assert [line.removeprefix("T").strip() for line in lines[3 : 3 + len(document["story"])]] == [
            re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "T", event["event"]) for event in document["story"]
        ]
        times = [event["at"] for event in document["story"] if event["at"] is not None]
        assert times == sorted(times)
        return lines[3:]


def open_tale(command: Command, rules: str, *, owned: bool) -> Iterator[Tale]:
    path = command.folder / "shop.yaml"
    path.write_text(
        "batchfish: 1\nname: shop\ndefaults: {goal: Read it.}\n"
        f"items: [{{id: i1, url: 'https://shop.example/1'}}, {{id: i2, url: 'https://shop.example/2'}}]\n{rules}"
    )
    manifest = load_manifest(path)
    (command.folder / ".batchfish").mkdir(exist_ok=True)
    file = command.folder / ".batchfish" / "shop.db"
    lock = OwnerLock(file) if owned else None
    try:
        with closing(SqliteJournal(file)) as journal:
            journal.reader.staged.load(manifest.items(), identity.FINGERPRINT_VERSION)
            journal.reader.staged.compare(None)
            new = NewBatch(
                name="shop",
                period=None,
                number=1,
                base_url="https://agent.example",
                manifest=manifest.resolved(),
                manifest_path=str(path),
                markers=True,
            )
            batch = journal.begin(new, now=START, chance=b"abcd")
            first, second = (row.key for row in journal.reader.wanted_rows(batch))
            rules_of_batch = rules_from(journal.batch(batch).manifest)
            driver = Driver(journal=journal, now=START, rules=rules_of_batch)
            yield Tale(command=command, journal=journal, driver=driver, batch=batch, item=first, other=second)
    finally:
        if lock is not None:
            lock.release()


@contextmanager
def tale(command: Command, rules: str = "", *, owned: bool = False) -> Iterator[Tale]:
    yield from open_tale(command, rules, owned=owned)


RESUME = "no process is working on it now: batchfish resume shop"
ENDED_AFTER = "it has ended, since no other attempt follows after {}"
RETRY = "batchfish retry shop --failed --item i1"
PRICE = 10_000
WORST = Reservation(amount=150 * PRICE, step_price=PRICE)
SENT = "T  attempt 1 was sent, and accepted as run run-1"
LOST = "T  attempt 1 was sent, but its answer was lost (reset)"
STARTED = "T  its run started"


class TestQueued:
    def test_new(self, command: Command) -> None:
        with tale(command) as told:
            assert told.lines() == [
                "status   queued",
                f"next     it is submitted when its turn comes; {RESUME}",
            ]

    def test_new_beside_a_process(self, command: Command) -> None:
        with tale(command, owned=True) as told:
            assert told.lines()[-1] == "next     it is submitted when its turn comes"

    def test_waiting_for_its_next_attempt(self, command: Command) -> None:
        with tale(command, owned=True) as told:
            told.accept()
            told.driver.now = NOW - 33.0
            told.end("FAILED", error=RunError(message="the browser crashed", category="SYSTEM_FAILURE"))
            told.driver.now = NOW
            assert told.lines() == [
                SENT,
                STARTED,
                "T  its run ended: FAILED after 30s and 4 steps; SYSTEM_FAILURE: the browser crashed",
                "status   queued, system_failure",
                "because  the browser crashed",
                "next     it is submitted again when its turn comes, not before T (in 0.5s)",
            ]

    def test_in_a_paused_batch(self, command: Command) -> None:
        with tale(command) as told:
            told.journal.change_settings(told.batch, {"paused": True}, START)
            assert told.lines()[-1] == (
                "next     nothing, until you let its batch submit again: batchfish unpause shop"
            )

    def test_beyond_a_budget(self, command: Command) -> None:
        with tale(command, "budget: {usd: 1, usd_per_step: 0.01}\n") as told:
            assert told.lines()[-1] == (
                "next     nothing, until you raise the budget ($0.00 spent, $0.00 reserved of $1.00, and its "
                "run reserves $1.50 (150 steps)), at least to: batchfish set shop budget=1.5"
            )
            assert command("set", "shop", "budget=1.5").code == 0
            assert told.lines()[-1] == f"next     it is submitted when its turn comes; {RESUME}"

    def test_waiting_for_runs_that_cost_less_than_they_reserve(self, command: Command) -> None:
        with tale(command, "budget: {usd: 2, usd_per_step: 0.01}\n", owned=True) as told:
            told.driver.accept(told.other)
            assert told.lines()[-1] == (
                "next     it waits for runs that are alive to cost less than they reserve ($0.00 spent, "
                "$1.50 reserved of $2.00, and its run reserves $1.50 (150 steps))"
            )

    @pytest.mark.parametrize("ended", [19, 20])
    def test_a_percentile_is_reserved_as_soon_as_a_run_would(self, command: Command, ended: int) -> None:
        rules = "retry: {attempts: 99}\nbudget: {usd: 0.84, usd_per_step: 0.01, reserve: p95}\n"
        with tale(command, rules, owned=True) as told:
            for _ in range(ended):
                told.accept()
                told.end("FAILED", error=RunError(message="crashed", category="SYSTEM_FAILURE"))
            has_room = told.lines()[-1].startswith("next     it is submitted again when its turn comes")
            assert has_room == (ended == RUNS_BEFORE_PERCENTILE)

    def test_after_a_person_asked_for_another_attempt(self, command: Command) -> None:
        with tale(command) as told:
            told.accept()
            told.end("FAILED", error=RunError(message="no such page", category="AGENT_FAILURE"))
            told.record(RetryRequested())
            assert told.lines()[-3:] == [
                "status   queued",
                "because  a person asked for another attempt",
                f"next     it is submitted again when its turn comes; {RESUME}",
            ]

    def test_after_a_create_that_surely_made_no_run(self, command: Command) -> None:
        with tale(command) as told:
            told.intend()
            told.followed(SubmitDeferred(reason="rate_limited", message="429 too many requests"))
            assert told.lines() == [
                "T  attempt 1 was sent, and made no run: the API asked to wait",
                "status   queued, rate_limited",
                "because  429 too many requests",
                f"next     it is submitted again when its turn comes; {RESUME}",
            ]

    def test_after_its_create_was_proven_to_have_made_no_run(self, command: Command) -> None:
        with tale(command, owned=True) as told:
            k = told.driver.lose_answer(told.item)
            told.record(ProvenAbsent(), k)
            assert told.lines() == [
                f"{LOST}; it was proven that it made no run",
                "status   queued, create_failed",
                "because  no run was made",
                "next     it is submitted again when its turn comes",
            ]

    def test_no_longer_in_the_manifest(self, command: Command) -> None:
        with tale(command) as told:
            told.journal.reader.staged.load([], identity.FINGERPRINT_VERSION)
            told.journal.reader.staged.compare(told.batch)
            told.journal.amend(told.batch, told.journal.batch(told.batch).manifest)
            assert told.lines()[-1] == "next     nothing: the manifest no longer has it"


def test_submitting(command: Command) -> None:
    with tale(command, owned=True) as told:
        told.intend()
        assert told.lines() == [
            "T  attempt 1 was sent; its answer has not come",
            "status   submitting",
            "next     the answer to its create is awaited",
        ]


def test_submitting_when_its_process_was_killed(command: Command) -> None:
    with tale(command) as told:
        told.intend()
        assert told.lines()[-1] == (
            f"next     the answer to its create was missed, so its run will be searched for; {RESUME}"
        )


class TestUnanswered:
    def test_being_searched_for(self, command: Command) -> None:
        with tale(command, owned=True) as told:
            told.driver.lose_answer(told.item)
            assert told.lines() == [
                LOST,
                "status   unanswered",
                "because  reset",
                "next     its run is searched for; it is resubmitted only when it is proven that none exists",
            ]

    def test_to_be_cancelled(self, command: Command) -> None:
        with tale(command, owned=True) as told:
            told.driver.lose_answer(told.item)
            told.record(CancelRequested())
            assert told.lines()[-2:] == [
                "because  a person asked to cancel it: reset",
                "next     its run is searched for, and cancelled if there is one; the item is not sent again",
            ]


class TestRunning:
    def test_accepted(self, command: Command) -> None:
        with tale(command, "limits: {run_timeout: 10m}\n", owned=True) as told:
            told.accept()
            assert told.lines() == [
                SENT,
                "status   running",
                "next     its run is followed to its end, and cancelled if it takes longer than 10m",
            ]

    def test_adopted_after_a_lost_answer(self, command: Command) -> None:
        with tale(command) as told:
            k = told.driver.lose_answer(told.item)
            marker = told.journal.attempt(told.item, k)
            assert marker is not None
            told.record(Adopted(run_id="run-1", k=k, marker=marker.marker, key_id="key"), k)
            assert told.lines() == [
                "T  attempt 1 was sent, but its answer was lost; its run run-1 was found",
                "status   running",
                f"next     its run is followed to its end; {RESUME}",
            ]

    def test_with_a_reservation(self, command: Command) -> None:
        with tale(command, owned=True) as told:
            told.accept(WORST)
            assert told.lines()[0] == f"{SENT}; $1.50 reserved, which counts until its steps are known"

    def test_beside_a_second_run_that_costs_more(self, command: Command) -> None:
        with tale(command, owned=True) as told:
            told.accept()
            told.record(Adopted(run_id="run-9", k=2, marker="", key_id="key", created_at=told.driver.now))
            lines = told.lines()
            assert "T  attempt 2 was not recorded here before its run run-9 was found in the account" in lines
            assert lines[-2] == "status   running"


class TestCancelling:
    def test_because_it_took_too_long(self, command: Command) -> None:
        with tale(command, "limits: {run_timeout: 10m}\n", owned=True) as told:
            told.accept()
            told.followed(DeadlinePassed())
            assert told.lines()[1:] == [
                "status   cancelling, run_timeout",
                "because  its run took longer than `limits.run_timeout`, 10m",
                "next     its run was asked to stop and is followed to its end",
            ]

    def test_because_a_person_asked_for_it(self, command: Command) -> None:
        with tale(command) as told:
            told.accept()
            told.record(CancelRequested())
            assert told.lines()[1:] == [
                "status   cancelling",
                "because  a person asked to cancel it",
                f"next     its run was asked to stop and is followed to its end; {RESUME}",
            ]


class TestHeld:
    DECIDE = "next     nothing, until you decide about it: batchfish held list --batch shop"
    RESUBMIT = "to send it again, paid for twice if its run exists: batchfish held resubmit i1 --batch shop"
    DROP = "to give it up: batchfish held drop i1 --batch shop"

    def test_unanswered(self, command: Command) -> None:
        with tale(command) as told:
            k = told.driver.lose_answer(told.item)
            told.record(CannotTell(message="the listing is down"), k)
            assert told.lines() == [
                f"{LOST}; it could not be found out whether it made a run",
                "status   held, unanswered",
                "because  the listing is down",
                self.DECIDE,
                "if you find its run, with the id RUN: batchfish held adopt i1 RUN --batch shop",
                self.RESUBMIT,
                self.DROP,
            ]

    def test_lost_remote(self, command: Command) -> None:
        with tale(command) as told:
            told.accept()
            told.followed(RunLost())
            assert told.lines() == [
                SENT,
                "status   held, lost_remote",
                "because  the API no longer knows the run",
                self.DECIDE,
                self.RESUBMIT,
                self.DROP,
            ]

    def test_other_marker(self, command: Command) -> None:
        with tale(command) as told:
            told.accept()
            told.followed(RunMisnamed(run_id="run-1", marker="[ref bf-other.]"))
            assert told.lines()[1:3] == [
                "status   held, other_marker",
                "because  the API shows run run-1 with the marker of another attempt, [ref bf-other.]",
            ]
            assert "i1  attempt 1  other_marker  run run-1" in command("held").out

    def test_each_decision_can_be_typed_as_it_is_printed(self, command: Command) -> None:
        with tale(command) as told:
            told.accept()
            told.followed(RunLost())
            listed = told.lines()[3].partition("batchfish ")[2]
        assert command(*shlex.split(listed)).code == 0


class TestSucceeded:
    def test_the_first_time(self, command: Command) -> None:
        with tale(command) as told:
            told.accept(WORST)
            told.end()
            assert told.lines() == [
                SENT,
                STARTED,
                "T  its run ended: COMPLETED after 30s and 4 steps; it cost $0.04; its result was accepted",
                "status   succeeded",
                "next     nothing: it has ended",
            ]

    def test_after_another_attempt(self, command: Command) -> None:
        with tale(command) as told:
            told.accept()
            told.end("FAILED", error=RunError(message="crashed", category="SYSTEM_FAILURE"))
            told.accept()
            told.end(steps=None)
            assert told.lines() == [
                SENT,
                STARTED,
                "T  its run ended: FAILED after 30s and 4 steps; SYSTEM_FAILURE: crashed",
                "T  attempt 2 was sent, and accepted as run run-2",
                STARTED,
                "T  its run ended: COMPLETED after 30s; its result was accepted",
                "status   succeeded",
                "next     nothing: it has ended",
            ]

    def test_with_the_result_of_an_earlier_batch(self, command: Command) -> None:
        with tale(command) as told:
            told.record(Reused(source=told.item))
            assert told.lines() == [
                "the result of shop was young enough for `fresh_for`: no run was made",
                "status   succeeded",
                "next     nothing: it has ended",
            ]

    def test_with_a_suspicious_result(self, command: Command) -> None:
        with tale(command) as told:
            told.accept()
            told.end()
            commit(told.journal)
            found = [(told.item, "9 of 10 items have this result")]
            told.journal.replace_findings(told.batch, "same_answer", found, NOW)
            assert told.lines()[-3:] == [
                "status   succeeded",
                "suspect  9 of 10 items have this result",
                "next     nothing: it has ended",
            ]


class TestFailed:
    @pytest.mark.parametrize(
        ("reason", "message"),
        [
            ("blocked", "the result says: access denied"),
            ("no_price", "result.price > 0 is false"),
            ("schema_mismatch", "#/price: a number is wanted"),
        ],
    )
    def test_by_its_verdict(self, command: Command, reason: str, message: str) -> None:
        with tale(command) as told:
            told.accept()
            told.end(verdict=Verdict(reason=reason, message=message))
            assert told.lines() == [
                SENT,
                STARTED,
                f"T  its run ended: COMPLETED after 30s and 4 steps; its result was refused: {reason}",
                f"status   failed, {reason}",
                f"because  {message}",
                f"next     nothing: it has ended; to make another attempt: {RETRY}",
                "to judge its result again, after a change of the checks: batchfish recheck shop",
            ]

    def test_by_its_run(self, command: Command) -> None:
        with tale(command) as told:
            told.accept()
            told.end("FAILED", error=RunError(message="no such page", category="AGENT_FAILURE"))
            assert told.lines()[-3:] == [
                "status   failed, agent_failure",
                "because  no such page",
                f"next     nothing: {ENDED_AFTER.format('agent_failure')}; to make another attempt: {RETRY}",
            ]

    def test_by_its_create(self, command: Command) -> None:
        with tale(command) as told:
            told.intend()
            told.followed(SubmitRejected(reason="invalid_request", message="400 goal is empty"))
            assert told.lines() == [
                "T  attempt 1 was sent, and made no run: the API refused the request",
                "status   failed, invalid_request",
                "because  400 goal is empty",
                f"next     nothing: it has ended; to make another attempt: {RETRY}",
            ]

    def test_at_the_end_of_its_attempts(self, command: Command) -> None:
        with tale(command) as told:
            for _ in range(2):
                told.accept()
                told.end("FAILED", error=RunError(message="crashed", category="SYSTEM_FAILURE"))
            assert told.lines()[-1] == (
                "next     nothing: it has ended after 2 of at most 2 attempts; "
                f"to make another attempt: {RETRY}"
            )

    def test_because_its_run_took_too_long(self, command: Command) -> None:
        with tale(command, "limits: {run_timeout: 10m}\n") as told:
            told.accept()
            told.followed(DeadlinePassed())
            told.end("CANCELLED")
            assert told.lines()[1:] == [
                STARTED,
                "T  its run ended: CANCELLED after 30s and 4 steps",
                "status   failed, run_timeout",
                "because  its run took longer than `limits.run_timeout`, 10m",
                f"next     nothing: {ENDED_AFTER.format('run_timeout')}; to make another attempt: {RETRY}",
            ]

    def test_while_the_batch_goes_on(self, command: Command) -> None:
        with tale(command, owned=True) as told:
            told.accept()
            told.end("FAILED", error=RunError(message="no such page", category="AGENT_FAILURE"))
            assert told.lines()[-1].endswith(
                f"to make another attempt once no process works on its batch: {RETRY}"
            )


class TestCancelled:
    def test_by_a_person(self, command: Command) -> None:
        with tale(command) as told:
            told.record(CancelRequested())
            assert told.lines() == [
                "status   cancelled",
                "because  a person asked to cancel it",
                f"next     nothing: it has ended; to make another attempt: {RETRY}",
            ]

    def test_elsewhere(self, command: Command) -> None:
        with tale(command) as told:
            told.accept()
            told.end("CANCELLED", steps=1)
            assert told.lines() == [
                SENT,
                STARTED,
                "T  its run ended: CANCELLED after 30s and 1 step",
                "status   cancelled, cancelled_elsewhere",
                "because  somebody else cancelled the run",
                f"next     nothing: it has ended; to make another attempt: {RETRY}",
            ]


def test_an_item_that_has_ended_may_have_a_held_attempt(command: Command) -> None:
    with tale(command) as told:
        k = told.driver.lose_answer(told.item)
        told.record(CannotTell(message="the listing is down"), k)
        run = Adopted(run_id="run-2", k=2, marker="", key_id="key", created_at=told.driver.now)
        told.record(run)
        told.end(k=2)
        assert told.lines()[-3:] == [
            "status   succeeded",
            "next     nothing: it has ended",
            "attempt 1 takes a slot until you free it: batchfish held drop i1 --batch shop",
        ]


def test_a_create_that_was_declared_absent_still_counts(command: Command) -> None:
    with tale(command) as told:
        k = told.intend(WORST)
        told.followed(SubmitUnanswered(message="reset"))
        told.followed(CannotTell(message="the listing is down"))
        told.record(ProvenAbsent(), k)
        assert told.lines()[0] == (
            "T  attempt 1 was sent, but its answer was lost; a person declared that it made no run; "
            "$1.50 reserved, which counts since its run may exist"
        )


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("i1x", "Did you mean i1?"),
        ("https://shop.example/2", "Did you mean i2?"),
        ("walden", "Its items have ids such as i1, i2; `batchfish results` writes them all."),
    ],
)
def test_an_item_that_is_not_there(command: Command, name: str, hint: str) -> None:
    with tale(command):
        asked = command("explain", name)
    assert asked.code == ExitCode.USAGE
    assert asked.err == f"batchfish: shop has no item '{name}'. {hint}\n"


@pytest.mark.parametrize("batch", [(), ("--batch", "shop"), ("--batch", "./shop.yaml")])
def test_an_item_of_a_rehearsal(command: Command, batch: tuple[str, ...]) -> None:
    with tale(command) as told:
        commit(told.journal)
    home = command.folder / ".batchfish"
    (home / "local").mkdir()
    (home / "shop.db").rename(home / "local" / "shop.db")
    asked = command("explain", "i1", *batch)
    assert asked.code == ExitCode.USAGE
    assert asked.err.endswith(" There is a rehearsal, which --local names.\n")
    assert command("explain", "i1", *batch, "--local").code == ExitCode.OK
