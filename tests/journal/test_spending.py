"""The money of a journal's attempts: its owner's sums are those in its file, whatever happens."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchfish.core.budget import Account, Reservation, Spending
from batchfish.core.events import (
    Adopted,
    CannotTell,
    Event,
    ProvenAbsent,
    RunEnded,
    RunLost,
    SubmitAccepted,
    SubmitDeferred,
    SubmitUnanswered,
)
from batchfish.core.items import AttemptState
from batchfish.core.lifecycle import Circumstances, advance
from batchfish.core.rules import RetryRules, Rules
from batchfish.core.runs import RunError, RunSnapshot
from batchfish.journal.queries import open_reader
from batchfish.journal.spending import StepsTaken
from batchfish.journal.sqlite import SqliteJournal
from tests.journal.building import KEY, Driver, begin, commit, connection_of, row

if TYPE_CHECKING:
    from pathlib import Path

PRICE = 1_000
WORST = Reservation(amount=150 * PRICE, step_price=PRICE)
LIMITED = {"agent_config": {"max_steps": 40}}
FAILED = RunError(message="failed", code="TASK_FAILED", category="SYSTEM_FAILURE")


@dataclass(kw_only=True)
class Spender(Driver):
    """Moves items as the stages do, with a reservation for each intent and each adoption."""

    reservation: Reservation | None = WORST
    rules: Rules = field(default_factory=lambda: Rules(retry=RetryRules(attempts=9)))

    def record(self, item: int, k: int | None, event: Event):  # type: ignore[no-untyped-def]  # noqa: ANN201
        self.now += 1.0
        attempt, others = self.journal.attempts(item, k)
        circumstances = Circumstances(now=self.now, rules=self.rules, chance=lambda: 0.0, others=others)
        change = advance(self.journal.item(item), attempt, event, circumstances)
        reserves = k is None or isinstance(event, Adopted)
        self.journal.write(change, self.now, self.reservation if reserves else None)
        return change

    def end(self, item: int, k: int, steps: int | None, status: str = "FAILED") -> None:
        attempt = self.journal.attempt(item, k)
        assert attempt is not None
        run = RunSnapshot(run_id=attempt.run_id or "", status=status, steps=steps, error=FAILED)
        self.record(item, k, RunEnded(run=run))

    def adopt(self, item: int, k: int) -> None:
        known = self.journal.attempt(item, k)
        event = Adopted(run_id=f"run-{item}-{k}", k=k, marker=f"m-{item}-{k}", key_id=KEY)
        self.record(item, k if known is not None else None, event)


@pytest.fixture
def batch(journal: SqliteJournal) -> int:
    return begin(journal, *(row(f"https://books.example/{name}") for name in "abc"))


@pytest.fixture
def spender(journal: SqliteJournal, batch: int) -> Spender:
    assert journal.spending(Account(batch=batch), PRICE) == Spending()
    return Spender(journal=journal)


def total(journal: SqliteJournal, account: Account | None = None) -> Spending:
    """Return the sums in memory, which are those in the file."""
    account = account or Account(batch=1)
    remembered = journal.spending(account, PRICE)
    assert remembered == journal.reader.spending(account, PRICE)
    return remembered


def test_an_attempt_reserves_with_its_intent_and_costs_its_steps_at_the_end(spender: Spender) -> None:
    spender.accept(1)
    assert total(spender.journal) == Spending(reserved=150_000)
    spender.end(1, 1, steps=12)
    assert total(spender.journal) == Spending(spent=12_000)


def test_the_reservation_counts_where_the_api_does_not_tell_the_steps(spender: Spender) -> None:
    spender.accept(1)
    spender.end(1, 1, steps=None)
    assert total(spender.journal) == Spending(spent=150_000)


def test_an_unanswered_create_counts_until_it_is_proven_absent(spender: Spender) -> None:
    k = spender.lose_answer(1)
    assert total(spender.journal) == Spending(reserved=150_000)
    spender.record(1, k, ProvenAbsent())
    assert total(spender.journal) == Spending()


def test_a_held_create_that_a_person_gives_up_counts_on(spender: Spender) -> None:
    k = spender.lose_answer(1)
    spender.record(1, k, CannotTell(message="no control"))
    assert total(spender.journal) == Spending(reserved=150_000)
    spender.record(1, k, ProvenAbsent())
    assert total(spender.journal) == Spending(spent=150_000)


def test_a_run_that_shows_after_its_create_was_refused_or_proven_absent_counts_again(
    spender: Spender,
) -> None:
    k = spender.intend(1)
    spender.record(1, k, SubmitDeferred(reason="rate_limited", message="429"))
    assert total(spender.journal) == Spending()
    spender.adopt(1, k)
    assert total(spender.journal) == Spending(reserved=150_000)
    spender.end(1, k, steps=3)
    assert total(spender.journal) == Spending(spent=3_000)


def test_adopting_the_run_of_an_unanswered_create_reserves_nothing_more(spender: Spender) -> None:
    k = spender.lose_answer(1)
    spender.reservation = Reservation(amount=99, step_price=7)
    spender.adopt(1, k)
    assert total(spender.journal) == Spending(reserved=150_000)
    assert spender.journal.reader.reservations_of(1) == {k: WORST}


def test_attempts_without_a_reservation_count_by_their_steps_or_their_worst_case(
    journal: SqliteJournal,
) -> None:
    begin(journal, *(row(f"https://books.example/{name}", request=LIMITED) for name in "abc"))
    spender = Spender(journal=journal, reservation=None)
    for item in (1, 2, 3):
        spender.accept(item)
    spender.end(1, 1, steps=5)
    spender.end(2, 1, steps=None)
    assert total(journal) == Spending(spent=5_000 + 40_000, reserved=40_000)
    spender.end(3, 1, steps=6)
    assert total(journal) == Spending(spent=5_000 + 40_000 + 6_000)


def test_what_a_percentile_leaves_open_is_counted_apart(spender: Spender) -> None:
    spender.reservation = Reservation(amount=10_000, step_price=PRICE)
    spender.accept(1)
    assert total(spender.journal) == Spending(reserved=10_000, uncovered=140_000)
    spender.end(1, 1, steps=70)
    assert total(spender.journal) == Spending(spent=70_000)


def test_accounts_take_what_is_theirs(journal: SqliteJournal) -> None:
    urls = [row(f"https://books.example/{name}") for name in "ab"]
    begin(journal, *urls, period="2026-11-24")
    begin(journal, *urls, period="2026-11-24", number=2, chance=b"efgh")
    begin(journal, *urls, period="2026-11-25", chance=b"ijkl")
    spender = Spender(journal=journal)
    for item in (1, 3, 5):
        spender.accept(item)
    until = spender.now
    spender.accept(6)
    accounts = [
        Account(batch=1),
        Account(period="2026-11-24"),
        Account(period="2026-11-25"),
        Account(until=until),
        Account(since=until),
        Account(),
    ]
    spent = [total(journal, account).reserved // WORST.amount for account in accounts]
    assert spent == [1, 2, 2, 3, 1, 4]
    spender.end(6, 1, steps=0)
    assert [total(journal, account).reserved // WORST.amount for account in accounts] == [1, 2, 1, 3, 0, 3]


def test_steps_are_counted_by_batch_and_by_number(journal: SqliteJournal, batch: int, path: Path) -> None:
    spender = Spender(journal=journal)
    assert journal.steps_taken(batch) == Counter()
    for item, steps in ((1, 5), (2, 5), (3, None)):
        spender.accept(item)
        spender.end(item, 1, steps=steps)
    commit(journal)
    assert journal.steps_taken(batch) == Counter({5: 2})
    with open_reader(path) as reader:
        assert reader.steps_taken(batch) == StepsTaken(runs=2, steps=10)
        assert reader.steps_taken(99) == StepsTaken()
        assert reader.past_runs().steps == Counter({5: 2})


STEPS = st.one_of(st.none(), st.integers(0, 200))
ACTIONS = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.sampled_from(["intend", "answer", "lose", "absent", "hold", "adopt", "end"]),
        STEPS,
    ),
    max_size=40,
)


def take(spender: Spender, item: int, action: str, steps: int | None) -> None:
    """Take an action where the item's latest attempt allows it."""
    known = spender.journal.item(item)
    attempt = spender.journal.attempt(item, known.k) if known.k else None
    state = attempt.state if attempt is not None else None
    match action, state:
        case "intend", _ if known.status == "queued":
            spender.intend(item)
        case "answer", AttemptState.SUBMITTING:
            is_refused = steps is not None and steps % 3 == 0
            answer = SubmitDeferred(reason="unreachable", message="no") if is_refused else None
            spender.record(item, known.k, answer or SubmitAccepted(run_id=f"run-{item}-{known.k}"))
        case "lose", AttemptState.SUBMITTING:
            spender.record(item, known.k, SubmitUnanswered(message="reset"))
        case "absent", AttemptState.UNANSWERED | AttemptState.HELD:
            spender.record(item, known.k, ProvenAbsent())
        case "hold", AttemptState.UNANSWERED:
            spender.record(item, known.k, CannotTell(message="?"))
        case "hold", AttemptState.RUNNING if known.follows == known.k:
            spender.record(item, known.k, RunLost())
        case "adopt", _ if state is not AttemptState.SUBMITTING:
            is_free = attempt is not None and attempt.run_id is None
            spender.adopt(item, known.k if is_free else known.k + 1)
        case "end", AttemptState.RUNNING:
            spender.end(item, known.k, steps)
        case _:
            pass


@settings(max_examples=60, deadline=None)
@given(actions=ACTIONS, reserves=st.booleans())
def test_the_sums_in_memory_are_those_in_the_file_and_those_of_the_next_owner(
    tmp_path_factory: pytest.TempPathFactory,
    *,
    actions: list[tuple[int, str, int | None]],
    reserves: bool,
) -> None:
    path = tmp_path_factory.mktemp("spending") / "books.db"
    with closing(SqliteJournal(path)) as journal:
        connection_of(journal).execute("PRAGMA synchronous = OFF")
        begin(journal, *(row(f"https://books.example/{name}") for name in "abc"))
        total(journal)
        journal.steps_taken(1)
        spender = Spender(journal=journal, reservation=WORST if reserves else None)
        for item, action, steps in actions:
            take(spender, item, action, steps)
            total(journal)
        commit(journal)
        last, steps_taken = total(journal), journal.steps_taken(1)
        attempts = [one for item in (1, 2, 3) for one in journal.reader.attempts_of(item)]
        assert last.spent + last.reserved == sum(map(WORST.cost_of, attempts))
    with closing(SqliteJournal(path)) as journal:
        assert journal.spending(Account(batch=1), PRICE) == last
        assert journal.steps_taken(1) == steps_taken
        taken = journal.reader.steps_taken(1)
        assert taken == StepsTaken(runs=steps_taken.total(), steps=sum(steps_taken.elements()))
