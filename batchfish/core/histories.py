"""Histories: the items of a batch with the times and costs of their attempts, from which a report is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from batchfish.core.items import AttemptState


class AttemptTimes(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One attempt as a report shows it; times are epoch seconds of the server's clock.

    `sent_at` is when its create was sent, by this machine's estimate of that clock. `given_up_after` is how
    many seconds later its answer was given up. `step_price` is in micro-dollars, if a
    budget set one.
    """

    k: int
    state: AttemptState
    sent_at: float
    created_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    given_up_after: float | None = None
    steps: int | None = None
    step_price: int | None = None


class Finding(msgspec.Struct, frozen=True, gc=False):
    """A finding about a result beside its verdict: its kind, such as `same_answer`, and the evidence."""

    kind: str
    evidence: str


class ItemHistory(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One item, wanted or not, and its attempts in order.

    `follows` is the k of the attempt that decides its status. `message` says why an item is not fine, cut to
    a length that the reader of the journal chose; `message_length` is its whole length in characters. The
    `findings` are about the result that decides the status.
    """

    id: str
    row: int
    url: str
    status: str
    wanted: bool
    follows: int
    attempts: tuple[AttemptTimes, ...]
    reason: str | None = None
    error_code: str | None = None
    message: str | None = None
    message_length: int = 0
    findings: tuple[Finding, ...] = ()
