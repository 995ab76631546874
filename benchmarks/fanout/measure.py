"""One side on one workload: a new server, the side as a process, and what both of them tell afterwards."""

from __future__ import annotations

import csv
import json
import os
import secrets
import sqlite3
import statistics
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from typing import TYPE_CHECKING

from benchmarks.fanout.ideal import list_schedule, quantile
from benchmarks.fanout.sides import ITEMS
from benchmarks.machine import cores

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.fanout.sides import Side
    from benchmarks.fanout.workloads import Workload

ROOT = Path(__file__).parents[2]
START_TIMEOUT = 30.0
LONGEST = 3600.0
POLL_INTERVAL = 0.02


class Failed(Exception):
    """A side, or the server, did not do what it was to do; the text says what, and where its output is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What one side took; times in seconds.

    - `wall`: from the start of the process to its end. `start` is the part before the server had the first
      run, `finish` the part after the side knew of the last end, `makespan` what is between.
    - `ideal`: the list schedule of the durations that the server drew.
    - `created`: runs created, `runs` if none was paid for twice. `alive`: the most at one moment.
    - `cpu`: user and system time of the process and its children, for 1,000 runs. `server_busy`: the share of
      `wall` that the server worked; near 1 it is the server that is measured.
    - `lag_p50`, `lag_p99`: between the end of a run and the moment when the side knew of it.
    """

    runs: float
    created: float
    ideal: float
    wall: float
    start: float
    makespan: float
    finish: float
    requests: float
    lag_p50: float
    lag_p99: float
    cpu: float
    connections: float
    most_connections: float
    alive: float
    server_busy: float


def median(rounds: Sequence[Measured]) -> Measured:
    """Return the median of each figure."""
    figures = [asdict(one) for one in rounds]
    return Measured(**{name: statistics.median(one[name] for one in figures) for name in figures[0]})


def measure(side: Side, workload: Workload, folder: Path) -> Measured:
    """Start a server and the side on a core each, wait for the side, and return what it took.

    The side works in `folder`, the server in memory where there is a file system there. Failed if the side
    fails, or loses a run.
    """
    _write_items(folder / ITEMS, workload.runs)
    memory = Path("/dev/shm")  # noqa: S108 - a temporary folder is made in it
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as server_folder:
        books = Path(server_folder)
        with _server(workload, books) as (pid, environment):
            busy, begun = _cpu_seconds(pid), time.time()
            cpu = _run(side, workload, folder, environment)
            ended, busy = time.time(), _cpu_seconds(pid) - busy
        counts = json.loads((books / "counts.json").read_bytes())
        runs = finished_runs(books / "agent.db")
        with closing(sqlite3.connect(books / "agent.db")) as db:
            peaks = dict(db.execute("SELECT name, value FROM peaks"))
    known_at = side.known_at(folder)
    lags = [known_at[run.run_id] - run.finished_at for run in runs if run.run_id in known_at]
    if len(known_at) != workload.runs or len(lags) != workload.runs:
        raise Failed(f"{side.name} knows of {len(known_at)} ends of {workload.runs} runs")
    first, last = min(run.created_at for run in runs), max(known_at.values())
    return Measured(
        runs=workload.runs,
        created=len(runs),
        ideal=list_schedule((run.duration for run in runs), workload.cap),
        wall=ended - begun,
        start=first - begun,
        makespan=last - first,
        finish=ended - last,
        requests=counts["requests"] / workload.runs,
        lag_p50=quantile(lags, 0.5),
        lag_p99=quantile(lags, 0.99),
        cpu=1000 * cpu / workload.runs,
        connections=counts["connections"],
        most_connections=counts["most_connections"],
        alive=peaks["alive"],
        server_busy=busy / (ended - begun),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Run:
    run_id: str
    created_at: float
    finished_at: float
    duration: float


def finished_runs(store: Path) -> list[_Run]:
    """Return the runs of the server in the order in which they started."""
    with closing(sqlite3.connect(store)) as db:
        rows = db.execute(
            "SELECT run_id, created_at, finished_at, steps FROM runs"
            " WHERE finished_at IS NOT NULL ORDER BY started_at, seq"
        ).fetchall()
    return [
        _Run(
            run_id=run_id, created_at=created, finished_at=finished, duration=json.loads(steps)[0]["duration"]
        )
        for run_id, created, finished, steps in rows
    ]


def _write_items(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "url", "goal"])
        for n in range(1, count + 1):
            goal = f"Read the title and the price of book {n}"
            rows.writerow([f"b{n}", f"https://books.example/{n}", goal])


@contextmanager
def _server(workload: Workload, folder: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Serve for the length of the block; the process id, and the environment of a client."""
    token, port_file = secrets.token_urlsafe(24), folder / "agent.json"
    (folder / "key").touch(0o600)
    (folder / "key").write_text(token)
    command = [
        *(sys.executable, "-m", "benchmarks.fanout.server", str(folder / "counts.json")),
        *("--engine", "simulate", "--simulate", workload.simulation, "--cap", str(workload.cap)),
        *("--store", str(folder / "agent.db"), "--port-file", str(port_file)),
        *("--token-file", str(folder / "key")),
    ]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)  # noqa: S603 - our own program
        _pin(server.pid, 0)
    try:
        _wait_for(port_file, server)
        base_url = json.loads(port_file.read_bytes())["base_url"]
        yield server.pid, {**os.environ, "TINYFISH_API_KEY": token, "BATCHFISH_BASE_URL": base_url}
    finally:
        server.terminate()
        server.wait(START_TIMEOUT)


def _wait_for(port_file: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while not port_file.exists():
        if server.poll() is not None or time.monotonic() > deadline:
            said = (port_file.parent / "log").read_text(errors="replace").strip()
            raise Failed(f"the server did not start: {said}")
        time.sleep(POLL_INTERVAL)


def _run(side: Side, workload: Workload, folder: Path, environment: dict[str, str]) -> float:
    """Run a side to its end and return its CPU seconds, those of its children included."""
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own programs
            side.command(workload),
            cwd=folder,
            env={**environment, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        _pin(process.pid, 1)
        limit = Timer(LONGEST, process.kill)
        limit.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            limit.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        said = log.read_text(errors="replace").strip()
        raise Failed(f"{side.name} ended with {process.returncode}: {said[-2000:]}")
    return usage.ru_utime + usage.ru_stime


def _pin(pid: int, number: int) -> None:
    """Keep a process on one core, where there are several and the system can do so."""
    ours = cores()
    if hasattr(os, "sched_setaffinity") and len(ours) > number:
        os.sched_setaffinity(pid, {ours[number]})


def _cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
