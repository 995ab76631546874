"""The events that change items: intents, answers, what polls and searches find, deadlines, requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from batchfish.core.runs import REACHED, Verdict

if TYPE_CHECKING:
    from batchfish.core.budget import Reservation
    from batchfish.core.runs import RunSnapshot


class Intended(Struct, frozen=True, kw_only=True):
    """A create is about to be sent; nothing has left yet.

    `boot_at` is boot-time seconds under `boot_id`; `server_date` estimates the server's clock. `reservation`
    is what the run may cost, None without a budget.
    """

    k: int
    marker: str
    key_id: str
    body_sha256: str
    boot_at: float
    boot_id: str
    server_date: float | None = None
    reservation: Reservation | None = None


class Reused(Struct, frozen=True, kw_only=True):
    """An item that was never sent succeeds with a result of an earlier batch: that of the item `source`."""

    source: int


class SubmitAccepted(Struct, frozen=True, kw_only=True):
    """The API answered a create with a run_id; `server_date` is that answer's Date, epoch seconds."""

    run_id: str
    server_date: float | None = None


class SubmitDeferred(Struct, frozen=True, kw_only=True):
    """The create surely made no run, and the item is not to blame: it is queued again.

    `reason`: `unreachable`, `rate_limited`, `daily_limit`, `key_refused`, `no_credits`, `forbidden`,
    `wrong_api`, `not_sent` (the create was never sent, because submitting had to wait or to stop) or
    `create_error` (the API answered 200 with an error: only this counts against the item).
    `retry_after` is the wait that the API asked for, in seconds.
    """

    reason: str
    message: str
    retry_after: float | None = None


class SubmitRejected(Struct, frozen=True, kw_only=True):
    """The API refused the request itself, and would refuse it again."""

    reason: str
    message: str


class SubmitUnanswered(Struct, frozen=True, kw_only=True):
    """No clear answer came: whether a run exists is not known.

    `given_up_at` is boot-time seconds; `retry_after` is the wait that the API asked for, in seconds.
    """

    message: str
    given_up_at: float = 0.0
    boot_id: str = ""
    retry_after: float | None = None


class Adopted(Struct, frozen=True, kw_only=True):
    """A listing shows a run with this item's marker that the journal did not know, of the `k` it carries.

    `earlier_run` is the id of another run that the same create has made; `steps` are those taken so far.
    """

    run_id: str
    k: int
    marker: str
    key_id: str
    created_at: float | None = None
    steps: int | None = None
    earlier_run: str | None = None


class ProvenAbsent(Struct, frozen=True, kw_only=True):
    """The unanswered create made no run: complete searches and a control prove it."""


class CannotTell(Struct, frozen=True, kw_only=True):
    """It cannot be found out whether the unanswered create made a run: a person decides."""

    message: str


class RunEnded(Struct, frozen=True, kw_only=True):
    """A run reached a terminal status; `verdict` says whether a completed one reached its goal."""

    run: RunSnapshot
    verdict: Verdict = REACHED


class RunLost(Struct, frozen=True, kw_only=True):
    """The API no longer knows the run, though it shows others; the reason is `lost_remote`."""


class RunMisnamed(Struct, frozen=True, kw_only=True):
    """The API shows the run with the marker of another attempt, `marker`: a person decides.

    The item's reason is `other_marker`.
    """

    run_id: str
    marker: str


class RunFound(Struct, frozen=True, kw_only=True):
    """The API shows again, with its own marker, a run that was held as lost or under another marker."""


class DeadlinePassed(Struct, frozen=True, kw_only=True):
    """The run has been running for longer than `run_timeout` by the server's clock."""


class CancelRequested(Struct, frozen=True, kw_only=True):
    """A person asked that this item be cancelled."""


class RetryRequested(Struct, frozen=True, kw_only=True):
    """A person asked for one attempt more."""


class Rechecked(Struct, frozen=True, kw_only=True):
    """A person had the stored result of the item's completed run judged again, with this verdict."""

    verdict: Verdict


CreateAnswer: TypeAlias = SubmitAccepted | SubmitDeferred | SubmitRejected | SubmitUnanswered
AttemptEvent: TypeAlias = (
    Intended
    | Reused
    | CreateAnswer
    | ProvenAbsent
    | CannotTell
    | RunEnded
    | RunLost
    | RunMisnamed
    | RunFound
    | DeadlinePassed
    | CancelRequested
    | RetryRequested
    | Rechecked
)
"""The events about an attempt that the journal knows, or about an item; Adopted may name a new attempt."""

Event: TypeAlias = AttemptEvent | Adopted
