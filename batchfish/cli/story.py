"""The story of one item: what was sent when, what came of it, what it cost, and what happens next."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from batchfish.cli.console import spell_time
from batchfish.core.attempts import DECLARED_ABSENT, SURPLUS
from batchfish.core.budget import MICRO_DOLLARS, Room, room_for, spell_spending, spell_usd
from batchfish.core.describe import several, spell_duration
from batchfish.core.items import AttemptState, Status
from batchfish.core.retry import NEVER_AGAIN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from batchfish.core.budget import Budget, Reservation, Spending
    from batchfish.core.items import Attempt, Item
    from batchfish.core.rules import Rules
    from batchfish.journal.records import HeldAttempt, MoneyEvent

_REFUSALS = {
    "content_policy_violation": "the API refused its content",
    "create_error": "the API answered with an error",
    "daily_limit": "the account had reached its daily limit",
    "forbidden": "the API refused it",
    "invalid_request": "the API refused the request",
    "key_refused": "the API refused the key",
    "no_credits": "the account was out of credits",
    "rate_limited": "the API asked to wait",
    "unreachable": "the API could not be reached",
    "wrong_api": "the address is not that of the API",
}
"""Why a create surely made no run, by the cause of its attempt."""


class StoryEvent(NamedTuple):
    """Something that happened to an item; `at` is epoch seconds, None where the time is not known."""

    at: float | None
    event: str


class Shortfall(Struct, frozen=True, kw_only=True):
    """A budget that does not cover an item's next run now: what counts against it, and the reservation."""

    budget: Budget
    spending: Spending
    reservation: Reservation

    def __str__(self) -> str:
        """Return it as `$19.00 spent, $0.00 reserved of $20.00, and its run reserves $1.50 (100 steps)`."""
        steps = several(self.reservation.amount // self.budget.step_price, "step")
        spent = spell_spending(self.spending, self.budget)
        return f"{spent}, and its run reserves {spell_usd(self.reservation.amount)} ({steps})"

    @property
    def may_pass(self) -> bool:
        """Whether runs that are alive may leave enough by costing less than they reserve."""
        return room_for(self.budget, self.spending, self.reservation) is Room.LATER

    @property
    def least_cap(self) -> str:
        """The smallest budget that covers the run as well, in US dollars, as `batchfish set` takes it."""
        needed = self.spending.spent + self.spending.reserved + self.reservation.amount
        return f"{needed / MICRO_DOLLARS:.6f}".rstrip("0").rstrip(".")


class Story(Struct, frozen=True, kw_only=True):
    """The facts about an item, as the journal has them, and the story that they tell.

    `batch` is how commands name its batch, `reserved` what its attempts reserved by their number, `is_owned`
    whether a process works on the batch, `reused_from` the batch whose result the item took. `now` is epoch
    seconds.
    """

    item: Item
    batch: str
    attempts: Sequence[Attempt]
    money: Sequence[MoneyEvent]
    reserved: Mapping[int, Reservation]
    rules: Rules
    now: float
    is_paused: bool = False
    is_owned: bool = False
    shortfall: Shortfall | None = None
    reused_from: str | None = None

    def events(self) -> Sequence[StoryEvent]:
        """Return what happened, the first event first.

        Times of runs are the server's. An attempt's events stay in their order if that clock differs.
        """
        placed: list[tuple[float, StoryEvent]] = []
        for attempt in self.attempts:
            at = 0.0
            for event in self._events_of(attempt):
                at = max(at, event.at or 0.0)
                placed.append((at, event))
        placed += [(money.at, StoryEvent(money.at, money.message)) for money in self.money]
        events = [event for _, event in sorted(placed, key=lambda one: one[0])]
        if self.reused_from is not None:
            taken = f"the result of {self.reused_from} was young enough for `fresh_for`: no run was made"
            events.append(StoryEvent(None, taken))
        return events

    def _events_of(self, attempt: Attempt) -> Iterator[StoryEvent]:
        reservation = self.reserved.get(attempt.k)
        is_over = attempt.state is AttemptState.ENDED
        cost = "" if reservation is None else _spell_cost(attempt, reservation)
        sent = f"attempt {attempt.k} {_spell_create(attempt)}"
        yield StoryEvent(attempt.intended_at, sent if is_over else sent + cost)
        if not is_over:
            return
        if attempt.started_at is not None:
            yield StoryEvent(attempt.started_at, "its run started")
        yield StoryEvent(attempt.finished_at, _spell_end(attempt) + cost + self._verdict_on(attempt))

    def _verdict_on(self, attempt: Attempt) -> str:
        """Return what was found of the result of a completed run, if the item follows it."""
        if attempt.run_status != "COMPLETED" or attempt.k != self.item.follows:
            return ""
        if self.item.status is Status.SUCCEEDED:
            return "; its result was accepted"
        return f"; its result was refused: {self.item.reason}" if self.item.status is Status.FAILED else ""

    def because(self) -> str | None:
        """Return why the item has its status, in words; None where the status says it."""
        item, parts = self.item, []
        if item.cancel_wish and item.status is not Status.SUCCEEDED:
            parts.append("a person asked to cancel it")
        if item.retry_wish and item.status is Status.QUEUED:
            parts.append("a person asked for another attempt")
        if item.message:
            parts.append(" ".join(item.message.split()))
        elif item.reason == "run_timeout":
            limit = self.rules.limits.run_timeout
            known = "" if limit is None else f", {spell_duration(limit)}"
            parts.append(f"its run took longer than `limits.run_timeout`{known}")
        return ": ".join(parts) or None

    def next_step(self) -> str:
        """Return what happens if nobody intervenes, or the command that makes something happen."""
        item, batch = self.item, self.batch
        match item.status:
            case Status.QUEUED if not item.wanted:
                return "nothing: the manifest no longer has it"
            case Status.QUEUED if self.is_paused:
                return f"nothing, until you let its batch submit again: batchfish unpause {batch}"
            case Status.QUEUED if self.shortfall is not None and not self.shortfall.may_pass:
                raised = f"batchfish set {batch} budget={self.shortfall.least_cap}"
                return f"nothing, until you raise the budget ({self.shortfall}), at least to: {raised}"
            case Status.HELD:
                return f"nothing, until you decide about it: batchfish held list --batch {batch}"
            case Status.FAILED | Status.CANCELLED if item.wanted:
                when = " once no process works on its batch" if self.is_owned else ""
                return f"nothing: {self._spell_end()}; to make another attempt{when}: {self._retry()}"
            case status if status.is_final:
                return "nothing: it has ended"
        goes_on = "" if self.is_owned else f"; no process is working on it now: batchfish resume {batch}"
        return self._next_of_alive() + goes_on

    def _retry(self) -> str:
        return f"batchfish retry {self.batch} --failed --item {shlex.quote(self.item.id)}"

    def _spell_end(self) -> str:
        """Return that the item has ended, and why no attempt follows by itself."""
        item, retry = self.item, self.rules.retry
        if item.status is not Status.FAILED or self._last_run_status() in {None, "COMPLETED"}:
            return "it has ended"
        cause = item.reason or "unknown"
        if cause not in retry.on or cause == "agent_failure" or cause.upper() in NEVER_AGAIN:
            return f"it has ended, since no other attempt follows after {cause}"
        return f"it has ended after {item.attempts} of at most {several(retry.attempts, 'attempt')}"

    def _last_run_status(self) -> str | None:
        """Return the API's status of the run that decides the item's status; None if there is none."""
        return next((one.run_status for one in self.attempts if one.k == self.item.follows), None)

    def _next_of_alive(self) -> str:
        match self.item.status:
            case Status.SUBMITTING if self.is_owned:
                return "the answer to its create is awaited"
            case Status.SUBMITTING:
                return "the answer to its create was missed, so its run will be searched for"
            case Status.UNANSWERED if self.item.cancel_wish:
                return "its run is searched for, and cancelled if there is one; the item is not sent again"
            case Status.UNANSWERED:
                return "its run is searched for; it is resubmitted only when it is proven that none exists"
            case Status.RUNNING if (limit := self.rules.limits.run_timeout) is not None:
                longest = spell_duration(limit)
                return f"its run is followed to its end, and cancelled if it takes longer than {longest}"
            case Status.RUNNING:
                return "its run is followed to its end"
            case Status.CANCELLING:
                return "its run was asked to stop and is followed to its end"
        if self.shortfall is not None:
            return f"it waits for runs that are alive to cost less than they reserve ({self.shortfall})"
        wait = self.item.due_at - self.now
        due = f", not before {spell_time(self.item.due_at)} (in {spell_duration(wait)})" if wait > 0 else ""
        return f"it is submitted {'again ' if self.item.k else ''}when its turn comes{due}"

    def decisions(self) -> Iterator[str]:
        """Yield what else a person can decide, as words and a command each."""
        item = self.item
        if item.status is Status.FAILED and item.wanted and self._last_run_status() == "COMPLETED":
            yield f"to judge its result again, after a change of the checks: batchfish recheck {self.batch}"
        held = [one for one in self.attempts if one.state is AttemptState.HELD]
        for attempt in held:
            chosen = attempt.k if len(held) > 1 else None
            for words, command in decisions_about(item, attempt.run_id, self.batch, chosen):
                yield f"{words.format(k=attempt.k)}: {command}"


def decisions_about(
    item: Item | HeldAttempt, run_id: str | None, batch: str, chosen: int | None
) -> Iterator[tuple[str, str]]:
    """Yield what a person can decide about a held attempt: in words, with its number as {k}, and the command.

    `run_id` is that of the attempt, `batch` is how commands name the batch. `chosen` is the attempt's number
    where its item has several held attempts.
    """
    place = ("" if chosen is None else f" --attempt {chosen}") + f" --batch {batch}"
    name = shlex.quote(item.id)
    if item.status is not Status.HELD:
        yield "attempt {k} takes a slot until you free it", f"batchfish held drop {name}{place}"
        return
    if run_id is None:
        yield "if you find its run, with the id RUN", f"batchfish held adopt {name} RUN{place}"
    resubmit = f"batchfish held resubmit {name}{place}"
    yield "to send it again, paid for twice if its run exists", resubmit
    yield "to give it up", f"batchfish held drop {name}{place}"


def _spell_create(attempt: Attempt) -> str:
    """Return what came of an attempt's create."""
    match attempt.state:
        case AttemptState.SUBMITTING:
            return "was sent; its answer has not come"
        case AttemptState.REFUSED if attempt.cause == "not_sent":
            return "was not sent after all, because submitting had to wait or to stop"
        case AttemptState.REFUSED:
            why = _REFUSALS.get(attempt.cause or "", "the API refused it")
            return f"was sent, and made no run: {why}"
        case AttemptState.ABSENT if attempt.cause == DECLARED_ABSENT:
            return f"was sent, but its answer was lost; {DECLARED_ABSENT}"
        case AttemptState.ABSENT:
            return (
                f"was sent, but its answer was lost{_spell_loss(attempt)}; it was proven that it made no run"
            )
    if attempt.run_id is None:
        unknown = "; it could not be found out whether it made a run"
        return (
            f"was sent, but its answer was lost{_spell_loss(attempt)}"
            f"{unknown if attempt.state is AttemptState.HELD else ''}"
        )
    if not attempt.body_sha256:
        return f"was not recorded here before its run {attempt.run_id} was found in the account"
    if attempt.cause == "adopted":
        return f"was sent, but its answer was lost; its run {attempt.run_id} was found"
    if attempt.cause == SURPLUS:
        return f"made run {attempt.run_id}, which is cancelled because the item follows another run"
    return f"was sent, and accepted as run {attempt.run_id}"


def _spell_loss(attempt: Attempt) -> str:
    return f" ({' '.join(attempt.cause.split())})" if attempt.cause else ""


def _spell_end(attempt: Attempt) -> str:
    """Return how an attempt's run ended, how long it took, and its error."""
    parts = [f"its run ended: {attempt.run_status}"]
    if attempt.started_at is not None and attempt.finished_at is not None:
        parts.append(f"after {spell_duration(attempt.finished_at - attempt.started_at)}")
    if attempt.steps is not None:
        parts.append(f"and {several(attempt.steps, 'step')}")
    text = " ".join(parts)
    if attempt.error_code or attempt.error_message:
        said = " ".join((attempt.error_message or "").split())
        text += f"; {attempt.error_code or 'error'}: {said}".rstrip(": ")
    return text


def _spell_cost(attempt: Attempt, reservation: Reservation) -> str:
    """Return what an attempt counts against the budget."""
    cost = spell_usd(reservation.cost_of(attempt))
    if attempt.state is AttemptState.ABSENT and attempt.cause == DECLARED_ABSENT:
        return f"; {cost} reserved, which counts since its run may exist"
    if attempt.steps is not None or not (attempt.state.is_open or attempt.run_id):
        return f"; it cost {cost}"
    return f"; {cost} reserved, which counts until its steps are known"
