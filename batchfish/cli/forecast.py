"""Computes and prints what `run` would do with a manifest now, for `plan` and `run --dry-run`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from batchfish.cli.batch_choice import choose_batch
from batchfish.cli.console import put
from batchfish.cli.cost import Money, read_money
from batchfish.cli.counts import Counts, count, most_runs
from batchfish.cli.documents import DocumentType, put_document
from batchfish.cli.exits import ExitCode
from batchfish.cli.locate import journal_for, read_manifest
from batchfish.cli.parser import spelled
from batchfish.cli.selection import choose_staged
from batchfish.cli.system_clock import SystemClock
from batchfish.core.budget import MICRO_DOLLARS, USUAL_MAX_STEPS, spell_usd, worst_case
from batchfish.core.describe import several, spell_bounds, spell_duration
from batchfish.core.items import Status
from batchfish.core.rules import rules_from
from batchfish.core.settings import Settings, settings_from
from batchfish.core.window import AUTO
from batchfish.journal.queries import open_reader_or_empty
from batchfish.journal.row_file import RowFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from batchfish.cli.batch_choice import BatchChoice
    from batchfish.cli.console import Console
    from batchfish.cli.options import JournalLocation, ManifestSource, Pace, Selection
    from batchfish.core.quantiles import PastRuns, Range
    from batchfish.core.window import Bounds
    from batchfish.journal.ingest import Difference
    from batchfish.journal.queries import JournalReader
    from batchfish.manifest.manifest import Manifest


class Forecast(Struct, frozen=True, kw_only=True):
    """The effect of a `run` that started now.

    It would submit `to_submit` items and pay for `most_runs` runs at most; `reused` items would take the
    results of earlier batches. `alive` counts the open attempts, `repeats` the items that ask for the same as
    another one, with the ids of a few.
    `past` are the runs of the journal that have ended, from which steps, cost and time are estimated.
    `unfinished` is the name of the batch that has not finished, if another one would begin all the same.
    """

    batch: str
    begins: bool
    unfinished: str | None
    difference: Difference
    repeats: tuple[int, tuple[str, ...]]
    counts: Counts
    alive: int
    reused: int
    to_submit: int
    most_runs: int
    bounds: Bounds
    past: PastRuns
    money: Money | None
    is_paused: bool

    @property
    def at_once(self) -> int:
        """The number of runs that are assumed to be alive at once: the first bound of `auto`."""
        return max(1, min(self.bounds.start, self.to_submit))


def show_forecast(
    source: ManifestSource,
    location: JournalLocation,
    selection: Selection,
    pace: Pace,
    *,
    begins_new: bool,
    as_json: bool,
    others: Sequence[str],
    console: Console,
) -> int:
    """Print what a `run` with these options would do, and the command; nothing is sent or written.

    `others` are its further options, as a command line gives them.
    """
    manifest = read_manifest(source)
    with RowFile() as rows:
        if not manifest.check(rows).items and not as_json:
            put(f"{source.file}: nothing is selected: the manifest has no items")
            return ExitCode.OK
        with open_reader_or_empty(journal_for(manifest, location)) as reader:
            forecast = make_forecast(reader, manifest, rows, selection, pace, begins_new=begins_new)
    if as_json:
        put_document(DocumentType.PLAN, **_as_object(forecast))
    else:
        _put_forecast(forecast)
    if forecast.to_submit or forecast.alive:
        words = [*spelled(location, source), *(["--new"] if begins_new else []), *others]
        console.say(f"to submit and follow it: batchfish run {shlex.join(words)}")
    return ExitCode.OK


def make_forecast(
    reader: JournalReader,
    manifest: Manifest,
    rows: RowFile,
    selection: Selection,
    pace: Pace,
    *,
    begins_new: bool,
) -> Forecast:
    """Compare a manifest and its rows with its journal, as `run` would."""
    now = SystemClock().now()
    choice = choose_batch(reader, manifest, rows, recorded_as=None, now=now, begins_new=begins_new)
    batch = choice.batch
    key = 0 if batch is None else batch.pk  # no attempt is of batch 0
    settings = Settings() if batch is None else settings_from(reader.settings(batch.pk))
    submits = not (pace.drain or settings.is_paused)
    to_submit, reused = 0, frozenset[int]()
    if submits:
        chosen = choose_staged(selection, reader.staged, manifest.variables)
        reusable = _reusable(reader, choice, now)  # each of these rows would be submitted without it
        reused = reusable if chosen is None else reusable & chosen
        to_submit = reader.staged.count_to_submit(chosen) - len(reused)
    counts = Counts() if batch is None else count(reader, batch.pk)
    rules = pace.applied_to(settings.applied_to(rules_from(choice.manifest)))
    return Forecast(
        batch=choice.name,
        begins=batch is None,
        unfinished=None if choice.unfinished is None else choice.unfinished.name,
        difference=choice.difference,
        repeats=reader.staged.repeats(),
        counts=counts,
        alive=reader.count_alive(),
        reused=len(reused),
        to_submit=to_submit,
        is_paused=settings.is_paused,
        most_runs=most_runs(counts, to_submit, manifest.rules.retry.attempts) if submits else 0,
        bounds=rules.limits.concurrency or AUTO,
        past=reader.past_runs(),
        money=None if rules.budget is None else read_money(reader, rules.budget, key, choice.period, now),
    )


def _reusable(reader: JournalReader, choice: BatchChoice, now: float) -> frozenset[int]:
    """Return the numbers of the rows that would take the result of an earlier batch."""
    if rules_from(choice.manifest).fresh_for is None:
        return frozenset()
    from batchfish.pipeline.policy import policy_from
    from batchfish.pipeline.reuse import reusable_rows

    begun = None if choice.batch is None else choice.batch.pk
    return reusable_rows(reader, begun, policy_from(choice.manifest), number=choice.number, now=now)


def _put_forecast(found: Forecast) -> None:
    difference, counts = found.difference, found.counts
    begins = "would begin" if found.begins else "goes on"
    put(f"{found.batch} {begins}: {several(difference.wanted, 'item')}")
    for name, number, examples in (
        ("new", difference.new, difference.new_examples),
        ("changed", difference.changed, difference.changed_examples),
        ("removed", difference.removed, difference.removed_examples),
        ("queued", counts[Status.QUEUED], ()),
        ("alive", found.alive, ()),
        ("held", counts[Status.HELD], ()),
        ("done", counts.ended, ()),
    ):
        such_as = f"  such as {', '.join(examples)}" if number and examples else ""
        put(f"  {name:<8}{number:>9,}{such_as}")
    put(
        f"`run` with the same options would submit {several(found.to_submit, 'item')}, "
        f"{spell_bounds(found.bounds)}, and pay for at most {several(found.most_runs, 'run')}."
    )
    if found.reused:
        put(f"{several(found.reused, 'item')} would take results of earlier batches, as `fresh_for` says.")
    number, ids = found.repeats
    if number:
        asks = "asks" if number == 1 else "ask"
        put(
            f"{several(number, 'item')} {asks} for the same as another one, and cost{'s' * (number == 1)} "
            f"as much again, such as {', '.join(ids)}."
        )
    for line in _spell_estimate(found):
        put(line)
    if found.is_paused:
        put(f"{found.batch} is paused: to let it submit again, `batchfish unpause` it.")
    if found.unfinished is not None:
        put(f"{found.unfinished} has not finished: `run` asks, or takes --accept unfinished-batch.")
    if difference.changed:
        put("Changed items had begun or were cancelled: `run` asks first, or takes --accept changes.")


def _spell_estimate(found: Forecast) -> Iterator[str]:
    """Yield the lines on expected steps, cost and time, and on the budget."""
    steps, seconds = found.past.steps_of(found.to_submit), found.past.seconds_of(found.to_submit)
    if found.to_submit and steps is None and seconds is None:
        yield "No run of this journal has ended yet, so steps, cost and time cannot be estimated."
    elif found.to_submit:
        parts = []
        if steps is not None:
            parts.append(_spell_range(steps, lambda number: several(round(number), "step")))
        if (cost := _cost_of(found)) is not None:
            parts.append(_spell_range(cost, lambda micro_dollars: spell_usd(_to_cents(micro_dollars))))
        if seconds is not None:
            spelled = _spell_range(seconds.times(1 / found.at_once), spell_duration)
            parts.append(f"{spelled} at {several(found.at_once, 'run')} at once")
        yield f"Expected by the {several(found.past.runs, 'ended run')} of this journal: {', '.join(parts)}."
    if found.money is not None:
        worst = worst_case(found.money.budget, USUAL_MAX_STEPS).amount
        yield f"Budget: {found.money}; a run reserves {spell_usd(worst)} unless it sets `max_steps`."


def _cost_of(found: Forecast) -> Range | None:
    """Return the expected cost in micro-dollars; None if the price of a step is not known."""
    steps = found.past.steps_of(found.to_submit)
    return None if steps is None or found.money is None else steps.times(found.money.budget.step_price)


def _to_cents(micro_dollars: float) -> int:
    cent = MICRO_DOLLARS // 100
    return round(micro_dollars / cent) * cent


def _spell_range(found: Range, spell: Callable[[float], str]) -> str:
    """Return a range as `1,440 steps (960 steps to 2,100 steps)`."""
    if found.low == found.high:
        return spell(found.expected)
    return f"{spell(found.expected)} ({spell(found.low)} to {spell(found.high)})"


def _range_object(found: Range | None, digits: int = 0) -> dict[str, float] | None:
    if found is None:
        return None
    return {name: round(getattr(found, name), digits) for name in ("low", "expected", "high")}


def _as_object(found: Forecast) -> dict[str, Any]:
    difference, cost = found.difference, _cost_of(found)
    seconds = found.past.seconds_of(found.to_submit)
    return {
        "batch": found.batch,
        "begins": found.begins,
        "leaves": found.unfinished,
        "items": difference.wanted,
        "new": difference.new,
        "changed": difference.changed,
        "removed": difference.removed,
        "repeated": found.repeats[0],
        "alive": found.alive,
        "counts": dict(found.counts.by_status),
        "reused": found.reused,
        "to_submit": found.to_submit,
        "most_runs": found.most_runs,
        "concurrency": str(found.bounds),
        "estimate": {
            "runs": found.past.runs,
            "steps": _range_object(found.past.steps_of(found.to_submit)),
            "usd": _range_object(None if cost is None else cost.times(1 / MICRO_DOLLARS), 6),
            "seconds": _range_object(None if seconds is None else seconds.times(1 / found.at_once), 1),
            "at_once": found.at_once,
        },
        "money": None if found.money is None else found.money.as_object,
    }
