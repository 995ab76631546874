"""The price of a journal: events committed in groups and one by one, and batches of a few and of many items.

    python -m benchmarks.journal [--items 2000] [--together 100] [--rounds 3] [--folder .]
    python -m benchmarks.journal --rows 1000 100000 1000000 [--folder .]

Both sides write the same events (an intent, an acceptance and an end with a result of 400 bytes an item)
through the code that the stages use, in turn, on the file system of the folder. Figures are medians.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from batchfish.core import identity
from batchfish.core.events import Event, Intended, RunEnded, SubmitAccepted
from batchfish.core.items import ItemSpec
from batchfish.core.lifecycle import Circumstances, advance
from batchfish.core.rules import Rules
from batchfish.core.runs import RunSnapshot
from batchfish.journal.records import NewBatch
from batchfish.journal.sqlite import SqliteJournal
from benchmarks.machine import sync_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

RESULT = b'{"title": "' + b"x" * 376 + b'", "price": 1}'
RULES = Rules()
GOAL = "Read the title and the price of the book."
RUNS = 900
"""The items of a batch that are run, whatever its size."""

REQUEST = {
    "output_schema": {
        "type": "object",
        "properties": {"title": {"type": "string"}, "price": {"type": "number"}},
    }
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """The wall and CPU seconds of one side, and the commits that it waited for."""

    wall: float
    cpu: float
    commits: int


def specs(rows: int, goal: str = GOAL, request: Mapping[str, Any] = REQUEST) -> Iterator[ItemSpec]:
    """Make up a manifest; its rows share their request fields, as those of a file do."""
    for row in range(1, rows + 1):
        yield ItemSpec(
            row=row,
            line=row + 1,
            id=f"b{row}",
            url=f"https://books.example/{row}",
            goal=goal,
            request=request,
            inputs={"isbn": f"978{row:010}"},
        )


def begin(journal: SqliteJournal, rows: int) -> int:
    """Begin a batch of made-up rows."""
    journal.reader.staged.load(specs(rows), identity.FINGERPRINT_VERSION)
    journal.reader.staged.compare(None)
    new = NewBatch(
        name="books",
        period=None,
        number=1,
        base_url="https://agent.example",
        manifest={},
        manifest_path="books.yaml",
        markers=True,
    )
    return journal.begin(new, now=time.time(), chance=os.urandom(4))


def record(journal: SqliteJournal, item: int, k: int | None, event: Event) -> None:
    """Write what an event makes of an item, as the stages do."""
    attempt, others = journal.attempts(item, k)
    circumstances = Circumstances(now=time.time(), rules=RULES, chance=lambda: 0.5, others=others)
    journal.write(advance(journal.item(item), attempt, event, circumstances), time.time())


def events_of(item: int) -> tuple[tuple[int | None, Event], ...]:
    """Return the events of an item that succeeds."""
    run_id = f"run_{item:012x}"
    return (
        (
            None,
            Intended(
                k=1,
                marker=f"bf-abcdefgh-{item:013}-1",
                key_id="key",
                body_sha256="0" * 64,
                boot_at=0,
                boot_id="b",
            ),
        ),
        (1, SubmitAccepted(run_id=run_id)),
        (1, RunEnded(run=RunSnapshot(run_id=run_id, status="COMPLETED", result=RESULT))),
    )


async def in_groups(journal: SqliteJournal, items: list[int], together: int) -> int:
    """Commit the events of so many items together, as those of requests that are on their way."""
    commits = 0

    async def happen(item: int, k: int | None, event: Event) -> None:
        record(journal, item, k, event)
        await journal.commit()

    for start in range(0, len(items), together):
        group = [(item, events_of(item)) for item in items[start : start + together]]
        for step in range(3):
            await asyncio.gather(*(happen(item, *events[step]) for item, events in group))
            commits += 1
    return commits


async def one_by_one(journal: SqliteJournal, items: list[int], _together: int) -> int:
    """Commit each event by itself, as a script does that commits what it writes."""
    for item in items:
        for k, event in events_of(item):
            record(journal, item, k, event)
            await journal.commit()
    return 3 * len(items)


SIDES = {"in groups": in_groups, "one by one": one_by_one}


def measure(side: str, folder: Path, items: int, together: int) -> Measured:
    """Run one side over a journal of its own."""
    path = folder / f"{side.replace(' ', '-')}.db"
    journal = SqliteJournal(path)
    batch = begin(journal, items)
    pks = [item.pk for item in journal.due(batch, time.time(), items)]
    wall, cpu = time.perf_counter(), time.process_time()
    commits = asyncio.run(SIDES[side](journal, pks, together))
    measured = Measured(wall=time.perf_counter() - wall, cpu=time.process_time() - cpu, commits=commits)
    journal.close()
    for file in folder.glob(f"{path.name}*"):
        file.unlink()
    return measured


def compare_sides(folder: Path, items: int, together: int, rounds: int) -> None:
    """Measure both sides in turn, and print what they took."""
    found: dict[str, list[Measured]] = {side: [] for side in SIDES}
    for _ in range(rounds):
        for side, measured in found.items():
            measured.append(measure(side, folder, items, together))
    sync = sync_time(folder) * 1000
    sys.stdout.write(
        f"{items:,} items, 3 events each, {together} at once; fsync p50 {sync:.2f} ms; medians of {rounds}\n"
    )
    for side, measured in found.items():
        wall = statistics.median(one.wall for one in measured)
        cpu = statistics.median(one.cpu for one in measured)
        commits = measured[0].commits
        sys.stdout.write(
            f"{side:11} {3 * items / wall:8,.0f} events/s {commits:6,} commits of "
            f"{wall / commits * 1000:6.2f} ms {cpu / items * 1000:6.3f} CPU s per 1,000 runs\n"
        )


def measure_batch(folder: Path, rows: int, together: int) -> None:
    """Print the price of a batch of so many items: to begin it, to run some, to compare it and to go on."""
    path = folder / f"{rows}.db"

    def lap(what: str, work: Callable[[], object], items: int = rows) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sys.stdout.write(
            f"{what:34} {wall:7.2f} s wall {cpu:7.2f} s CPU, {cpu / items * 1e6:7.1f} µs CPU an item,"
            f" {peak:6.0f} MiB peak\n"
        )

    sys.stdout.write(f"{rows:,} rows\n")
    journal = SqliteJournal(path)
    lap("begin", lambda: begin(journal, rows))
    some = [item.pk for item in journal.due(1, time.time(), RUNS)]
    lap(f"run {len(some):,} of them", lambda: asyncio.run(in_groups(journal, some, together)), len(some))
    lap("stage the same manifest again", lambda: journal.reader.staged.load(specs(rows), 1))
    lap("compare it with the batch", lambda: journal.reader.staged.compare(1))
    journal.close()

    def resume() -> None:
        again = SqliteJournal(path)
        again.first_accepted(1)
        again.count_runs(1)
        again.run_of_another_key("key")
        assert again.due(1, time.time(), 8)  # noqa: S101 - there is something to go on with
        again.close()

    lap("open, check and find what is due", resume)


def main() -> None:
    """Measure what the options ask for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=2_000)
    parser.add_argument("--together", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, nargs="+", help="measure batches of so many items instead")
    parser.add_argument("--folder", type=Path, default=Path(), help="on the disk that is to be measured")
    given = parser.parse_args()
    with TemporaryDirectory(dir=given.folder, prefix="journal-benchmark-") as folder:
        if given.rows:
            for rows in given.rows:
                measure_batch(Path(folder), rows, given.together)
        else:
            compare_sides(Path(folder), given.items, given.together, given.rounds)


if __name__ == "__main__":
    main()
