"""How long help, `status` of large batches and `run` of a small one take, beside bare Python.

    python -m benchmarks.commands [--rounds 9] [--items 20000 1000000]

All sides run in turn, with compiled bytecode, as an installed package has it. Figures are medians; those in
brackets are the least, which other work on the machine changes less. `run` brings a new batch of 20 items to
completion through the simulated server, whose runs take 50 ms, and writes its table: nearly all of its CPU is
the start and the end of the process.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.fanout.serving import serving
from benchmarks.table import fill

ROOT = Path(__file__).parents[1]
BARE = "bare Python"
SMALL = 20
NEW_AND_QUIET = ["--new", "--quiet", "--progress", "none"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def run_once(arguments: list[str]) -> tuple[float, float]:
    """Run Python with these arguments; return its wall and CPU seconds."""
    command = [sys.executable, *arguments]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL)  # noqa: S603 - ourselves
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure all sides in turn, and print medians with their ratio to bare Python."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--items", type=int, nargs="*", default=[20_000, 1_000_000])
    given = parser.parse_args()
    with TemporaryDirectory() as name:
        folder, served = Path(name), Path(name, "server")
        served.mkdir()
        with serving(["batchfish.localagent"], "duration=0.05", SMALL, served) as server:
            ENVIRONMENT.update(TINYFISH_API_KEY=server.token, BATCHFISH_BASE_URL=server.base_url)
            sides = make_sides(folder, given.items)
            for arguments in sides.values():
                run_once(arguments)  # so that all bytecode is there
            found: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
            for _ in range(given.rounds):
                for side, measured in found.items():
                    measured.append(run_once(sides[side]))
    _, bare = map(statistics.median, zip(*found[BARE], strict=True))
    for side, measured in found.items():
        walls, cpus = zip(*measured, strict=True)
        cpu = statistics.median(cpus)
        sys.stdout.write(f"{side:26}{spell(walls)} {spell(cpus)} CPU {cpu / bare:6.1f} x\n")


def make_sides(folder: Path, items: list[int]) -> dict[str, list[str]]:
    """Make batches in a folder, and return what is measured by its name: the arguments of Python."""
    package = ["-m", "batchfish"]
    sides = {BARE: ["-c", ""], "--version": [*package, "--version"], "--help": [*package, "--help"]}
    for number in items:
        journal = folder / f"{number}.db"
        fill(journal, number)
        sides[f"status, {number:,} items"] = [*package, "status", "--journal", str(journal)]
    rows = folder / "rows.csv"
    rows.write_text("url\n" + "".join(f"https://shop.example/{row}\n" for row in range(SMALL)))
    sides[f"run, {SMALL} items"] = [*package, "run", str(rows), "--goal", "Read the price", *NEW_AND_QUIET]
    return sides


def spell(seconds: tuple[float, ...]) -> str:
    """Spell the median and the least of some times in milliseconds."""
    return f"{statistics.median(seconds) * 1000:6.0f} ms ({min(seconds) * 1000:.0f})"


if __name__ == "__main__":
    main()
