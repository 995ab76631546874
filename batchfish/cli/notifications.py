"""Notifies the targets of a manifest of how a batch ended and of held items; this never fails a command."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct

from batchfish import __version__
from batchfish.cli.access import API_KEY, LOCAL_BASE
from batchfish.cli.cost import usd
from batchfish.cli.counts import count
from batchfish.cli.failures import failure_of
from batchfish.cli.locate import folder_of, spell
from batchfish.cli.system_clock import SystemClock
from batchfish.core.budget import Account
from batchfish.core.expressions import ExpressionFailed, compile_condition
from batchfish.core.items import Status
from batchfish.core.notifications import (
    CHANGES,
    MESSAGES,
    MOST_IDS,
    SPENT,
    BatchEnd,
    BatchEvent,
    body_text,
    cause_of,
    condition_values,
    event_for,
    listed,
    messages_of,
    notified_by,
    subject_of,
    text_of,
)
from batchfish.core.rules import rules_from
from batchfish.errors import BatchfishError
from batchfish.journal.notifications import NewNotification
from batchfish.journal.queries import open_reader
from batchfish.pipeline.context import StopKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
    from pathlib import Path

    from batchfish.cli.console import Console
    from batchfish.cli.counts import Counts
    from batchfish.core.items import Item
    from batchfish.core.notifications import Target
    from batchfish.journal.records import Batch, HeldAttempt
    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.notify.delivery import Delivery, Result
    from batchfish.notify.targets import Surroundings
    from batchfish.pipeline.context import Stop

BY_A_PERSON = frozenset({StopKind.CANCELLED, StopKind.SIGNAL})
"""The stops that a person asked for, who need not be told of them."""


class Cause(NamedTuple):
    """Why a batch stopped: the kind of the stop or the error, and its message."""

    kind: str
    message: str


def event_of(stop: Stop | None, *, is_finished: bool) -> BatchEvent | None:
    """Return the event of a batch that is finished, or was left with this stop; None if it is not told."""
    if is_finished:
        return BatchEvent.FINISHED
    kind = None if stop is None else stop.kind
    if kind is None or kind in BY_A_PERSON:
        return None
    return BatchEvent.HALTED if kind is StopKind.HALTED else BatchEvent.STOPPED


def warn_of_faults(batch: Batch, env: Mapping[str, str], console: Console) -> None:
    """Print a warning for each target of a batch to which nothing can be sent."""
    targets = rules_from(batch.manifest).notify
    if targets:
        from batchfish.notify.targets import find_fault

        around = surroundings(folder_of(batch), env)
        for target in targets:
            if (fault := find_fault(target, around)) is not None:
                console.warn(f"notify: {target.label} gets no notifications: {fault}")


def new_notifications(
    journal: SqliteJournal,
    batch: Batch,
    console: Console,
    counts: Counts,
    *,
    event: BatchEvent | None,
    cause: Cause | None,
    exit_code: int,
    resume: str | None,
) -> list[NewNotification]:
    """Return the notifications about the end of a process's work on a batch.

    `cause` is None if it did not stop, and `resume` is the command that goes on. A target is told nothing
    twice.
    """
    targets, found = rules_from(batch.manifest).notify, list[NewNotification]()
    with never_failing(console):
        if targets:
            held = journal.reader.held_attempts(batch.pk)
            end = BatchEnd(
                event=event,
                reason=None if cause is None else cause.kind,
                exit_code=int(exit_code),
                counts=counts.by_status,
                held=frozenset(f"{one.item}.{one.k}" for one in held),
            )
            facts = _Facts(
                journal=journal,
                batch=batch,
                console=console,
                at=SystemClock().now(),
                counts=counts,
                held=held,
                message=None if cause is None else cause_of(cause.message),
                resume=resume,
            )
            for target in targets:
                latest = journal.notifications.latest(batch.pk, target.name)
                one = event_for(target, end, latest)
                is_named_already = any(new.target == target.name for new in found)
                if one is not None and not is_named_already and facts.holds(target, end):
                    body = facts.body_of(target, end, one)
                    found.append(
                        NewNotification(
                            event=one, target=target.name, about=notified_by(end, latest), body=body
                        )
                    )
    return found


@asynccontextmanager
async def notifying_of_failures(
    journal: SqliteJournal, batch: Batch, env: Mapping[str, str], console: Console
) -> AsyncIterator[None]:
    """Notify the targets of an error that ends the block, and raise it again."""
    try:
        yield
    except BatchfishError as error:
        if not rules_from(batch.manifest).notify:
            raise
        failure = failure_of(error)
        with never_failing(console):
            new = new_notifications(
                journal,
                batch,
                console,
                count(journal.reader, batch.pk),
                event=BatchEvent.STOPPED,
                cause=Cause(failure.kind, str(failure)),
                exit_code=failure.exit_code,
                resume=f"batchfish resume {spell(journal.path, batch)}",
            )
            journal.notifications.add(batch.pk, new, SystemClock().now())
            await send_waiting(journal, batch, env, console)
        raise


async def send_waiting(
    journal: SqliteJournal, batch: Batch, env: Mapping[str, str], console: Console
) -> None:
    """Send what was not sent yet, about any batch of the journal, to the targets of this batch's manifest."""
    with never_failing(console):
        targets = {target.name: target for target in rules_from(batch.manifest).notify}
        waiting = [one for one in journal.notifications.waiting() if one.target in targets]
        if not waiting:
            return
        from batchfish.notify.delivery import deliver
        from batchfish.notify.targets import send, unlogged

        around = surroundings(folder_of(batch), env)
        with unlogged():
            results = await deliver(
                [delivery_of(one.pk, one.key, one.body, targets[one.target]) for one in waiting],
                lambda target, message, within: send(target, message, around, within),
                journal.notifications,
                SystemClock(),
            )
        left = {one.pk for one in journal.notifications.waiting()}
        for result in results:
            print_result(console, result, is_tried_again=result.delivery.pk in left)


def print_result(console: Console, result: Result, *, is_tried_again: bool) -> None:
    """Print what came of a notification."""
    label = result.delivery.target.label
    if result.error is None:
        console.say(f"notified {label}: {result.delivery.message.event}")
    else:
        detail = f" ({result.detail})" if result.detail else ""
        after = "`run` tries again" if is_tried_again else "it was the last try"
        console.warn(f"notify: nothing was sent to {label}: {result.error}{detail}; {after}")


def send_left_over(journal: SqliteJournal, batch: Batch, env: Mapping[str, str], console: Console) -> None:
    """Send what earlier processes could not send, for a command that does nothing else."""
    if rules_from(batch.manifest).notify:
        asyncio.run(send_waiting(journal, batch, env, console))


@contextmanager
def never_failing(console: Console) -> Iterator[None]:
    """Print a warning for an error in the block, instead of raising it."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever goes wrong here, the batch has ended as it has
        text = str(error) if isinstance(error, BatchfishError) else type(error).__name__
        console.warn(f"notify: a notification failed: {text}")


class _Facts(Struct, frozen=True, kw_only=True, dict=True):
    """The facts in notifications about a batch; those that take time are read once, if they are asked for.

    `at` is the time of what they tell, epoch seconds.
    """

    journal: SqliteJournal
    batch: Batch
    console: Console
    at: float
    counts: Counts
    held: Sequence[HeldAttempt]
    message: str | None
    resume: str | None

    @cached_property
    def changes(self) -> Mapping[str, int] | None:
        """Counts of the items that were added, changed or removed since the batch before.

        None if no target's condition asks, or in the first batch of a journal.
        """
        conditions = [
            one.only_if for one in rules_from(self.batch.manifest).notify if one.only_if is not None
        ]
        if not any(compile_condition(one).variables & CHANGES for one in conditions):
            return None
        from batchfish.cli.changes import changes_since  # slow to import, and few conditions ask

        with open_reader(self.journal.path) as reader:
            counts = changes_since(reader, self.batch)
        return None if counts is None else {name: getattr(counts, name) for name in sorted(CHANGES)}

    @cached_property
    def spent(self) -> float | None:
        """The cost of the batch so far, in US dollars; None without a budget."""
        budget = rules_from(self.batch.manifest).budget
        if budget is None:
            return None
        return usd(self.journal.reader.spending(Account(batch=self.batch.pk), budget.step_price).spent)

    def holds(self, target: Target, end: BatchEnd) -> bool:
        """Return whether a target's condition holds; one that cannot be evaluated does."""
        if target.only_if is None:
            return True
        condition = compile_condition(target.only_if)
        more: dict[str, float] = {SPENT: self.spent or 0.0, **(self.changes or dict.fromkeys(CHANGES, 0))}
        try:
            return condition.holds(condition_values(end, condition.variables, more))
        except ExpressionFailed as error:
            self.console.warn(
                f"notify: `only_if` of {target.label} cannot be evaluated, and is ignored: {error}"
            )
            return True

    def body_of(self, target: Target, end: BatchEnd, event: BatchEvent) -> dict[str, Any]:
        """Return the body of a notification, as docs/schemas/notification.json describes it."""
        name = spell(self.journal.path, self.batch)
        failed = self.journal.reader.items_in(self.batch.pk, (Status.FAILED,), most=MOST_IDS)
        held = list({one.id: one for one in self.held}.values())
        named: list[Item | HeldAttempt] = [*failed, *held]
        messages = messages_of([(one.id, str(one.status), one.reason, one.message) for one in named])
        return {
            "batch": self.batch.name,
            "local": self.batch.base_url == LOCAL_BASE,
            "at": datetime.fromtimestamp(self.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "event": event,
            "reason": end.reason,
            "message": self.message,
            "exit_code": end.exit_code,
            "counts": dict(self.counts.by_status),
            "changes": self.changes,
            "spent_usd": self.spent,
            "failed": listed([one.id for one in failed], self.counts[Status.FAILED]),
            "held": listed([one.id for one in held], len(held)),
            "messages": messages if MESSAGES in target.include else None,
            "resume": self.resume,
            "see_failed": f"batchfish results {name} --failed -o failed.csv" if failed else None,
            "decide": f"batchfish held list --batch {name}" if held else None,
        }


def delivery_of(pk: int, key: str, body: Mapping[str, Any], target: Target) -> Delivery:
    """Return the delivery of a notification's body; `key` is the same for all tries."""
    from batchfish.notify.delivery import Delivery
    from batchfish.notify.targets import Message

    return Delivery(
        pk=pk,
        target=target,
        message=Message(
            key=key,
            batch=body["batch"],
            event=body["event"],
            subject=subject_of(body),
            text=text_of(body),
            body=body_text(body),
        ),
    )


def surroundings(folder: Path, env: Mapping[str, str]) -> Surroundings:
    """Return what sending depends on, for the manifest of a folder; the API key is no part of it."""
    from batchfish.notify.targets import Surroundings

    return Surroundings(
        env={name: value for name, value in env.items() if name != API_KEY},
        folder=folder,
        version=__version__,
    )
