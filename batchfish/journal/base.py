"""What the pipeline asks of a journal: verbs over batches, items and attempts, one commit for many writes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from batchfish.core.items import Attempt, AttemptState, Item
    from batchfish.core.lifecycle import Change


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """One manifest in one period, on its way. `markers` is `untested`, `proven` or `off`."""

    pk: int
    name: str
    period: str | None
    number: int
    batch8: str
    base_url: str
    manifest: Mapping[str, Any]
    manifest_path: str
    markers: str
    begun_at: float
    ended_at: float | None = None
    exit_code: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NewBatch:
    """A batch that is to begin. `name` is its short name, `markers` says whether its goals carry markers."""

    name: str
    period: str | None
    number: int
    base_url: str
    manifest: Mapping[str, Any]
    manifest_path: str
    markers: bool


def full_name(name: str, period: str | None, number: int) -> str:
    """Return a batch's full name: `name`, `name@2026-11-24`, `name.2` or `name@2026-11-24.2`."""
    return name + (f"@{period}" if period else "") + (f".{number}" if number > 1 else "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What an item asks of the API, and the variables of its row."""

    url: str
    goal: str
    fields: Mapping[str, Any]
    inputs: Mapping[str, str]


class Row(NamedTuple):
    """What flags choose an item by. `key` is its key in the table it stands in, `inputs` are JSON."""

    key: int
    id: str
    url: str
    inputs: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The last complete comparison of a batch's runs with the API's listing of them.

    It covered the runs created before `until` (epoch seconds of the server's clock); of those, `unlisted`
    more were known to the journal than were listed.
    """

    until: float
    unlisted: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Tracked:
    """An open attempt, its item and the first letters of its batch's markers."""

    item: Item
    attempt: Attempt
    batch8: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """An item, the attempt that speaks for it and its raw result: what becomes one row of the table."""

    item: Item
    attempt: Attempt | None
    request: Request
    result: bytes | None
    is_whole_answer: bool


class Journal(Protocol):
    """The durable record, as the stages see it.

    Reads see what was written; nothing written is durable, and nothing may be sent on the strength of it,
    before `commit` returns. A commit that fails raises StorageFailed, and every later write does.
    """

    def due(self, batch: int, now: float, limit: int, *, furthest: float = math.inf) -> Sequence[Item]:
        """Give up to `limit` selected, queued items whose time has come, first ones first.

        Times are epoch seconds. What is due later than `furthest` was written before the clock was set back:
        its time has come, too.
        """
        ...

    def next_due_at(self, batch: int) -> float | None:
        """When the next queued item may be sent, epoch seconds; None where nothing is queued."""
        ...

    def request(self, item: int) -> Request:
        """What the item asks for."""
        ...

    def item(self, item: int) -> Item:
        """The item as it stands now."""
        ...

    def item_by_key(self, batch8: str, key: str) -> Item | None:
        """The item that a marker names, in whatever batch of this journal."""
        ...

    def attempt(self, item: int, k: int) -> Attempt | None:
        """The item's k-th attempt."""
        ...

    def attempt_of_run(self, run_id: str) -> Attempt | None:
        """The attempt that a run belongs to, None where the journal does not know the run."""
        ...

    def may_have_run(self, item: int) -> bool:
        """Whether any create of an item was sent and not surely refused."""
        ...

    def attempts(self, item: int, k: int | None) -> tuple[Attempt | None, Sequence[Attempt]]:
        """Give the item's k-th attempt, where there is one, and its other attempts that are open."""
        ...

    def open_attempts(self, *states: AttemptState) -> Sequence[Tracked]:
        """Give every attempt of all batches in these states (none given: in any open one)."""
        ...

    def count_open(self) -> int:
        """How many slots are held, by all batches of the journal."""
        ...

    def count_held_open(self) -> int:
        """Count the slots held by items that wait for a person."""
        ...

    def first_accepted(self, batch: int) -> Attempt | None:
        """Give the attempt of a batch that was intended first among those accepted."""
        ...

    def has_accepted(self) -> bool:
        """Whether any create of this journal was ever accepted."""
        ...

    def has_absent(self) -> bool:
        """Whether any create of this journal is believed to have made no run."""
        ...

    def latest_accepted(self, key_id: str) -> Attempt | None:
        """Give the attempt accepted under this key that was intended last, whether or not it has ended."""
        ...

    def control_of(self, doubted: Attempt, *, after: float | None = None) -> Attempt | None:
        """Return an accepted attempt that a listing must show if it would show the run of `doubted`.

        It was accepted under the same key, and its goal is at least as long. With `after`, the first one
        intended after that moment (boot-time seconds) of the boot in which `doubted` was given up; without,
        the latest one.
        """
        ...

    def latest_ended(self, key_id: str) -> Attempt | None:
        """Give the attempt under this key that was intended last among those whose run has ended."""
        ...

    def run_of_another_key(self, key_id: str) -> Attempt | None:
        """Give the latest attempt that was accepted, or is open, under another key."""
        ...

    def unfinished_batches(self) -> Sequence[int]:
        """Give the batches that have an open attempt."""
        ...

    def count_runs(self, batch: int, *, before: float | None = None) -> int:
        """Count the runs of a batch that the journal knows; those created before a moment of the server."""
        ...

    def comparison(self, batch: int) -> Comparison | None:
        """Return what stands of the last complete comparison of a batch with the listing."""
        ...

    def write_comparison(self, batch: int, comparison: Comparison) -> None:
        """Record a complete comparison of a batch with the listing."""
        ...

    def batch8s(self) -> set[str]:
        """Return what the markers of this journal's batches begin with."""
        ...

    def asks_for(self, batch: int, key: str) -> bool:
        """Whether a batch wants an item of this key."""
        ...

    def agreed_strangers(self) -> set[str]:
        """Return the names and batch8s of other batches that a person agreed to pay beside."""
        ...

    def agree_to_strangers(self, names: Iterable[str], now: float) -> None:
        """Record that a person agreed to pay beside these batches."""
        ...

    def is_disowned(self, run_id: str) -> bool:
        """Whether a person declared a run, whose marker cannot be read, to be nobody's."""
        ...

    def disown(self, run_ids: Iterable[str], now: float) -> None:
        """Record that these runs are nobody's."""
        ...

    def batch(self, pk: int) -> Batch:
        """Give a batch as it stands now."""
        ...

    def set_markers(self, batch: int, markers: str) -> None:
        """Write what the self-test of the markers found."""
        ...

    def write_attempt(self, attempt: Attempt) -> None:
        """Record what a process found out about an attempt by itself; the item does not move."""
        ...

    def write(self, change: Change, now: float) -> None:
        """Record what came of one event."""
        ...

    async def commit(self) -> None:
        """Return once everything written so far is durable; callers of one turn share one transaction."""
        ...

    def check_place(self) -> None:
        """Raise StorageFailed where the journal's path no longer leads to the file that is written to."""
        ...

    def outcomes(self, batch: int) -> Iterator[Sequence[Outcome]]:
        """What is wanted, in manifest order, in chunks."""
        ...
