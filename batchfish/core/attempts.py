"""The changes that events make to attempts: the creates of an item and the runs that they made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from batchfish.core.events import (
    Adopted,
    CannotTell,
    Intended,
    ProvenAbsent,
    RunEnded,
    RunFound,
    RunLost,
    RunMisnamed,
    SubmitAccepted,
    SubmitDeferred,
    SubmitRejected,
    SubmitUnanswered,
)
from batchfish.core.items import Attempt, AttemptState

if TYPE_CHECKING:
    from batchfish.core.events import AttemptEvent
    from batchfish.core.runs import RunSnapshot

SURPLUS = "surplus"
"""The cause of an attempt whose run was to be cancelled because its item followed another one."""

DECLARED_ABSENT = "a person declared that it made no run"
"""The cause of a held attempt that a person gave up; its run may exist, and may cost."""


def new_attempt(item: int, event: Intended, now: float) -> Attempt:
    """Return the attempt of an item (its pk) that is about to be sent; `now` is epoch seconds."""
    return Attempt(
        item=item,
        k=event.k,
        marker=event.marker,
        state=AttemptState.SUBMITTING,
        key_id=event.key_id,
        body_sha256=event.body_sha256,
        intended_at=now,
        intended_boot=event.boot_at,
        boot_id=event.boot_id,
        server_date=event.server_date,
    )


def unintended_attempt(item: int, event: Adopted, now: float) -> Attempt:
    """Return what is known of an attempt whose run was found, but which this journal never intended."""
    return Attempt(
        item=item,
        k=event.k,
        marker=event.marker,
        state=AttemptState.UNANSWERED,
        key_id=event.key_id,
        body_sha256="",
        intended_at=event.created_at or now,
        intended_boot=0.0,
        boot_id="",
    )


def as_surplus(attempt: Attempt) -> Attempt:
    """Return the attempt marked as surplus, which is recorded before its run is cancelled."""
    return replace(attempt, cause=SURPLUS)


def attempt_after(attempt: Attempt, event: AttemptEvent) -> Attempt:
    """Return the attempt after an event about it, whether or not its item follows it."""
    match event:
        case SubmitAccepted(run_id=run_id, server_date=server_date):
            return replace(attempt, state=AttemptState.RUNNING, run_id=run_id, created_at=server_date)
        case SubmitDeferred(reason=reason) | SubmitRejected(reason=reason):
            return replace(attempt, state=AttemptState.REFUSED, cause=reason)
        case SubmitUnanswered(message=message, given_up_at=given_up_at, boot_id=boot_id):
            return replace(
                attempt,
                state=AttemptState.UNANSWERED,
                cause=message,
                given_up_at=given_up_at,
                given_up_boot_id=boot_id,
            )
        case ProvenAbsent():
            is_held = attempt.state is AttemptState.HELD  # then only a person can say so
            cause = DECLARED_ABSENT if is_held else attempt.cause
            return replace(attempt, state=AttemptState.ABSENT, cause=cause)
        case RunLost() | RunMisnamed() | CannotTell():
            return replace(attempt, state=AttemptState.HELD)
        case RunFound():
            return replace(attempt, state=AttemptState.RUNNING)
        case RunEnded(run=run):
            return _ended_attempt(attempt, run)
        case _:
            return attempt


def _ended_attempt(attempt: Attempt, run: RunSnapshot) -> Attempt:
    """Return the attempt with what the API says of its ended run."""
    error = run.error
    return replace(
        attempt,
        state=AttemptState.ENDED,
        run_status=run.status,
        created_at=run.created_at or attempt.created_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        steps=run.steps,
        error_code=(error.code or error.category) if error else None,
        error_message=error.message if error else None,
        streaming_url=run.streaming_url,
    )
