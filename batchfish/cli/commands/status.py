"""`batchfish status`: shows how many items of a batch are done."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchfish.cli.console import put
from batchfish.cli.cost import Cost, read_cost
from batchfish.cli.counts import Counts, code_of, count
from batchfish.cli.documents import DocumentType, put_document
from batchfish.cli.exits import ExitCode
from batchfish.cli.locate import find, open_batch, spell
from batchfish.cli.options import JournalLocation, Reporting, batch_argument
from batchfish.cli.parser import flag, group
from batchfish.core.describe import spell_duration
from batchfish.core.settings import Settings, settings_from
from batchfish.journal.lock import owner_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from batchfish.cli.console import Console
    from batchfish.journal.queries import JournalReader
    from batchfish.journal.records import Batch

WATCH_INTERVAL = 2.0
RATE_SECONDS = 300.0
"""Seconds over which the rate of a batch is measured."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """The options of `status`."""

    batch: str | None = batch_argument()
    watch: bool = flag("--watch", help="repeat every 2s until the batch has ended")
    reporting: Reporting = group(Reporting, "output", only=("json",))
    location: JournalLocation = group(JournalLocation, "journal")


def run(options: Options, _env: Mapping[str, str], _console: Console) -> int:
    """Print the counts of a batch, once or until it has ended."""
    place = find(options.batch, options.location)
    while True:
        with open_batch(place) as (reader, batch):
            counts = count(reader, batch.pk)
            rate = measure_rate(reader, batch.pk, counts, time.time())
            settings = settings_from(reader.settings(batch.pk))
            cost = read_cost(reader, batch, time.time())
        owner = owner_of(place.journal)
        if options.reporting.json:
            put_document(
                DocumentType.STATUS,
                batch=batch.name,
                counts=dict(counts.by_status),
                total=counts.total,
                ended=counts.ended,
                exit_code=code_of(batch, counts),
                owner=owner,
                settings=settings.by_name,
                **rate,
                **cost.members,
            )
        else:
            put(_spell_status(batch, counts, settings, cost, rate, owner, place.journal))
        if not options.watch or counts.ended == counts.total:
            return ExitCode.OK
        time.sleep(WATCH_INTERVAL)


def measure_rate(reader: JournalReader, batch: int, counts: Counts, now: float) -> dict[str, float | None]:
    """Return the items that ended a minute, lately, and the seconds left at that rate; None: not known."""
    number, first = reader.ended_since(batch, now - RATE_SECONDS)
    if first is None or now <= first:
        return {"per_minute": None, "seconds_left": None}
    per_second = number / (now - first)
    left = counts.total - counts.ended
    return {"per_minute": round(per_second * 60, 1), "seconds_left": round(left / per_second) if left else 0}


def _spell_status(
    batch: Batch,
    counts: Counts,
    settings: Settings,
    cost: Cost,
    rate: Mapping[str, float | None],
    owner: int | None,
    journal: Path,
) -> str:
    done = f"{batch.name}: {counts.ended:,} of {counts.total:,} done ({counts})"
    if str(cost):
        done = f"{done}; {cost}"
    if counts.ended < counts.total and str(settings):
        done = f"{done}; {settings}"
    left = rate["seconds_left"]
    if owner is not None:
        pace = f"; {rate['per_minute']:g} a minute, about {spell_duration(left)} left" if left else ""
        return f"{done}; process {owner} is working on it{pace}"
    if counts.ended == counts.total:
        return done
    verb = "unpause" if settings.is_paused else "resume"
    return f"{done}; no process is working on it; go on with: batchfish {verb} {spell(journal, batch)}"
