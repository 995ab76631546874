"""The items of a batch and their attempts: what each asks for, and its status."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping


class Status(StrEnum):
    """The status of an item; `core/transitions.py` holds the ways between them."""

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
        """Whether the item is done, so that only a person's request changes it."""
        return self in _FINAL

    __hash__ = str.__hash__  # that of Enum is a function of Python's, called at each look into a set or map


class AttemptState(StrEnum):
    """The state of one create and of the run that it may have made."""

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
        return self not in _CLOSED

    __hash__ = str.__hash__


_FINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})
_CLOSED = frozenset({AttemptState.ENDED, AttemptState.REFUSED, AttemptState.ABSENT})


class ItemSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One manifest row after templating: a URL, a goal and the other request fields.

    `request` holds the API's other request fields under the API's own names (output_schema …); `inputs`
    the row's variables, carried to the table; `line` is where the row stands in its file.
    """

    row: int
    line: int | None
    id: str | None
    url: str
    goal: str
    request: Mapping[str, Any] = msgspec.field(default_factory=dict)
    inputs: Mapping[str, str] = msgspec.field(default_factory=dict)


class Repetition(NamedTuple):
    """A row that repeats an earlier one: its id, or all that it asks for if it has none.

    Rows are numbered as in ItemSpec.
    """

    id: str | None
    row: int
    line: int | None
    first_row: int
    first_line: int | None


class Item(Struct, frozen=True, kw_only=True):
    """An item of a batch, and its status.

    `k` counts intents, and `follows` is the k of the attempt that decides the item's status. `attempts`
    counts the runs known to exist, and `unpaid` those of them that ended in a billing failure. `refused`
    counts the consecutive creates that made no run, the first of them at `refused_at` (epoch seconds). The
    item is not sent before `due_at` (epoch seconds), which is kept while it follows a run that is being
    cancelled.
    `wanted` is whether the manifest still has the item. `cancel_wish`: a person asked for a cancel.
    `retry_wish`: a person asked for the present attempt, so no automatic one follows it.
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


class Attempt(Struct, frozen=True, kw_only=True):
    """The k-th create sent for an item, and the run that it made.

    Times are epoch seconds, except for `intended_boot` and `given_up_at`: these are boot-time seconds, which
    can be compared only under equal boot ids. `created_at` is the server's, or the time of its answer where
    the server does not say.
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
