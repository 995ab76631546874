"""The facts that a report is made of, except for the histories of the items."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Bound(NamedTuple):
    """The number of slots that a batch may use from `since` on, in epoch seconds."""

    since: float
    slots: int


class HeldItem(NamedTuple):
    """An attempt that waits for a person, and the commands that decide about it."""

    id: str
    url: str
    k: int
    why: str
    message: str | None
    run_id: str | None
    commands: Sequence[str]


class ChangeLine(NamedTuple):
    """One row of what changed: an item or record that came or went (`column` is None), or a cell."""

    id: str
    url: str
    change: str
    column: str | None
    before: str | None
    after: str | None
    difference: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangesSince:
    """The changes against the last good results as of the batch `since`; counts are of items.

    `cells` changed within the `changed` items. Those `carried` failed or have not ended, and are compared by
    an earlier good result. `lines` are the first of `total` rows; `command` shows them all.
    """

    since: str
    added: int
    removed: int
    changed: int
    unchanged: int
    cells: int
    carried: int
    lines: Sequence[ChangeLine]
    total: int
    command: str


class LoggedEvent(NamedTuple):
    """Something that was recorded: when (epoch seconds), about which item if about one, and what."""

    at: float
    item: str | None
    text: str


class NextStep(NamedTuple):
    """A command that a person may type next, and what it does."""

    does: str
    command: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchFacts:
    """The facts about a batch as a whole in a report; times are epoch seconds, money is in micro-dollars.

    `now` is when the facts were read. `counts` are the wanted items by status. `exit_code` is None until the
    batch has finished, `owner` the process that works on it. `bounds` are in the order in which they held.
    `price` is that of a step, `spending` says what is spent and reserved of a budget; both are None without a
    budget. `changes` is None for the first batch of a journal. `explain` is the command that explains an
    item, up to the item's id.
    """

    name: str
    description: str | None
    api: str
    manifest: str
    began_at: float
    now: float
    counts: Mapping[str, int]
    version: str
    ended_at: float | None = None
    exit_code: int | None = None
    owner: int | None = None
    bounds: Sequence[Bound] = ()
    bound_name: str = ""
    price: int | None = None
    spending: str | None = None
    changes: ChangesSince | None = None
    explain: str = ""
    next_steps: Sequence[NextStep] = ()
    held: Sequence[HeldItem] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    events: Sequence[LoggedEvent] = ()
