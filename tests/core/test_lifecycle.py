"""The lifecycle of items: all short histories of an item are enumerated and checked against each law."""

from __future__ import annotations

import gc
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import pytest
from msgspec.structs import replace

from batchfish.core import attempts, lifecycle, retry
from batchfish.core.backoff import LONGEST_RETRY_AFTER
from batchfish.core.events import (
    Adopted,
    CancelRequested,
    CannotTell,
    DeadlinePassed,
    Event,
    Intended,
    ProvenAbsent,
    Rechecked,
    RetryRequested,
    Reused,
    RunEnded,
    RunFound,
    RunLost,
    RunMisnamed,
    SubmitAccepted,
    SubmitDeferred,
    SubmitRejected,
    SubmitUnanswered,
)
from batchfish.core.items import Attempt, AttemptState, Item, Status
from batchfish.core.lifecycle import Change, Circumstances, advance
from batchfish.core.rules import RetryRules, Rules
from batchfish.core.runs import REACHED, RunError, RunSnapshot, Verdict
from batchfish.core.transitions import TRANSITIONS, IllegalTransition

if TYPE_CHECKING:
    from collections.abc import Iterator

RULES = Rules(retry=RetryRules(attempts=2, on=("system_failure", "run_timeout")))
SYSTEM_FAILURE = RunError(message="the browser crashed", category="SYSTEM_FAILURE")
BILLING_FAILURE = RunError(message="no credits", category="BILLING_FAILURE")
MISSED = Verdict(reason="null_result")
INTENT = Intended(k=1, marker="m1", key_id="key", body_sha256="", boot_at=0.0, boot_id="boot")
ADOPTED = Adopted(run_id="run", k=1, marker="m1", key_id="key")
EXAMPLES: tuple[Event, ...] = (
    INTENT,
    Reused(source=2),
    SubmitAccepted(run_id="run"),
    SubmitDeferred(reason="rate_limited", message="slower"),
    SubmitRejected(reason="invalid_request", message="no"),
    SubmitUnanswered(message="reset"),
    ADOPTED,
    ProvenAbsent(),
    CannotTell(message="no control"),
    RunEnded(run=RunSnapshot(run_id="run", status="COMPLETED")),
    RunLost(),
    RunMisnamed(run_id="run", marker="m2"),
    RunFound(),
    DeadlinePassed(),
    CancelRequested(),
    RetryRequested(),
    Rechecked(verdict=REACHED),
)


def item(**changes: object) -> Item:
    return replace(Item(pk=1, batch=1, key="abcdefghijklm", id="one", row=1), **changes)


def attempt(k: int = 1, state: AttemptState = AttemptState.RUNNING, **changes: object) -> Attempt:
    known = Attempt(
        item=1,
        k=k,
        marker=f"m{k}",
        state=state,
        key_id="key",
        body_sha256="",
        intended_at=100.0,
        intended_boot=1.0,
        boot_id="boot",
    )
    return replace(known, **changes)


def go(
    known: Item,
    event: Event,
    about: Attempt | None = None,
    *others: Attempt,
    now: float = 1_000.0,
    chance: float = 0.5,
    rules: Rules = RULES,
    last_accepted: float | None = None,
) -> Change:
    return advance(
        known,
        about,
        event,
        Circumstances(
            now=now, rules=rules, chance=lambda: chance, others=others, last_accepted=last_accepted
        ),
    )


def ended(status: str = "FAILED", error: RunError | None = None, verdict: Verdict = REACHED) -> RunEnded:
    return RunEnded(run=RunSnapshot(run_id="run", status=status, error=error), verdict=verdict)


RUNNING = item(status=Status.RUNNING, k=1, follows=1, attempts=1)
SUBMITTING = item(status=Status.SUBMITTING, k=1, follows=1)


class World(NamedTuple):
    """An item and all its attempts."""

    item: Item
    attempts: tuple[Attempt, ...] = ()

    def open(self) -> list[Attempt]:
        return [one for one in self.attempts if one.state.is_open]


@dataclass(frozen=True)
class Step:
    """One event and what it did."""

    before: World
    event: Event
    k: int | None
    after: World
    change: Change


def apply(world: World, event: Event, k: int | None) -> Step:
    """Apply an event as the stages do: with the attempt of that k, and all other open ones."""
    about = next((one for one in world.attempts if one.k == k), None)
    others = [one for one in world.open() if one.k != k]
    change = go(world.item, event, about, *others, now=1_000.0, last_accepted=2_000.0)
    known = {one.k: one for one in world.attempts}
    if change.attempt is not None:
        known[change.attempt.k] = change.attempt
    return Step(world, event, k, World(change.item, tuple(known[k] for k in sorted(known))), change)


def what_may_happen(world: World) -> Iterator[tuple[Event, int | None]]:
    """Return every event that can happen here: from the API, a poll or search, time or a person."""
    known = world.item
    if known.status is Status.QUEUED:
        yield replace(INTENT, k=known.k + 1, marker=f"m{known.k + 1}"), None
        if not known.k and not known.retry_wish:
            yield Reused(source=2), None
    yield CancelRequested(), None
    if known.status in {Status.FAILED, Status.CANCELLED}:
        yield RetryRequested(), None
    for one in world.attempts:
        yield from _about(one)
        is_judged = one.k == known.follows and one.run_status == "COMPLETED"
        if is_judged and known.status in {Status.SUCCEEDED, Status.FAILED} and not world.open():
            yield Rechecked(verdict=REACHED), one.k
            yield Rechecked(verdict=MISSED), one.k
        if one.k == known.follows and known.status is Status.RUNNING:
            yield DeadlinePassed(), one.k
    is_sending = known.status is Status.SUBMITTING
    if not is_sending:
        # A request that was given up is acted on late; or a run is found that a restored journal never knew.
        unknown = [one.k for one in world.attempts if one.run_id is None]
        for k in {*unknown, known.k + 1}:
            for created_at in (1.0, 900.0):
                yield Adopted(run_id=f"run-{k}", k=k, marker=f"m{k}", key_id="key", created_at=created_at), k


def _about(one: Attempt) -> Iterator[tuple[Event, int | None]]:
    k, run = one.k, RunSnapshot(run_id=one.run_id or "", status="COMPLETED")
    match one.state:
        case AttemptState.SUBMITTING:
            yield SubmitAccepted(run_id=f"run-{k}", server_date=500.0), k
            for reason in ("rate_limited", "forbidden", "create_error"):
                yield SubmitDeferred(reason=reason, message=""), k
            yield SubmitRejected(reason="invalid_request", message=""), k
            yield SubmitUnanswered(message=""), k
        case AttemptState.UNANSWERED:
            yield ProvenAbsent(), k
            yield CannotTell(message=""), k
        case AttemptState.RUNNING:
            yield RunEnded(run=run), k
            yield RunEnded(run=run, verdict=MISSED), k
            yield RunEnded(run=replace(run, status="FAILED", error=SYSTEM_FAILURE)), k
            yield RunEnded(run=replace(run, status="FAILED", error=BILLING_FAILURE)), k
            yield RunEnded(run=replace(run, status="CANCELLED")), k
            yield RunLost(), k
            yield RunMisnamed(run_id="run", marker="m2"), k
        case AttemptState.HELD:
            yield ProvenAbsent(), k  # a person's word
            if one.run_id is not None:
                yield RunFound(), k
        case _:
            pass


def dismiss(world: World) -> World:
    """Mark the runs that the item does not follow as surplus, as the stages do."""
    surplus = [one.state is AttemptState.RUNNING and one.k != world.item.follows for one in world.attempts]
    pairs = zip(world.attempts, surplus, strict=True)
    return World(world.item, tuple(attempts.as_surplus(one) if too_many else one for one, too_many in pairs))


def fold(world: World) -> object:
    """Return what distinguishes worlds; counts and times only as far as they decide anything."""
    known = world.item
    return (
        known.status,
        known.cancel_wish,
        known.retry_wish,
        known.reason if known.reason in {"forbidden", "run_timeout", "cancelled_elsewhere"} else None,
        known.reason is None,
        min(known.attempts - known.unpaid, 2),
        min(known.unpaid, 3),
        min(known.refused, 5),
        known.due_at > 0.0,
        known.follows,
        known.k,
        tuple(
            (
                *(one.k, one.state, one.run_id is not None, one.cause == attempts.SURPLUS),
                one.created_at if one.state.is_open else None,
            )
            for one in world.attempts
        ),
    )


@pytest.fixture(scope="module")
def steps() -> list[Step]:
    """Every step of every history of up to two attempts, and each first step of a third."""
    seen, found = set(), []
    edge = [World(item()), World(item(refused=lifecycle.CREATES_WITHOUT_RUN - 1, refused_at=0.0))]
    gc.disable()  # nothing here is garbage, and a collection visits every step found so far
    while edge:
        world = edge.pop()
        for event, k in what_may_happen(world):
            try:
                step = apply(world, event, k)
            except IllegalTransition as error:  # pragma: no cover - says which history broke it
                pytest.fail(f"{event} in {world}: {error}")
            found.append(step)
            for after in (step.after, dismiss(step.after)):
                key = fold(after)
                if key not in seen and len(after.attempts) <= 2:
                    seen.add(key)
                    edge.append(after)
    gc.enable()
    return found


class TestTable:
    def test_every_event_has_its_row(self) -> None:
        assert {type(event) for event in EXAMPLES} == set(TRANSITIONS)

    @pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: type(event).__name__)
    @pytest.mark.parametrize("status", list(Status))
    def test_a_pair_that_is_not_listed_is_refused(self, event: Event, status: Status) -> None:
        about = (
            None
            if isinstance(event, Intended | Reused | Adopted | CancelRequested | RetryRequested)
            else attempt()
        )
        others = [attempt()] if status in {Status.RUNNING, Status.CANCELLING} else []
        k = 0 if isinstance(event, Reused) else 1
        known = item(status=status, k=k, follows=k)
        if status in TRANSITIONS[type(event)]:
            assert go(known, event, about, *others).item.status in TRANSITIONS[type(event)][status]
        else:
            with pytest.raises(IllegalTransition):
                go(known, event, about, *others)

    def test_every_listed_transition_occurs_in_some_history(self, steps: list[Step]) -> None:
        taken = defaultdict(set)
        for step in steps:
            taken[type(step.event), step.before.item.status].add(step.after.item.status)
        for event, ways in TRANSITIONS.items():
            for before, listed in ways.items():
                assert listed <= taken[event, before], (event.__name__, before)

    def test_a_run_is_never_taken_from_its_attempt(self) -> None:
        with pytest.raises(IllegalTransition, match="has the run run-1 already"):
            go(RUNNING, ADOPTED, attempt(run_id="run-1"))


class TestLaws:
    def test_only_what_is_listed_happens(self, steps: list[Step]) -> None:
        for step in steps:
            before, after = step.before.item.status, step.after.item.status
            assert after is before or after in TRANSITIONS[type(step.event)][before]
            assert step.change.was is before

    def test_an_item_with_an_open_attempt_is_never_queued_failed_or_cancelled(
        self, steps: list[Step]
    ) -> None:
        for step in steps:
            if step.after.item.status in {Status.QUEUED, Status.FAILED, Status.CANCELLED}:
                assert step.after.open() == []

    def test_a_create_is_intended_only_when_nothing_else_may_exist(self, steps: list[Step]) -> None:
        intents = [step for step in steps if isinstance(step.event, Intended)]
        assert intents
        assert all(step.before.open() == [] for step in intents)

    def test_a_create_is_intended_only_while_the_runs_known_are_fewer_than_allowed(
        self, steps: list[Step]
    ) -> None:
        for step in steps:
            known = step.before.item
            if isinstance(step.event, Intended) and not known.retry_wish:
                assert known.attempts - known.unpaid < RULES.retry.attempts

    def test_the_status_is_that_of_the_attempt_it_follows(self, steps: list[Step]) -> None:
        states = {
            Status.SUBMITTING: AttemptState.SUBMITTING,
            Status.UNANSWERED: AttemptState.UNANSWERED,
            Status.RUNNING: AttemptState.RUNNING,
            Status.CANCELLING: AttemptState.RUNNING,
            Status.HELD: AttemptState.HELD,
            Status.SUCCEEDED: AttemptState.ENDED,
        }
        for step in steps:
            known = step.after.item
            is_reused = known.status is Status.SUCCEEDED and not known.follows
            if known.status in states and not is_reused:
                (followed,) = [one for one in step.after.attempts if one.k == known.follows]
                assert followed.state is states[known.status], step
                assert known.status is not Status.SUCCEEDED or followed.run_status == "COMPLETED"

    def test_a_result_is_reused_only_before_an_item_is_sent(self, steps: list[Step]) -> None:
        reused = [step for step in steps if isinstance(step.event, Reused)]
        assert reused
        for step in reused:
            assert (step.before.item.k, step.before.attempts) == (0, ())
            assert (step.change.reused, step.change.attempt, step.after.item.attempts) == (2, None, 0)
        for known in (item(k=1), item(retry_wish=True), item(k=1, retry_wish=True)):
            with pytest.raises(IllegalTransition):
                go(known, Reused(source=2))

    def test_a_succeeded_item_never_reopens_unless_its_result_is_judged_again(
        self, steps: list[Step]
    ) -> None:
        for step in steps:
            if step.before.item.status is Status.SUCCEEDED and not isinstance(step.event, Rechecked):
                assert step.after.item.status is Status.SUCCEEDED
                assert step.after.item.follows == step.before.item.follows

    def test_counts_never_fall(self, steps: list[Step]) -> None:
        for step in steps:
            before, after = step.before.item, step.after.item
            assert after.k >= before.k
            assert after.attempts >= before.attempts
            assert after.unpaid >= before.unpaid
            assert after.k == max((one.k for one in step.after.attempts), default=0)
            assert after.attempts == sum(one.run_id is not None for one in step.after.attempts)

    def test_a_run_stays_with_its_attempt(self, steps: list[Step]) -> None:
        for step in steps:
            after = {one.k: one for one in step.after.attempts}
            for one in step.before.attempts:
                assert one.run_id in {None, after[one.k].run_id}
                assert after[one.k].marker == one.marker

    def test_a_slot_is_freed_by_an_end_or_a_proof_and_by_nothing_else(self, steps: list[Step]) -> None:
        proofs = (SubmitDeferred, SubmitRejected, ProvenAbsent, RunEnded)
        for step in steps:
            gone = {one.k for one in step.before.open()} - {one.k for one in step.after.open()}
            assert gone <= ({step.k} if isinstance(step.event, proofs) else set())

    def test_first_end_stays(self, steps: list[Step]) -> None:
        for step in steps:
            after = {one.k: one for one in step.after.attempts}
            for one in step.before.attempts:
                if one.state is AttemptState.ENDED:
                    assert after[one.k] == one

    def test_a_second_run_is_reported(self, steps: list[Step]) -> None:
        for step in steps:
            alive = [one for one in step.after.open() if one.state is AttemptState.RUNNING]
            is_second = isinstance(step.event, Adopted) and (
                len(alive) > 1 or step.before.item.status is Status.SUCCEEDED
            )
            assert (step.change.money_event is not None) == is_second, step

    def test_of_two_alive_the_one_created_first_is_followed(self, steps: list[Step]) -> None:
        met = 0
        for step in steps:
            alive = [one for one in step.after.open() if one.state is AttemptState.RUNNING]
            if isinstance(step.event, Adopted) and len(alive) == 2:
                met += step.after.item.status is not Status.SUCCEEDED
                for followed in (one for one in alive if one.k == step.after.item.follows):
                    assert followed.created_at == min(one.created_at or 0.0 for one in alive)
        assert met

    def test_a_success_is_never_thrown_away(self, steps: list[Step]) -> None:
        for step in steps:
            if isinstance(step.event, RunEnded) and step.event.run.status == "COMPLETED":
                is_success = step.event.verdict.reason is None
                assert not is_success or step.after.item.status is Status.SUCCEEDED

    def test_a_cancel_request_is_kept_in_any_status_and_ends_automatic_attempts(
        self, steps: list[Step]
    ) -> None:
        for step in steps:
            if isinstance(step.event, CancelRequested):
                assert step.after.item.cancel_wish
            if step.before.item.cancel_wish and not isinstance(step.event, RetryRequested):
                assert step.after.item.cancel_wish
                assert step.after.item.status not in {Status.QUEUED, Status.SUBMITTING} or (
                    step.before.item.status is Status.SUBMITTING
                )

    def test_without_a_person_or_a_late_run_an_item_costs_no_more_runs_than_allowed(self) -> None:
        seen, edge, most = set(), [World(item())], 0
        while edge:
            world = edge.pop()
            most = max(most, world.item.attempts - world.item.unpaid)
            assert world.item.unpaid <= retry.BILLING_FAILURES_PARDONED + 1
            for event, k in what_may_happen(world):
                states: dict[int | None, AttemptState] = {one.k: one.state for one in world.attempts}
                is_late = isinstance(event, Adopted) and states.get(k) is not AttemptState.UNANSWERED
                is_word = isinstance(event, ProvenAbsent) and states.get(k) is AttemptState.HELD
                if is_late or is_word or isinstance(event, RetryRequested | CancelRequested):
                    continue
                after = apply(world, event, k).after
                if fold(after) not in seen and len(after.attempts) <= 4:
                    seen.add(fold(after))
                    edge.append(after)
        assert most == RULES.retry.attempts


class TestAnswers:
    def test_an_intent_opens_an_attempt(self) -> None:
        change = go(item(k=2, due_at=900.0), replace(INTENT, k=3, marker="m3"))
        assert change.item == item(status=Status.SUBMITTING, k=3, follows=3)
        assert change.attempt is not None
        assert (change.attempt.k, change.attempt.marker, change.attempt.state) == (3, "m3", "submitting")
        assert (change.attempt.intended_at, change.attempt.boot_id) == (1_000.0, "boot")

    def test_an_accepted_create_counts_and_runs(self) -> None:
        change = go(
            replace(SUBMITTING, refused=3, refused_at=1.0, reason="create_failed", message="no"),
            SubmitAccepted(run_id="run", server_date=999.0),
            attempt(1, AttemptState.SUBMITTING),
        )
        assert change.item == RUNNING
        assert change.attempt == attempt(run_id="run", created_at=999.0)

    @pytest.mark.parametrize(
        "reason", ["unreachable", "rate_limited", "daily_limit", "key_refused", "no_credits", "wrong_api"]
    )
    def test_the_accounts_troubles_cost_no_attempt_and_fail_no_item(self, reason: str) -> None:
        known = SUBMITTING
        for _ in range(50):
            known = go(
                known,
                SubmitDeferred(reason=reason, message="later"),
                attempt(1, AttemptState.SUBMITTING),
                last_accepted=1e9,
            ).item
            assert (known.status, known.reason, known.attempts, known.refused) == ("queued", reason, 0, 0)
            assert known.due_at == 0.0
            known = replace(known, status=Status.SUBMITTING)

    def test_an_item_that_alone_is_forbidden_is_parked_and_fails_when_it_repeats(self) -> None:
        event, about = SubmitDeferred(reason="forbidden", message="no"), attempt(1, AttemptState.SUBMITTING)
        parked = go(SUBMITTING, event, about, now=1_000.0, last_accepted=500.0).item
        assert (parked.status, parked.due_at) == (Status.QUEUED, 1_000.0 + lifecycle.FORBIDDEN_PAUSE)
        known = go(parked, INTENT).item
        again = go(known, event, about, now=1_060.0, last_accepted=500.0).item
        assert again.status is Status.QUEUED  # nobody else was accepted meanwhile
        last = go(go(again, INTENT).item, event, about, now=1_120.0, last_accepted=1_100.0).item
        assert (last.status, last.reason) == (Status.FAILED, "forbidden")

    def test_five_creates_without_a_run_fail_an_item_only_while_others_are_accepted(self) -> None:
        event, about = (
            SubmitDeferred(reason="create_error", message="no"),
            attempt(1, AttemptState.SUBMITTING),
        )

        def after(creates: int, last_accepted: float | None) -> Item:
            known = SUBMITTING
            for n in range(creates):
                known = replace(known, status=Status.SUBMITTING)
                known = go(known, event, about, now=1_000.0 + n, last_accepted=last_accepted).item
            return known

        assert after(4, 2_000.0).status is Status.QUEUED
        assert (after(5, 2_000.0).status, after(5, 2_000.0).reason) == (Status.FAILED, "create_failed")
        assert after(200, None).status is Status.QUEUED
        assert after(200, 999.0).status is Status.QUEUED  # the last one accepted was before the first refusal

    def test_a_create_without_a_run_is_sent_again_later_each_time_but_within_a_quarter_of_an_hour(
        self,
    ) -> None:
        known, waits = replace(SUBMITTING, status=Status.UNANSWERED), []
        for _ in range(1_000):
            known = go(known, ProvenAbsent(), attempt(1, AttemptState.UNANSWERED), chance=0.999).item
            waits.append(known.due_at - 1_000.0)
            known = replace(known, status=Status.UNANSWERED)
        assert waits == sorted(waits)
        assert waits[0] == 0.0
        assert waits[-1] == LONGEST_RETRY_AFTER

    def test_an_accepted_create_resets_the_count_of_those_without_a_run(self) -> None:
        known = replace(SUBMITTING, refused=4, refused_at=1.0)
        accepted = go(known, SubmitAccepted(run_id="run"), attempt(1, AttemptState.SUBMITTING)).item
        assert (accepted.refused, accepted.refused_at) == (0, None)

    @pytest.mark.parametrize("reason", ["rate_limited", "create_error", "forbidden"])
    def test_a_cancelled_item_whose_create_made_no_run_is_cancelled(self, reason: str) -> None:
        known = replace(SUBMITTING, cancel_wish=True)
        about = attempt(1, AttemptState.SUBMITTING)
        after = go(known, SubmitDeferred(reason=reason, message=""), about).item
        assert (after.status, after.reason) == (Status.CANCELLED, "cancelled")


class TestEnds:
    def test_a_run_that_reached_its_goal(self) -> None:
        change = go(RUNNING, ended("COMPLETED"), attempt(run_id="run"))
        assert (change.item.status, change.item.reason) == (Status.SUCCEEDED, None)
        assert change.run is not None
        assert change.attempt is not None
        assert (change.attempt.state, change.attempt.run_status) == (AttemptState.ENDED, "COMPLETED")

    def test_a_completed_run_that_missed_its_goal_is_not_tried_again(self) -> None:
        after = go(RUNNING, ended("COMPLETED", verdict=MISSED), attempt(run_id="run")).item
        assert (after.status, after.reason) == (Status.FAILED, "null_result")

    def test_a_failure_worth_it_is_tried_again_in_the_same_step(self) -> None:
        after = go(RUNNING, ended(error=SYSTEM_FAILURE), attempt(run_id="run"), chance=1.0).item
        assert (after.status, after.reason, after.due_at) == (Status.QUEUED, "system_failure", 1_005.0)

    def test_the_last_attempt_fails(self) -> None:
        after = go(replace(RUNNING, attempts=2), ended(error=SYSTEM_FAILURE), attempt(run_id="run")).item
        assert (after.status, after.reason) == (Status.FAILED, "system_failure")

    def test_two_billing_failures_do_not_count_and_the_third_fails(self) -> None:
        known = RUNNING
        for n in range(1, 4):
            known = go(
                replace(known, status=Status.RUNNING, attempts=n), ended(error=BILLING_FAILURE), attempt()
            ).item
            assert known.status is (Status.FAILED if n == 3 else Status.QUEUED)
            assert known.unpaid == n

    def test_billing_failures_do_not_count_towards_the_attempts(self) -> None:
        known = replace(RUNNING, attempts=3, unpaid=2)
        assert go(known, ended(error=SYSTEM_FAILURE), attempt()).item.status is Status.QUEUED

    def test_a_run_that_took_too_long_is_cancelled_and_counts_as_run_timeout(self) -> None:
        late = go(RUNNING, DeadlinePassed(), attempt()).item
        assert (late.status, late.reason) == (Status.CANCELLING, "run_timeout")
        assert go(late, ended("CANCELLED"), attempt()).item.status is Status.QUEUED
        only_once = Rules(retry=RetryRules(attempts=1, on=("run_timeout",)))
        after = go(late, ended("CANCELLED"), attempt(), rules=only_once).item
        assert (after.status, after.reason) == (Status.FAILED, "run_timeout")

    def test_a_run_that_somebody_else_cancelled(self) -> None:
        after = go(RUNNING, ended("CANCELLED"), attempt()).item
        assert (after.status, after.reason) == (Status.CANCELLED, "cancelled_elsewhere")

    def test_a_run_that_completed_although_it_was_to_be_cancelled_is_a_success(self) -> None:
        requested = go(RUNNING, CancelRequested(), None).item
        assert requested.status is Status.CANCELLING
        assert go(requested, ended("COMPLETED"), attempt()).item.status is Status.SUCCEEDED

    def test_a_cancel_request_beats_run_timeout(self) -> None:
        late = go(RUNNING, DeadlinePassed(), attempt()).item
        requested = go(late, CancelRequested(), None).item
        after = go(requested, ended("CANCELLED"), attempt()).item
        assert (after.status, after.reason) == (Status.CANCELLED, "cancelled")


class TestPersons:
    def test_a_retry_is_exactly_one_attempt_more_and_beats_every_rule(self) -> None:
        never = RunError(message="", code="SITE_BLOCKED", category="AGENT_FAILURE")
        failed = go(replace(RUNNING, attempts=2), ended(error=never), attempt()).item
        assert failed.status is Status.FAILED
        queued = go(failed, RetryRequested(), None, now=5_000.0).item
        assert (queued.status, queued.due_at) == (Status.QUEUED, 5_000.0)
        running = replace(queued, status=Status.RUNNING, attempts=1)
        assert go(running, ended(error=SYSTEM_FAILURE), attempt()).item.status is Status.FAILED

    def test_a_retry_takes_a_cancel_request_back(self) -> None:
        cancelled = go(item(), CancelRequested(), None).item
        assert cancelled.status is Status.CANCELLED
        queued = go(cancelled, RetryRequested(), None).item
        assert (queued.status, queued.cancel_wish) == (Status.QUEUED, False)

    def test_an_unanswered_item_with_a_cancel_request_is_cancelled_once_proven_absent(self) -> None:
        unanswered = item(status=Status.UNANSWERED, k=1, follows=1)
        requested = go(unanswered, CancelRequested(), None).item
        assert requested.status is Status.UNANSWERED
        about = attempt(1, AttemptState.UNANSWERED)
        assert go(requested, ProvenAbsent(), about).item.status is Status.CANCELLED
        found = go(requested, ADOPTED, about).item
        assert found.status is Status.CANCELLING


class TestTwoRuns:
    """Two runs of one item, as a late run or a journal restored from a backup can cause."""

    LATE = Adopted(run_id="late", k=1, marker="m1", key_id="key", created_at=50.0)

    def test_a_late_run_that_was_created_first_is_followed(self) -> None:
        known = replace(RUNNING, k=2, follows=2)
        change = go(
            known, self.LATE, attempt(1, AttemptState.ABSENT), attempt(2, run_id="run-2", created_at=60.0)
        )
        assert (change.item.follows, change.item.status, change.item.attempts) == (1, Status.RUNNING, 2)
        assert (
            change.money_event == "two runs of one item are alive: run-2 and late (steps not known); "
            "it is cancelled if it is alive"
        )

    @pytest.mark.parametrize("created_at", [70.0, None])
    def test_a_late_run_that_was_not_surely_first_changes_nothing(self, created_at: float | None) -> None:
        known = replace(RUNNING, k=2, follows=2)
        event = replace(self.LATE, created_at=created_at)
        change = go(
            known, event, attempt(1, AttemptState.ABSENT), attempt(2, run_id="run-2", created_at=60.0)
        )
        assert (change.item.follows, change.item.status) == (2, Status.RUNNING)
        assert change.attempt is not None
        assert change.attempt.state is AttemptState.RUNNING

    def test_when_the_first_of_two_fails_the_item_follows_the_other(self) -> None:
        known = replace(RUNNING, k=2, follows=1, attempts=1)
        after = go(known, ended(error=SYSTEM_FAILURE), attempt(1), attempt(2, run_id="run-2")).item
        assert (after.status, after.follows, after.due_at) == (Status.RUNNING, 2, 0.0)

    @pytest.mark.parametrize(
        ("first_end", "allowed", "status", "reason"),
        [
            pytest.param(ended(error=SYSTEM_FAILURE), 3, Status.QUEUED, "system_failure", id="retry"),
            pytest.param(ended(error=SYSTEM_FAILURE), 2, Status.FAILED, "system_failure", id="used up"),
            pytest.param(
                ended(error=replace(SYSTEM_FAILURE, never_retry=True)),
                3,
                Status.FAILED,
                "system_failure",
                id="never again",
            ),
            pytest.param(ended("CANCELLED"), 3, Status.CANCELLED, "cancelled_elsewhere", id="cancelled"),
            pytest.param(RunLost(), 3, Status.HELD, "lost_remote", id="lost"),
        ],
    )
    def test_a_run_that_we_cancelled_as_surplus_leaves_the_verdict_to_the_one_before(
        self, first_end: Event, allowed: int, status: Status, reason: str
    ) -> None:
        rules = Rules(retry=RetryRules(attempts=allowed))
        known = replace(RUNNING, k=2, follows=1, attempts=2)
        surplus = attempts.as_surplus(attempt(2, run_id="run-2"))
        turned = go(known, first_end, attempt(1, run_id="run-1"), surplus, rules=rules)
        assert (turned.item.status, turned.item.follows) == (Status.RUNNING, 2)
        left = [turned.attempt] if turned.attempt is not None and turned.attempt.state.is_open else []
        after = go(turned.item, ended("CANCELLED"), surplus, *left, rules=rules).item
        assert (after.status, after.reason) == (status, reason)
        assert (after.due_at > 0.0) == (status is Status.QUEUED)
        succeeded = go(turned.item, ended("COMPLETED"), surplus, *left, rules=rules).item
        assert (succeeded.status, succeeded.reason) == (Status.SUCCEEDED, None)

    def test_a_run_found_while_a_surplus_one_is_cancelled_uses_the_attempts_up(self) -> None:
        rules = Rules(retry=RetryRules(attempts=3))
        known = replace(RUNNING, k=2, follows=1, attempts=2)
        surplus = attempts.as_surplus(attempt(2, run_id="run-2", created_at=1.0))
        turned = go(known, ended(error=SYSTEM_FAILURE), attempt(1), surplus, rules=rules).item
        third = replace(ADOPTED, k=3, marker="m3", run_id="run-3", created_at=9.0)
        found = go(turned, third, None, surplus, rules=rules)
        assert found.attempt is not None
        late = attempts.attempt_after(found.attempt, ended("CANCELLED"))
        assert not late.state.is_open
        after = go(found.item, ended("CANCELLED"), surplus, rules=rules).item
        assert (after.status, after.reason) == (Status.FAILED, "system_failure")

    def test_a_followed_run_that_somebody_else_cancelled_is_not_sent_again(self) -> None:
        known = replace(RUNNING, k=2, follows=1, attempts=2)
        other = attempt(2, run_id="run-2")
        turned = go(known, ended(error=SYSTEM_FAILURE), attempt(1), other, rules=Rules()).item
        after = go(turned, ended("CANCELLED"), other).item
        assert (after.status, after.reason) == (Status.CANCELLED, "cancelled_elsewhere")

    def test_when_the_second_of_two_succeeds_first_it_is_followed(self) -> None:
        known = replace(RUNNING, k=2, follows=1, attempts=2)
        after = go(known, ended("COMPLETED"), attempt(2, run_id="run-2"), attempt(1, run_id="run-1")).item
        assert (after.status, after.follows) == (Status.SUCCEEDED, 2)

    def test_when_the_second_of_two_fails_nothing_happens_to_the_item(self) -> None:
        known = replace(RUNNING, k=2, follows=1, attempts=2)
        change = go(
            known, ended(error=SYSTEM_FAILURE), attempt(2, run_id="run-2"), attempt(1, run_id="run-1")
        )
        assert change.item == known
        assert change.attempt is not None
        assert change.attempt.state is AttemptState.ENDED

    def test_a_late_run_is_followed_instead_of_a_lost_one(self) -> None:
        known = item(status=Status.HELD, reason="lost_remote", k=2, follows=2, attempts=1)
        lost = attempt(2, AttemptState.HELD, run_id="run-2", created_at=10.0)
        change = go(known, self.LATE, attempt(1, AttemptState.ABSENT), lost)
        assert (change.item.status, change.item.follows, change.item.reason) == (Status.RUNNING, 1, None)
        after = go(change.item, ended(error=SYSTEM_FAILURE), change.attempt, lost).item
        assert (after.status, after.follows) == (Status.HELD, 2)

    def test_what_waits_for_a_person_is_followed_last_and_stays_held(self) -> None:
        known = replace(RUNNING, k=3, follows=3)
        held, unanswered = attempt(1, AttemptState.HELD), attempt(2, AttemptState.UNANSWERED)
        after = go(known, ended(error=SYSTEM_FAILURE), attempt(3, run_id="run-3"), held, unanswered).item
        assert (after.status, after.follows) == (Status.UNANSWERED, 2)
        after = go(known, ended(error=SYSTEM_FAILURE), attempt(3, run_id="run-3"), held).item
        assert (after.status, after.follows) == (Status.HELD, 1)
