"""One side on one workload: a new server, the side as a process, and what both of them tell afterwards."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
import statistics
import subprocess
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from typing import TYPE_CHECKING

from benchmarks.fanout.ideal import list_schedule, quantile
from benchmarks.fanout.serving import CERTIFICATE, KEY, ROOT, Failed, Server, pin, serving
from benchmarks.fanout.sides import ITEMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.fanout.sides import Side
    from benchmarks.fanout.workloads import Workload

LONGEST = 3600.0


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
        program = ("benchmarks.fanout.server", str(books / "counts.json"))
        certificate = _sign_certificate(books) if workload.is_remote else None
        with serving(program, workload.simulation, workload.cap, books) as server:
            busy, begun = server.cpu(), time.time()
            cpu = _run(side, workload, folder, server, certificate)
            ended, busy = time.time(), server.cpu() - busy
        counts = json.loads((books / "counts.json").read_bytes())
        runs = finished_runs(books / "agent.db")
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
        alive=_most_alive(runs),
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


def _most_alive(runs: Sequence[_Run]) -> int:
    """Return how many runs were there and had not ended, at most, at one moment."""
    changes = [*((run.created_at, 1) for run in runs), *((run.finished_at, -1) for run in runs)]
    return max(accumulate(change for _, change in sorted(changes)))


def _write_items(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "url", "goal"])
        for n in range(1, count + 1):
            goal = f"Read the title and the price of book {n}"
            rows.writerow([f"b{n}", f"https://books.example/{n}", goal])


def _sign_certificate(folder: Path) -> Path:
    """Make a certificate of this machine's address, signed by itself, with the `openssl` command."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1"]
    command += ["-keyout", str(folder / KEY), "-out", str(folder / CERTIFICATE)]
    try:
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own arguments
    except OSError as error:
        raise Failed(f"workloads with TLS need the command openssl: {error}") from None
    return folder / CERTIFICATE


def _run(side: Side, workload: Workload, folder: Path, server: Server, certificate: Path | None) -> float:
    """Run a side to its end and return its CPU seconds, those of its children included."""
    log = folder / "log"
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TINYFISH_API_KEY": server.token,
        "BATCHFISH_BASE_URL": server.base_url,
    }
    if certificate is not None:
        environment["BATCHFISH_BASE_URL"] = server.base_url.replace("http://", "https://", 1)
        environment["SSL_CERT_FILE"] = str(certificate)
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own programs
            side.command(workload),
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        pin(process.pid, 1)
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
