"""What an event says of the attempt it speaks about, whether or not the item follows it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batchfish.core.events import (
    CannotTell,
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
    from batchfish.core.events import Adopted, Intended, Step
    from batchfish.core.runs import RunSnapshot


SURPLUS = "surplus"
"""The cause of an attempt whose run we asked to be cancelled while another one spoke for its item."""


def opened(item: int, event: Intended, now: float) -> Attempt:
    """Give the attempt of an item (its pk) that is about to be sent; `now` is epoch seconds."""
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


def unknown(item: int, event: Adopted, now: float) -> Attempt:
    """Give what is known of an attempt whose run was found, but which this journal never intended."""
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


def adopted(attempt: Attempt, event: Adopted) -> Attempt:
    """Bind a found run to its attempt."""
    return replace(
        attempt,
        state=AttemptState.RUNNING,
        run_id=event.run_id,
        created_at=event.created_at,
        cause="adopted",
    )


def dismissed(attempt: Attempt) -> Attempt:
    """Note, before its run is asked to be cancelled, that another one speaks for the item."""
    return replace(attempt, cause=SURPLUS)


def settled(attempt: Attempt, event: Step) -> Attempt:
    """Give the attempt as it is after an event about it."""
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
            return replace(attempt, state=AttemptState.ABSENT)
        case RunLost() | RunMisnamed() | CannotTell():
            return replace(attempt, state=AttemptState.HELD)
        case RunFound():
            return replace(attempt, state=AttemptState.RUNNING)
        case RunEnded(run=run):
            return _ended(attempt, run)
        case _:
            return attempt


def _ended(attempt: Attempt, run: RunSnapshot) -> Attempt:
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
