"""Computes and prints what `run` would do with a manifest now, for `plan` and `run --dry-run`."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchfish.cli.batch_choice import choose_batch
from batchfish.cli.console import put
from batchfish.cli.counts import Counts, count, most_runs
from batchfish.cli.documents import DocumentType, put_document
from batchfish.cli.exits import ExitCode
from batchfish.cli.factory import SystemClock
from batchfish.cli.locate import journal_for, read_manifest
from batchfish.cli.parser import spelled
from batchfish.cli.selection import count_to_submit
from batchfish.core.describe import several, spell_bounds
from batchfish.core.items import Status
from batchfish.core.rules import rules_from
from batchfish.core.window import AUTO
from batchfish.journal.queries import open_reader_or_empty

if TYPE_CHECKING:
    from batchfish.cli.console import Console
    from batchfish.cli.options import JournalLocation, ManifestSource, Selection
    from batchfish.core.window import Bounds
    from batchfish.journal.ingest import Difference
    from batchfish.journal.queries import JournalReader
    from batchfish.manifest.manifest import Manifest


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """The effect of a `run` that started now.

    It would submit `to_submit` items and pay for `most_runs` runs at most; `alive` counts the open attempts.
    `unfinished` is the name of the batch that has not finished, if another one would begin all the same.
    """

    batch: str
    begins: bool
    unfinished: str | None
    difference: Difference
    counts: Counts
    alive: int
    to_submit: int
    most_runs: int
    bounds: Bounds


def show_forecast(
    source: ManifestSource,
    location: JournalLocation,
    selection: Selection,
    *,
    begins_new: bool,
    drains: bool,
    as_json: bool,
    console: Console,
) -> int:
    """Print what a `run` with these options would do, and the command; nothing is sent or written."""
    manifest = read_manifest(source)
    if not manifest.check().items:
        put(f"{source.file}: nothing is selected: the manifest has no items")
        return ExitCode.OK
    with open_reader_or_empty(journal_for(manifest, location)) as reader:
        forecast = make_forecast(reader, manifest, selection, begins_new=begins_new, drains=drains)
    if as_json:
        put_document(DocumentType.PLAN, **_as_object(forecast))
    else:
        _put_forecast(forecast)
    if forecast.to_submit or forecast.alive:
        new = ["--new"] if begins_new else []
        words = [*spelled(location, source), *new, *spelled(selection)]
        console.say(f"to submit and follow it: batchfish run {shlex.join(words)}")
    return ExitCode.OK


def make_forecast(
    reader: JournalReader, manifest: Manifest, selection: Selection, *, begins_new: bool, drains: bool
) -> Forecast:
    """Compare a manifest with its journal, as `run` would."""
    choice = choose_batch(reader, manifest, recorded_as=None, now=SystemClock().now(), begins_new=begins_new)
    batch = choice.batch
    to_submit = 0 if drains else count_to_submit(selection, reader.staged, manifest.variables)
    counts = Counts() if batch is None else count(reader, batch.pk)
    return Forecast(
        batch=choice.name,
        begins=batch is None,
        unfinished=None if choice.unfinished is None else choice.unfinished.name,
        difference=choice.difference,
        counts=counts,
        alive=reader.count_alive(),
        to_submit=to_submit,
        most_runs=0 if drains else most_runs(counts, to_submit, manifest.rules.retry.attempts),
        bounds=rules_from(choice.manifest).limits.concurrency or AUTO,
    )


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
    if found.unfinished is not None:
        put(f"{found.unfinished} has not finished: `run` asks, or takes --accept unfinished-batch.")
    if difference.changed:
        put("Changed items have begun and would be paid for again: `run` asks, or takes --accept changes.")


def _as_object(found: Forecast) -> dict[str, Any]:
    difference = found.difference
    return {
        "batch": found.batch,
        "begins": found.begins,
        "leaves": found.unfinished,
        "items": difference.wanted,
        "new": difference.new,
        "changed": difference.changed,
        "removed": difference.removed,
        "alive": found.alive,
        "counts": dict(found.counts.by_status),
        "to_submit": found.to_submit,
        "most_runs": found.most_runs,
        "concurrency": str(found.bounds),
    }
