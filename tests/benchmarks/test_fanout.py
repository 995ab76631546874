"""The fan-out benchmark: its arithmetic, and what it reads of the server, of the journal and of its sides."""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from batchfish.journal.files import own
from batchfish.localagent.engines.base import Step
from batchfish.localagent.runs.records import NewRun, completed
from batchfish.localagent.runs.steps import TimedStep, dump_steps
from batchfish.localagent.runs.store import RunStore
from batchfish.localagent.simulation.parameters import parse_simulation
from benchmarks import keep
from benchmarks.fanout import plot, report
from benchmarks.fanout.ideal import list_schedule, quantile
from benchmarks.fanout.measure import Measured, finished_runs, median
from benchmarks.fanout.sides import SUCCEEDED_AT
from benchmarks.fanout.workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]


def measured(**figures: float) -> Measured:
    return Measured(**{**dict.fromkeys(Measured.__slots__, 1.0), **figures})


def served(durations: Sequence[float], cap: int) -> float:
    """Play the server's queue step by step: whenever a run ends, the next one starts."""
    waiting, now = list(durations)[::-1], 0.0
    working: list[float] = []
    while waiting or working:
        while waiting and len(working) < cap:
            working.append(now + waiting.pop())
        now = min(working)
        working.remove(now)
    return now


def test_the_ideal_is_what_a_queue_served_in_order_takes() -> None:
    chance = Random(3)
    for cap in (1, 2, 7, 200):
        durations = [chance.lognormvariate(0, 1) for _ in range(150)]
        assert list_schedule(durations, cap) == pytest.approx(served(durations, cap))
    assert list_schedule([2, 1, 1, 1], 2) == 3
    assert list_schedule([1, 1, 1, 2], 2) == 3
    assert list_schedule([], 5) == 0


def test_a_quantile_is_one_of_the_values() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert [quantile(values, share) for share in (0.0, 0.2, 0.5, 0.8, 0.81, 0.99)] == [1, 1, 3, 4, 5, 5]
    assert math.isnan(quantile([], 0.5))


def test_medians_are_taken_of_each_figure() -> None:
    rounds = [measured(wall=1, cpu=9), measured(wall=7, cpu=2), measured(wall=2, cpu=3)]
    middle = median(rounds)
    assert (middle.wall, middle.cpu) == (2, 3)


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_is_a_simulation_that_the_server_takes(name: str) -> None:
    one = WORKLOADS[name]
    simulation = parse_simulation(one.simulation)
    assert (simulation.duration, simulation.sigma, simulation.seed) == (one.duration, one.sigma, one.seed)
    assert (simulation.latency, simulation.jitter) == (one.latency, one.jitter)


def test_runs_are_read_from_the_servers_store_as_they_started(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "agent.db")
    for at, run_id in enumerate("abc"):
        store.add([NewRun(run_id, "u", "g", "g", "{}", None, "o", at, at)])
    for at, run_id in ((10, "b"), (11, "a")):
        store.start(run_id, at=at)
        steps = dump_steps([TimedStep(at=at, step=Step(action="simulated", duration=at / 8))])
        store.finish(run_id, completed({}, None), at=20 + at, steps=steps)
    store.close()
    assert [
        (run.run_id, run.created_at, run.finished_at, run.duration)
        for run in finished_runs(tmp_path / "agent.db")
    ] == [("b", 1, 30, 1.25), ("a", 0, 31, 1.375)]


def test_the_ends_that_batchfish_knows_of_are_read_from_columns_that_a_journal_has(tmp_path: Path) -> None:
    with contextlib.closing(own(tmp_path / "items.db")) as journal:
        assert journal.execute(SUCCEEDED_AT).fetchall() == []


def test_a_table_has_a_row_for_each_side_and_marks_a_busy_server() -> None:
    medians = {
        "batchfish": measured(makespan=8.4, ideal=8, server_busy=0.2),
        "sdk": measured(server_busy=0.9),
    }
    result = report.Result(workload=WORKLOADS["short"], rounds=3, medians=medians)
    title, _, head, _, ours, sdk = report.table(result).splitlines()
    assert title == "2,000 × 0.2 s, cap 50; ideal 8.00 s; medians of 3"
    assert [len(line) for line in (ours, sdk)] == [len(head)] * 2
    assert "1.050" in ours
    assert ("20% " in ours, "90%*" in sdk) == (True, True)


def test_the_plot_draws_what_was_saved(tmp_path: Path) -> None:
    medians = {"batchfish": measured(makespan=8.4, ideal=8), "sdk": measured(makespan=80, ideal=8)}
    results = [
        report.Result(workload=WORKLOADS[name], rounds=3, medians=medians) for name in ("short", "flood")
    ]
    report.save(results, "about <this> machine", tmp_path / "RESULTS.md", tmp_path / "results.json")
    saved = json.loads((tmp_path / "results.json").read_text())["results"]
    drawn = ET.fromstring(plot.draw(saved, plot.THEMES["light"]))  # noqa: S314 - our own drawing
    written = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"1.05 ×", "10.00 ×", "2,000 × 0.2 s, cap 50"} <= set(written)
    assert "20,000 × 0.05 s, no cap" not in written  # no run waits there
    lengths = [float(bar.get("width", "")) for bar in drawn.iter("{http://www.w3.org/2000/svg}rect")]
    assert lengths[1] / lengths[0] == pytest.approx(math.log(10) / math.log(1.05), rel=0.01)


def test_results_of_other_workloads_are_kept(tmp_path: Path) -> None:
    paths = (tmp_path / "RESULTS.md", tmp_path / "results.json")
    for name, makespan in (("mixed", 40), ("short", 9), ("mixed", 41)):
        medians = {"batchfish": measured(makespan=makespan, ideal=8)}
        result = report.Result(workload=WORKLOADS[name], rounds=1, medians=medians)
        report.save([result], f"measured at {makespan}", *paths)
    saved = json.loads(paths[1].read_text())["results"]
    assert [one["medians"]["batchfish"]["makespan"] for one in saved] == [9, 41]
    text = paths[0].read_text()
    assert [text.count(said) for said in ("measured at 9", "measured at 40", "measured at 41")] == [1, 0, 1]


def test_what_a_benchmark_prints_is_kept_beside_the_workloads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = (tmp_path / "RESULTS.md", tmp_path / "results.json")
    program = "print('| cap |'); print('|---|')"
    monkeypatch.setattr(keep, "command_of", lambda _: [sys.executable, "-c", program])
    keep.keep("hidden_caps", *paths)
    result = report.Result(workload=WORKLOADS["short"], rounds=1, medians={"batchfish": measured(ideal=8)})
    report.save([result], "about this machine", *paths)
    text = paths[0].read_text()
    assert text.index("2,000 × 0.2 s, cap 50") < text.index(keep.TITLES["hidden_caps"])
    assert "\n| cap |\n|---|\n" in text
    assert [name for name in keep.TITLES if find_spec(f"benchmarks.{name}") is None] == []


@pytest.mark.process
@pytest.mark.skipif(
    not all(find_spec(name) for name in ("aiohttp", "httptools", "uvloop")),
    reason="the packages of the benchmarks are not installed (make bench)",
)
def test_all_sides_bring_the_same_runs_to_their_end(tmp_path: Path) -> None:
    sides = ("batchfish", "unsynced", "sdk-fast", "httpx", "expert")
    command = [sys.executable, "-m", "benchmarks.fanout", "short", "--share", "0.02", "--rounds", "1"]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path), "--sides", *sides],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    head, _, *rows = [line.split("|") for line in done.stdout.splitlines() if line.startswith("|")]
    paid = [cell.strip() for cell in head].index("paid")
    assert [row[paid].strip() for row in rows] == ["40"] * len(sides)
    assert list(tmp_path.iterdir()) == []
