"""How many runs `concurrency: auto` keeps alive where nobody tells it the cap, and how two batches share it.

    .venv/bin/python -m benchmarks.hidden_caps

For each cap two batches run at one simulated server, in one account: the first alone at the beginning, then
both. The times of their runs are read from the server. A batch alone should keep the cap, two more, and as
many as end between two polls alive; the second should get at least 40 % of the slots. A fixed `-j` of the cap
is measured beside it: it keeps no run waiting, and leaves slots empty. Then a batch runs alone while its cap
is halved, which it should follow within two run lengths.
"""

from __future__ import annotations

import csv
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from batchfish.core.pacing import USUAL_POLL_INTERVAL
from benchmarks.fanout.serving import ROOT, Server, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

CAPS = (2, 10, 50)
SECONDS = 2.0  # a run takes, on average
ALONE = 20.0  # seconds of the first batch
TOGETHER = 45.0  # seconds of both
HALVED = 20.0  # seconds after the cap was halved
SETTLES = 8.0  # seconds after a start in which nothing is counted
STEP = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """A run as the server has it; times are epoch seconds."""

    batch: str
    created_at: float
    started_at: float
    finished_at: float


def main() -> int:
    """Measure all caps, and print a line for each."""
    print("| cap | batch | alive p50 / max | bound | slots in use | share of the second batch |")
    print("|---|---|---|---|---|---|")
    for cap in CAPS:
        bound = bound_of(cap)
        for window in ("auto", str(cap)):
            runs, begun, joined, ended = observe(cap, window)
            alone = times(begun + SETTLES, joined)
            both = times(joined + SETTLES, ended)
            alive = [count_alive(runs, at) for at in alone]
            busy = [at_work(runs, at) for at in alone]
            seconds = [run for run in runs if run.batch == "second"]
            share = sum(at_work(seconds, at) for at in both) / sum(at_work(runs, at) for at in both)
            print(
                f"| {cap} | `-j {window}` | {statistics.median(alive):.0f} / {max(alive)} | {bound:.0f} "
                f"| {statistics.mean(busy) / cap:.1%} | {share:.0%} |",
                flush=True,
            )
    print()
    print("| cap | halved to | followed after | alive p50 / max then | bound | slots in use then |")
    print("|---|---|---|---|---|---|")
    for cap in CAPS:
        half = cap // 2
        runs, halved, ended = observe_halved(cap)
        after = times(halved, ended)
        followed = next((at for at in after if count_alive(runs, at) <= bound_of(half)), ended) - halved
        then = times(halved + 2 * SECONDS, ended)
        numbers, busy = [count_alive(runs, at) for at in then], [at_work(runs, at) for at in then]
        print(
            f"| {cap} | {half} | {followed:.1f} s | {statistics.median(numbers):.0f} / {max(numbers)} "
            f"| {bound_of(half):.0f} | {statistics.mean(busy) / half:.1%} |",
            flush=True,
        )
    return 0


def bound_of(cap: int) -> float:
    """Return how many runs may be alive under a cap: two more, and those that end between two polls."""
    return cap + 2 + cap / SECONDS * USUAL_POLL_INTERVAL


def count_alive(runs: list[Run], at: float) -> int:
    """Return how many of the runs were alive at this moment."""
    return sum(run.created_at <= at < run.finished_at for run in runs)


def at_work(runs: list[Run], at: float) -> int:
    """Return how many of the runs had a slot at this moment."""
    return sum(run.started_at <= at < run.finished_at for run in runs)


def times(begin: float, end: float) -> list[float]:
    """Return the moments at which runs are counted."""
    return [begin + STEP * number for number in range(int((end - begin) / STEP))]


def observe(cap: int, window: str) -> tuple[list[Run], float, float, float]:
    """Run a batch, and a second one beside it; return the runs, and when each part began and ended."""
    with serving_under(cap) as (server, folder), ExitStack() as batches:
        items = round(2 * cap * (ALONE + TOGETHER) / SECONDS)  # more than can end
        batches.callback(stop, start(folder / "first", items, window, server))
        begun = time.time()
        time.sleep(ALONE)
        batches.callback(stop, start(folder / "second", items, window, server))
        joined = time.time()
        time.sleep(TOGETHER)
        return read_runs(folder / "server" / "agent.db"), begun, joined, time.time()


def observe_halved(cap: int) -> tuple[list[Run], float, float]:
    """Run a batch, and halve the cap midway; return the runs, and when it was halved and when that ended."""
    with serving_under(cap) as (server, folder), ExitStack() as batches:
        items = round(2 * cap * (ALONE + HALVED) / SECONDS)
        batches.callback(stop, start(folder / "first", items, "auto", server))
        time.sleep(ALONE)
        os.kill(server.pid, signal.SIGUSR1)
        halved = time.time()
        time.sleep(HALVED)
        return read_runs(folder / "server" / "agent.db"), halved, time.time()


@contextmanager
def serving_under(cap: int) -> Iterator[tuple[Server, Path]]:
    """Serve under a cap for the length of the block, in a folder which is then removed."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "server").mkdir()
        program = ("benchmarks.fanout.server", str(folder / "server" / "counts.json"))
        simulation = f"seed=7,duration={SECONDS},sigma=0.5"
        with serving(program, simulation, cap, folder / "server") as server:
            yield server, folder


def start(folder: Path, items: int, window: str, server: Server) -> subprocess.Popen[bytes]:
    """Start a batch in a new folder."""
    folder.mkdir()
    with (folder / f"{folder.name}.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["url", "goal"])
        rows.writerows([f"https://{folder.name}.example/{n}", f"Read page {n}"] for n in range(items))
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TINYFISH_API_KEY": server.token,
        "BATCHFISH_BASE_URL": server.base_url,
    }
    command = [sys.executable, "-m", "batchfish", "run", f"{folder.name}.csv", "-q", "-y", "-j", window]
    command += ["--progress", "none"]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)  # noqa: S603 - our own program


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a batch without waiting for its runs."""
    process.kill()
    process.wait()


def read_runs(store: Path) -> list[Run]:
    """Return the runs of the server; those that are not over count as going on."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT url, created_at, started_at, finished_at FROM runs").fetchall()
    far = time.time() + 1000
    return [
        Run(
            batch="second" if "//second." in url else "first",
            created_at=created,
            started_at=far if started is None else started,
            finished_at=far if finished is None else finished,
        )
        for url, created, started, finished in rows
    ]


if __name__ == "__main__":
    sys.exit(main())
