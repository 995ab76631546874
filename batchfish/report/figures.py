"""The figures of a report, gathered in one pass over the histories of the items, in bounded memory."""

from __future__ import annotations

import heapq
from array import array
from collections import Counter
from dataclasses import dataclass, field
from itertools import chain, count
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeGuard, TypeVar

from batchfish.core.items import AttemptState, Status
from batchfish.report.scales import merge_spans

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from batchfish.core.histories import AttemptTimes, ItemHistory

MOST_ITEMS = 10_000
"""Items that the table of all items shows; of more, it shows those that need attention first."""

MOST_MESSAGES = 200
"""Different messages of items that are shown."""

MOST_ITEMS_OF_A_MESSAGE = 20
MOST_EXTREMES = 10
"""Rows of the tables of slowest and dearest items."""

_LATEST = 253_402_300_799.0
"""The end of the year 9999: an API that names a later moment is not believed."""

T = TypeVar("T")


class ItemLine(NamedTuple):
    """An item as tables show it: times of the run that decides its status, steps and cost of all its runs."""

    id: str
    row: int
    url: str
    status: str
    reason: str | None
    runs: int
    queue_s: float | None
    run_s: float | None
    steps: int | None
    cost: int | None


class Page(NamedTuple):
    """An item and the address of its page."""

    id: str
    url: str


@dataclass(kw_only=True, slots=True)
class Group:
    """Items of which the same was said; `length` is that of the whole message in characters."""

    status: str
    reason: str
    error_code: str | None
    message: str
    length: int
    items: int = 0
    pages: list[Page] = field(default_factory=list)


class Groups:
    """Items grouped by what was said of them, up to MOST_MESSAGES groups; `total` counts all items."""

    def __init__(self) -> None:
        """Begin without an item."""
        self.total = 0
        self._groups: dict[tuple[str | None, ...], Group] = {}

    def add(self, history: ItemHistory, reason: str, error_code: str | None, text: str, length: int) -> None:
        """Add an item of which this was said."""
        self.total += 1
        key = (history.status, reason, error_code, text)
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) == MOST_MESSAGES:
                return
            group = self._groups[key] = Group(
                status=history.status, reason=reason, error_code=error_code, message=text, length=length
            )
        group.items += 1
        if len(group.pages) < MOST_ITEMS_OF_A_MESSAGE:
            group.pages.append(Page(history.id, history.url))

    @property
    def shown(self) -> Sequence[Group]:
        """The groups, the largest first."""
        return sorted(self._groups.values(), key=lambda group: -group.items)

    @property
    def left_out(self) -> int:
        """The number of items that are in no group."""
        return self.total - sum(group.items for group in self._groups.values())


@dataclass(kw_only=True, slots=True)
class Durations:
    """The times that something took: for each, when it was over, the seconds, and whether all was well."""

    ends: array[float] = field(default_factory=lambda: array("d"))
    seconds: array[float] = field(default_factory=lambda: array("d"))
    well: bytearray = field(default_factory=bytearray)

    def add(self, start: float | None, end: float | None, *, well: bool) -> None:
        """Add one duration, unless a time is missing or impossible."""
        if _is_time(start) and _is_time(end):
            self.ends.append(end)
            self.seconds.append(max(0.0, end - start))
            self.well.append(well)

    def __len__(self) -> int:
        return len(self.ends)


@dataclass(kw_only=True, slots=True)
class Intervals:
    """Spans of time in which slots were in use."""

    starts: array[float] = field(default_factory=lambda: array("d"))
    ends: array[float] = field(default_factory=lambda: array("d"))

    def add(self, start: float | None, end: float | None) -> None:
        """Add one span, unless a time is missing or impossible."""
        if _is_time(start) and _is_time(end) and end > start:
            self.starts.append(start)
            self.ends.append(end)

    def __iter__(self) -> Iterator[tuple[float, float]]:
        return zip(self.starts, self.ends, strict=True)


@dataclass(kw_only=True, slots=True)
class Slots:
    """The spans in which runs worked or waited in the API's queue, and in which other attempts took slots.

    Of `alive` attempts it is not recorded which of the two their runs do, or whether they have runs; `held`
    ones wait for a person.
    """

    running: Intervals = field(default_factory=Intervals)
    queued: Intervals = field(default_factory=Intervals)
    alive: Intervals = field(default_factory=Intervals)
    held: Intervals = field(default_factory=Intervals)

    def layers(self) -> Mapping[str, Intervals]:
        """Return the spans by what happened in them."""
        return {"running": self.running, "queued": self.queued, "alive": self.alive, "held": self.held}

    def busy(self) -> Sequence[tuple[float, float]]:
        """Return the spans in which something happened: held attempts alone do not count."""
        return merge_spans(chain(self.running, self.queued, self.alive))


@dataclass(kw_only=True, slots=True)
class Spending:
    """Runs, their steps and their cost in micro-dollars; the `known` ones are those whose steps were told."""

    runs: int = 0
    known: int = 0
    steps: int = 0
    cost: int | None = None

    def add(self, steps: int | None, cost: int | None) -> None:
        """Add one run."""
        self.runs += 1
        if steps is not None:
            self.known += 1
            self.steps += steps
        if cost is not None:
            self.cost = (self.cost or 0) + cost


class Top(Generic[T]):
    """The values with the greatest keys, at most so many, and the number of all that were offered."""

    def __init__(self, most: int) -> None:
        """Keep at most this many values."""
        self.offered = 0
        self._most = most
        self._heap: list[tuple[tuple[float, ...], int, T]] = []
        self._number = count(step=-1)  # of equal keys, the values that came first are kept

    def offer(self, key: tuple[float, ...], value: T) -> None:
        """Keep a value if its key is among the greatest."""
        self.offered += 1
        entry = (key, next(self._number), value)
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def values(self) -> list[T]:
        """Return the values that were kept, the greatest first."""
        return [value for _, _, value in sorted(self._heap, reverse=True)]


SPENT_ON = ("succeeded", "failed", "cancelled", "not ended", "other attempts", "removed items")
"""The purposes of runs, in the order in which a report shows them."""


@dataclass(kw_only=True, slots=True)
class Figures:
    """The figures about the items of a batch in a report."""

    reasons: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    failures: Groups = field(default_factory=Groups)
    suspicious: Groups = field(default_factory=Groups)
    queue: Durations = field(default_factory=Durations)
    run: Durations = field(default_factory=Durations)
    slots: Slots = field(default_factory=Slots)
    spending: dict[str, Spending] = field(default_factory=dict)
    steps: array[int] = field(default_factory=lambda: array("q"))
    repeated: int = 0
    lines: Top[ItemLine] = field(default_factory=lambda: Top(MOST_ITEMS))
    slowest: Top[ItemLine] = field(default_factory=lambda: Top(MOST_EXTREMES))
    dearest: Top[ItemLine] = field(default_factory=lambda: Top(MOST_EXTREMES))

    @property
    def total(self) -> Spending:
        """The spending on everything."""
        parts = self.spending.values()
        costs = [one.cost for one in parts if one.cost is not None]
        return Spending(
            runs=sum(one.runs for one in parts),
            known=sum(one.known for one in parts),
            steps=sum(one.steps for one in parts),
            cost=sum(costs) if costs else None,
        )

    @property
    def lines_in_order(self) -> Sequence[ItemLine]:
        """The items of the table of all items, in the manifest's order."""
        return sorted(self.lines.values(), key=lambda line: line.row)


def gather(histories: Iterable[ItemHistory], *, now: float, price: int | None = None) -> Figures:
    """Gather the figures of a batch; `price` is that of a step of attempts that recorded none."""
    figures = Figures(spending={name: Spending() for name in SPENT_ON})
    for history in histories:
        for attempt in history.attempts:
            _add_times(figures, history, attempt, now)
        steps, cost = _add_spending(figures, history, price)
        if history.wanted:
            _add_line(figures, history, steps, cost)
            _add_to_groups(figures, history)
    return figures


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value that this share of the ordered values does not exceed; 0 without values."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _is_time(at: float | None) -> TypeGuard[float]:
    """Whether a time is known, and possible."""
    return at is not None and 0 < at < _LATEST


def _is_decisive(history: ItemHistory, attempt: AttemptTimes) -> bool:
    return attempt.k == history.follows


def _add_times(figures: Figures, history: ItemHistory, attempt: AttemptTimes, now: float) -> None:
    """Add the queue and run times of an attempt, and the spans in which it held a slot."""
    slots = figures.slots
    end = now if attempt.state.is_open else attempt.finished_at
    well = _is_decisive(history, attempt) and history.status == Status.SUCCEEDED
    figures.queue.add(attempt.created_at, attempt.started_at, well=well)
    figures.run.add(attempt.started_at, attempt.finished_at, well=well)
    match attempt.state:
        case AttemptState.REFUSED:
            return
        case AttemptState.ABSENT:
            if attempt.given_up_after is not None:
                slots.alive.add(attempt.sent_at, attempt.sent_at + attempt.given_up_after)
        case AttemptState.HELD:
            slots.held.add(attempt.created_at or attempt.sent_at, end)
        case _ if attempt.started_at is not None:
            slots.queued.add(attempt.created_at, attempt.started_at)
            slots.running.add(attempt.started_at, end)
        case AttemptState.ENDED:
            slots.queued.add(attempt.created_at, end)
        case _:  # it may have started: the journal learns that when it ends
            slots.alive.add(attempt.created_at or attempt.sent_at, end)


def _add_spending(figures: Figures, history: ItemHistory, price: int | None) -> tuple[int | None, int | None]:
    """Add the runs of an item; return its steps and its cost, None for what is not known."""
    whole = Spending()
    for attempt in history.attempts:
        if attempt.state in {AttemptState.REFUSED, AttemptState.ABSENT}:
            continue
        step_price = price if attempt.step_price is None else attempt.step_price
        cost = None if step_price is None or attempt.steps is None else attempt.steps * step_price
        if not history.wanted:
            spent_on = "removed items"
        elif not _is_decisive(history, attempt):
            spent_on = "other attempts"
        elif history.status in figures.spending:
            spent_on = history.status
        else:
            spent_on = "not ended"
        figures.spending[spent_on].add(attempt.steps, cost)
        whole.add(attempt.steps, cost)
        if attempt.steps is not None:
            figures.steps.append(attempt.steps)
    return whole.steps if whole.known else None, whole.cost


def _add_line(figures: Figures, history: ItemHistory, steps: int | None, cost: int | None) -> None:
    """Add an item to the tables in which it belongs."""
    decisive = next((one for one in history.attempts if _is_decisive(history, one)), None)
    queue_s = run_s = None
    if decisive is not None:
        queue_s = _elapsed(decisive.created_at, decisive.started_at)
        run_s = _elapsed(decisive.started_at, decisive.finished_at)
    runs = sum(one.state not in {AttemptState.REFUSED, AttemptState.ABSENT} for one in history.attempts)
    figures.repeated += max(0, runs - 1)
    line = ItemLine(
        id=history.id,
        row=history.row,
        url=history.url,
        status=history.status,
        reason=history.reason,
        runs=runs,
        queue_s=queue_s,
        run_s=run_s,
        steps=steps,
        cost=cost,
    )
    figures.reasons[history.status, history.reason] += 1
    is_fine = history.status == Status.SUCCEEDED
    figures.lines.offer((not is_fine, (queue_s or 0.0) + (run_s or 0.0)), line)
    if run_s is not None:
        figures.slowest.offer((run_s,), line)
    if steps is not None or cost is not None:
        figures.dearest.offer((cost or 0, steps or 0), line)


def _elapsed(start: float | None, end: float | None) -> float | None:
    return max(0.0, end - start) if _is_time(start) and _is_time(end) else None


def _add_to_groups(figures: Figures, history: ItemHistory) -> None:
    """Add an item that failed or was cancelled, and one whose result is suspicious, to those like it."""
    if history.status in {Status.FAILED, Status.CANCELLED}:
        reason, text = history.reason or history.status, history.message or ""
        figures.failures.add(history, reason, history.error_code, text, history.message_length)
    for found in history.findings:
        figures.suspicious.add(history, found.kind, None, found.evidence, len(found.evidence))
