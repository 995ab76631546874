"""`batchfish status`: shows how many items of a batch are done."""

from __future__ import annotations

import sys
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

from msgspec import Struct

from batchfish.cli.console import are, put
from batchfish.cli.cost import Cost, read_cost
from batchfish.cli.counts import Counts, code_of, count
from batchfish.cli.documents import DocumentType, put_document
from batchfish.cli.exits import ExitCode
from batchfish.cli.locate import find, open_batch, spell
from batchfish.cli.options import JournalLocation, Reporting, batch_argument
from batchfish.cli.panel import PanelFacts, show_panel
from batchfish.cli.parser import Arguments, flag, group
from batchfish.core.describe import spell_duration
from batchfish.core.settings import Settings, settings_from
from batchfish.journal.lock import owner_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from batchfish.cli.console import Console
    from batchfish.cli.locate import Place
    from batchfish.journal.queries import JournalReader
    from batchfish.journal.records import Batch

WATCH_INTERVAL = 2.0
FAILURES_SHOWN = 5
RATE_SECONDS = 300.0
"""Seconds over which the rate of a batch is measured."""


class Options(Arguments, frozen=True, kw_only=True):
    """The options of `status`."""

    batch: str | None = batch_argument()
    watch: bool = flag(
        "--watch",
        help="show a live panel while a process works on it; without a terminal, a line for each change",
    )
    reporting: Reporting = group(Reporting, "output", only=("json",))
    location: JournalLocation = group(JournalLocation, "journal")


def run(options: Options, _env: Mapping[str, str], console: Console) -> int:
    """Print the counts of a batch, once or until it has ended."""
    place = find(options.batch, options.location)
    if options.watch and sys.stdout.isatty() and not options.reporting.json:
        if find_spec("rich") is not None:
            show_panel(lambda: _read_panel(place), WATCH_INTERVAL)
            return ExitCode.OK
        console.say("the live panel needs rich: pip install 'batchfish[watch]'; each change is a line here")
    said = ""
    while True:
        with open_batch(place) as (reader, batch):
            status = _read(reader, batch, place)
        if options.reporting.json:
            put_document(DocumentType.STATUS, **status.members)
        elif (line := str(status)) != said:
            put(line)
            said = line
        if not options.watch or not status.is_changing:
            return ExitCode.OK
        time.sleep(WATCH_INTERVAL)


def _read_panel(place: Place) -> PanelFacts:
    with open_batch(place) as (reader, batch), reader.snapshot():
        status, now = _read(reader, batch, place), time.time()
        held = reader.held_attempts(batch.pk)
        name = spell(place.journal, batch)
        return PanelFacts(
            name=batch.name,
            counts=status.counts,
            is_changing=status.is_changing,
            now=now,
            pace=status.pace,
            cost=str(status.cost),
            settings=str(status.settings),
            next_step=status.next_step,
            held=f"{are(len(held), 'attempt')} waiting: batchfish held list --batch {name}" if held else "",
            ages=[max(0.0, now - since) for since in reader.alive_since(batch.pk)],
            failures=reader.latest_failures(batch.pk, FAILURES_SHOWN),
        )


class _BatchStatus(Struct, frozen=True, kw_only=True):
    """The status of a batch at one moment; `owner` is the process that works on it, None if none does."""

    batch: Batch
    journal: Path
    counts: Counts
    settings: Settings
    cost: Cost
    rate: Mapping[str, float | None]
    owner: int | None

    @property
    def members(self) -> dict[str, object]:
        """The members of its JSON document."""
        return {
            "batch": self.batch.name,
            "counts": dict(self.counts.by_status),
            "total": self.counts.total,
            "ended": self.counts.ended,
            "exit_code": code_of(self.batch, self.counts),
            "owner": self.owner,
            "settings": self.settings.by_name,
            **self.rate,
            **self.cost.members,
        }

    @property
    def is_changing(self) -> bool:
        """Whether a process works on items that are left, so that the status is worth another look."""
        return self.owner is not None and self.counts.ended < self.counts.total

    @property
    def pace(self) -> str:
        """The items that end in a minute, and the time that the rest takes; empty if that is not known."""
        left = None if self.settings.is_paused else self.rate["seconds_left"]
        return f"{self.rate['per_minute']:g} a minute, about {spell_duration(left)} left" if left else ""

    @property
    def next_step(self) -> str:
        """The process that works on the batch, or the command that goes on; empty once it has ended."""
        if self.owner is not None:
            return f"process {self.owner} is working on it"
        if self.counts.ended == self.counts.total:
            return ""
        verb = "unpause" if self.settings.is_paused else "resume"
        command = f"batchfish {verb} {spell(self.journal, self.batch)}"
        return f"no process is working on it; go on with: {command}"

    def __str__(self) -> str:
        """Return it as one line."""
        counts = self.counts
        parts = [f"{self.batch.name}: {counts.ended:,} of {counts.total:,} done ({counts})", str(self.cost)]
        if counts.ended < counts.total:
            parts.append(str(self.settings))
        parts.append(self.next_step)
        if self.owner is not None:
            parts.append(self.pace)
        return "; ".join(filter(None, parts))


def _read(reader: JournalReader, batch: Batch, place: Place) -> _BatchStatus:
    counts = count(reader, batch.pk)
    return _BatchStatus(
        batch=batch,
        journal=place.journal,
        counts=counts,
        settings=settings_from(reader.settings(batch.pk)),
        cost=read_cost(reader, batch, time.time()),
        rate=measure_rate(reader, batch.pk, counts, time.time()),
        owner=owner_of(place.journal),
    )


def measure_rate(reader: JournalReader, batch: int, counts: Counts, now: float) -> dict[str, float | None]:
    """Return the items that ended a minute, lately, and the seconds left at that rate; None: not known."""
    number, first = reader.ended_since(batch, now - RATE_SECONDS)
    if first is None or now <= first:
        return {"per_minute": None, "seconds_left": None}
    per_second = number / (now - first)
    left = counts.total - counts.ended
    return {"per_minute": round(per_second * 60, 1), "seconds_left": round(left / per_second) if left else 0}
