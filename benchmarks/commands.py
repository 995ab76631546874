"""How long `--version`, `--help` and `status` of large batches take, beside bare Python.

    python -m benchmarks.commands [--rounds 9] [--items 20000 1000000]

All sides run in turn, with compiled bytecode, as an installed package has it. Figures are medians.
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

from benchmarks.table import fill

ROOT = Path(__file__).parents[1]
BARE = "bare Python"
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
    with TemporaryDirectory() as folder:
        package = ["-m", "batchfish"]
        sides = {BARE: ["-c", ""], "--version": [*package, "--version"], "--help": [*package, "--help"]}
        for items in given.items:
            journal = Path(folder, f"{items}.db")
            fill(journal, items)
            sides[f"status, {items:,} items"] = [*package, "status", "--journal", str(journal)]
        for arguments in sides.values():
            run_once(arguments)  # so that all bytecode is there
        found: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
        for _ in range(given.rounds):
            for side, measured in found.items():
                measured.append(run_once(sides[side]))
    _, bare = map(statistics.median, zip(*found[BARE], strict=True))
    for side, measured in found.items():
        wall, cpu = map(statistics.median, zip(*measured, strict=True))
        sys.stdout.write(f"{side:26}{wall * 1000:6.0f} ms {cpu * 1000:6.0f} ms CPU {cpu / bare:6.1f} x\n")


if __name__ == "__main__":
    main()
