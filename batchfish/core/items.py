"""The values that move through a batch: what an item asks for, how far it has come, and its attempts."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Status(StrEnum):
    """How far an item has come; `core/transitions.py` holds the ways between them."""

    QUEUED = "queued"
    SUBMITTING = "submitting"
    UNANSWERED = "unanswered"
    RUNNING = "running"
    CANCELLING = "cancelling"
    HELD = "held"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing happens to the item any more unless a person asks for it."""
        return self in {Status.SUCCEEDED, Status.FAILED, Status.CANCELLED}


class AttemptState(StrEnum):
    """What is known of one create and of the run it may have made."""

    SUBMITTING = "submitting"
    UNANSWERED = "unanswered"
    RUNNING = "running"
    HELD = "held"
    ENDED = "ended"
    REFUSED = "refused"
    ABSENT = "absent"

    @property
    def is_open(self) -> bool:
        """Whether the attempt holds a slot: a run of it exists or may exist."""
        return self not in {AttemptState.ENDED, AttemptState.REFUSED, AttemptState.ABSENT}


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemSpec:
    """One manifest row after templating: what is asked of which URL.

    `request` holds the API's other request fields under the API's own names (output_schema …); `inputs`
    the row's variables, carried to the table; `line` is where the row stands in its file.
    """

    row: int
    line: int | None
    id: str | None
    url: str
    goal: str
    request: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """An item of a batch and how far it has come.

    `k` counts intents and `follows` is the k of the attempt that speaks for the item. `attempts` counts the
    runs known to exist, and `unpaid` those of them that ended in a billing failure. `refused` counts the
    creates in a row that made no run (`refused_at`: since when, epoch seconds). `due_at` (epoch seconds): not
    to be sent before; kept while the item follows a run that we have asked to be cancelled. `retry_wish`: a
    person asked for the present attempt, so no automatic one follows it.
    """

    pk: int
    batch: int
    key: str
    id: str
    row: int
    status: Status = Status.QUEUED
    reason: str | None = None
    message: str | None = None
    k: int = 0
    follows: int = 0
    attempts: int = 0
    unpaid: int = 0
    refused: int = 0
    refused_at: float | None = None
    due_at: float = 0.0
    wanted: bool = True
    cancel_wish: bool = False
    retry_wish: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """The k-th create sent for an item, and the run it made.

    Times are epoch seconds, but `intended_boot` and `given_up_at`: boot-time seconds, comparable only under
    equal boot ids. `created_at` is the server's, or the time of its answer where it did not say.
    """

    item: int
    k: int
    marker: str
    state: AttemptState
    key_id: str
    body_sha256: str
    intended_at: float
    intended_boot: float
    boot_id: str
    server_date: float | None = None
    given_up_at: float | None = None
    given_up_boot_id: str | None = None
    cause: str | None = None
    run_id: str | None = None
    created_at: float | None = None
    run_status: str | None = None
    started_at: float | None = None
    finished_at: float | None = None
    steps: int | None = None
    error_code: str | None = None
    error_message: str | None = None
    streaming_url: str | None = None
